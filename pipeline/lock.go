package pipeline

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrInUse is wrapped where a lock is held by someone else.
var ErrInUse = errors.New("in use")

// Lock takes dir/name for the caller until the returned function is called or
// the process ends. A second caller, in this process or another, is refused with
// ErrInUse and the owner's name: host and process number.
func Lock(dir, name string) (unlock func(), err error) {
	path := filepath.Join(dir, name)
	// Through a link, the owner's name would be written over what it leads to.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o644)
	if errors.Is(err, unix.ELOOP) {
		return nil, fmt.Errorf("lock %s: %s is a link, which is not followed: remove it", dir, path)
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", dir, err)
		}
		owner, _ := os.ReadFile(path)
		return nil, fmt.Errorf("%s is %w by %s", dir, ErrInUse, strings.TrimSpace(string(owner)))
	}
	host, err := os.Hostname()
	if err != nil {
		host = "this machine"
	}
	if err := f.Truncate(0); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	if _, err := fmt.Fprintf(f, "process %d on %s\n", os.Getpid(), host); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	}
	// The file stays: removing it would race with a process that has it open.
	return func() { f.Close() }, nil
}
