package files

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// OpenIn opens a file or folder by a name that comes from elsewhere, as a
// manifest's does: relative to dir, and out of which neither ".." nor a symbolic
// link leads. Links that stay inside are followed. Like all that opens and reads here
// it is a [Retry].
func OpenIn(dir, name string) (f *os.File, err error) {
	err = Retry(func() error { f, err = openIn(dir, name, true); return err })
	return f, err
}

// ReadIn is OpenIn for all that a file holds.
func ReadIn(dir, name string) (data []byte, err error) {
	err = Retry(func() error {
		data, err = readAll(openIn(dir, name, false))
		return err
	})
	return data, err
}

func openIn(dir, name string, folders bool) (f *os.File, err error) {
	defer func() {
		// A root's errors name the file within it alone.
		if at := (*fs.PathError)(nil); errors.As(err, &at) && at.Path == name {
			err = &fs.PathError{Op: "open", Path: filepath.Join(dir, name), Err: at.Err}
		}
		if err != nil && strings.Contains(err.Error(), "path escapes") {
			err = fmt.Errorf("%w: %w", err, &LinkError{Out: dir})
		}
	}()
	// A pipe in dir's place would be waited for.
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: unix.ENOTDIR}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return openFinite(name, folders, root.Stat, root.OpenFile)
}

// IsPlainName reports whether a name from elsewhere is that of a file in a folder
// itself, neither above nor below.
func IsPlainName(name string) bool {
	return filepath.IsLocal(name) && filepath.Base(name) == name && name != "."
}

// Open opens a file that was found in a folder, rather than named by the
// user, who may mean a pipe.
func Open(path string) (f *os.File, err error) {
	err = Retry(func() error { f, err = openFound(path); return err })
	return f, err
}

func openFound(path string) (*os.File, error) { return openFinite(path, false, os.Stat, os.OpenFile) }

// Read is Open for all that the file holds.
func Read(path string) (data []byte, err error) {
	err = Retry(func() error {
		data, err = readAll(openFound(path))
		return err
	})
	return data, err
}

// ReadNamed reads a file that the user names, who may mean a pipe: it is waited for,
// which is the caller's to say. A device, which may have no end, is refused, and so is
// more than most bytes.
func ReadNamed(path string, most int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Mode()&(fs.ModeDevice|fs.ModeSocket) != 0 {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fmt.Errorf("%w (%v): name a file or a pipe", ErrIrregular, info.Mode())}
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("it has more than %d bytes", most)}
	}
	return data, err
}

// ReadDir is os.ReadDir.
func ReadDir(path string) (entries []os.DirEntry, err error) {
	err = Retry(func() error { entries, err = os.ReadDir(path); return err })
	return entries, err
}

// Stat is os.Stat.
func Stat(path string) (info os.FileInfo, err error) {
	err = Retry(func() error { info, err = os.Stat(path); return err })
	return info, err
}

// readAll reads a file that was opened, and closes it.
func readAll(f *os.File, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var text bytes.Buffer
	text.Grow(int(info.Size()) + bytes.MinRead)
	_, err = text.ReadFrom(f)
	return text.Bytes(), err
}

// openFinite opens a regular file, or, with folders, one of those. It looks before,
// since opening some devices acts on them, and again at what it has opened:
// something else may have come between. Without O_NONBLOCK it would wait for
// someone to write into a pipe that has; files that an archive has to fetch from
// tape want to be waited for.
func openFinite(name string, folders bool, stat func(string) (fs.FileInfo, error), open func(string, int, fs.FileMode) (*os.File, error)) (*os.File, error) {
	info, err := stat(name)
	if err == nil {
		err = finite(info, name, folders)
	}
	if err != nil {
		return nil, err
	}
	f, err := open(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if info, err = f.Stat(); err == nil {
		err = finite(info, name, folders)
	}
	if err == nil {
		err = unix.SetNonblock(int(f.Fd()), false)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// A LinkError says that a link was not followed: what it leads to is someone
// else's.
type LinkError struct {
	Path string // the link, where it is known
	Out  string // the folder that it leads out of, where that is the reason
}

func (e *LinkError) Error() string {
	if e.Out != "" {
		return fmt.Sprintf("a link leads out of %s, and is not followed: put what it names into the folder", e.Out)
	}
	return fmt.Sprintf("%s is a link, which is not followed: move it away", e.Path)
}

// ErrIrregular is wrapped where a file was wanted and something else, a pipe or
// a device, has its name.
var ErrIrregular = errors.New("it is not a regular file")

// finite refuses what is not a regular file: a pipe that nobody writes to is waited
// for without end, and a device such as /dev/zero has none.
func finite(info fs.FileInfo, path string, folders bool) error {
	if !info.Mode().IsRegular() && !(folders && info.IsDir()) {
		return &fs.PathError{Op: "open", Path: path, Err: fmt.Errorf("%w (%v): move it away, or put a file in its place", ErrIrregular, info.Mode())}
	}
	return nil
}
