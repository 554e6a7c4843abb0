package pipeline

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// OpenIn opens a file or folder by a name that comes from elsewhere, as a
// manifest's does: relative to dir, and out of which neither ".." nor a symbolic
// link leads. Links that stay inside are followed.
func OpenIn(dir, name string) (f *os.File, err error) {
	defer func() {
		// A root's errors name the file within it alone.
		if at := (*fs.PathError)(nil); errors.As(err, &at) && at.Path == name {
			err = &fs.PathError{Op: "open", Path: filepath.Join(dir, name), Err: at.Err}
		}
		if err != nil && strings.Contains(err.Error(), "path escapes") {
			err = fmt.Errorf("%w: a link leads out of %s, and is not followed: put what it names into the folder", err, dir)
		}
	}()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Stat(name)
	if err == nil && !info.IsDir() {
		err = finite(info, name)
	}
	if err != nil {
		return nil, err
	}
	return root.Open(name)
}

// OpenFile opens a file that was found in a folder, rather than named by the
// user, who may mean a pipe.
func OpenFile(path string) (*os.File, error) {
	if err := isFile(path); err != nil {
		return nil, err
	}
	return os.Open(path)
}

// ReadFile is OpenFile for all that the file holds.
func ReadFile(path string) ([]byte, error) {
	if err := isFile(path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

func isFile(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return finite(info, path)
}

// finite refuses what is no regular file: opening a pipe that nobody writes to
// waits for ever, and a device such as /dev/zero has no end.
func finite(info fs.FileInfo, path string) error {
	if !info.Mode().IsRegular() {
		return &fs.PathError{Op: "open", Path: path, Err: fmt.Errorf("it is no regular file (%v): remove it, or put a file in its place", info.Mode())}
	}
	return nil
}
