package files

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ErrInUse is wrapped where a lock is held by someone else.
var ErrInUse = errors.New("in use")

// Lock takes dir/name for the caller until the returned function is called or
// the process ends. A second caller, in this process or another, is refused with
// ErrInUse and the owner's name: host and process number. The file stays; only
// who has the lock may remove it.
func Lock(dir, name string) (unlock func(), err error) {
	path := filepath.Join(dir, name)
	for {
		// Through a link, the owner's name would be written over what it leads to.
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o666)
		if errors.Is(err, unix.ELOOP) {
			return nil, fmt.Errorf("lock %s: %w", dir, &LinkError{Path: path})
		}
		if err != nil {
			return nil, fmt.Errorf("lock %s: %w", dir, err)
		}
		removed, err := hold(f)
		if err == nil && !removed {
			return func() {
				_ = f.Truncate(0) // or the next owner would have this one's name, until it writes its own
				_ = f.Close()
			}, nil
		}
		_ = f.Close()
		if errors.Is(err, ErrInUse) {
			return nil, fmt.Errorf("%s is %w", dir, err)
		}
		if err != nil {
			return nil, fmt.Errorf("lock %s: %w", dir, err)
		}
	}
}

// hold locks an open file and writes the owner's name into it. Where its last
// owner has removed it since it was opened, others lock the file that they find
// in its place, and so has the caller to do.
func hold(f *os.File) (removed bool, err error) {
	opened, err := f.Stat()
	if err != nil {
		return false, err
	}
	if err := finite(opened, f.Name(), false); err != nil {
		return false, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		return false, fmt.Errorf("%w by %s", ErrInUse, owner(f))
	} else if err != nil {
		return false, err
	}
	if there, err := os.Lstat(f.Name()); errors.Is(err, os.ErrNotExist) || err == nil && !os.SameFile(opened, there) {
		return true, nil
	} else if err != nil {
		return false, err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "this machine"
	}
	if err := f.Truncate(0); err != nil {
		return false, err
	}
	_, err = fmt.Fprintf(f, "process %d on %s\n", os.Getpid(), host)
	return false, err
}

// owner is the name in a lock that somebody else holds. Who has just taken it has not
// written its name yet, or that of a killed owner is still there: what is read twice
// is right.
func owner(f io.ReaderAt) string {
	read := func() string {
		text := make([]byte, 1000)
		n, _ := f.ReadAt(text, 0)
		return strings.TrimSpace(string(text[:n]))
	}
	name := read()
	for range 50 {
		time.Sleep(20 * time.Millisecond)
		again := read()
		if again == name && name != "" {
			return name
		}
		name = again
	}
	return "a process that has not said its name"
}
