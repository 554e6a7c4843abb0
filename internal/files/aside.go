package files

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// What is made aside has the mode that it keeps: what the umask leaves of reading and
// writing for all, and in a folder with the setgid bit that folder's group. Those of
// os.CreateTemp are for their owner alone.

// createAside makes a file whose name begins with prefix.
func createAside(dir, prefix string) (f *os.File, err error) {
	_, err = unused(dir, prefix, func(path string) error {
		f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		return err
	})
	return f, err
}

// MkdirAside makes a folder whose name begins with prefix.
func MkdirAside(dir, prefix string) (path string, err error) {
	return unused(dir, prefix, func(path string) error { return os.Mkdir(path, 0o777) })
}

// unused calls create with names that nobody has, until it finds that to be so.
func unused(dir, prefix string, create func(path string) error) (path string, err error) {
	for range 10000 {
		path = filepath.Join(dir, fmt.Sprintf("%s%d", prefix, rand.Uint32()))
		if err = create(path); !errors.Is(err, fs.ErrExist) {
			return path, err
		}
	}
	return "", err
}

// likeBefore gives what is to replace path the mode of that, if it is there: one that
// only its owner may read stays such.
func likeBefore(path string, chmod func(fs.FileMode) error) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode().Type()&^fs.ModeDir != 0 {
		return nil
	}
	if err != nil {
		return err
	}
	return chmod(info.Mode() & (fs.ModePerm | fs.ModeSetgid))
}
