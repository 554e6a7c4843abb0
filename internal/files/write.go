package files

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// An ExistsError says that a name is taken, and that force would replace what
// has it. It is [fs.ErrExist].
type ExistsError struct {
	Path   string
	Folder bool // it is a folder that holds something
}

func (e *ExistsError) Error() string {
	if e.Folder {
		return e.Path + " is not empty"
	}
	return e.Path + " exists"
}

// Is implements errors.Is.
func (e *ExistsError) Is(target error) bool { return target == fs.ErrExist }

// errTaken is an ExistsError before it has its path.
var errTaken = errors.New("the name is taken")

// Write writes a file so that its name only ever holds whole contents:
// into a temporary file of the same folder, synced, given its name, and the folder
// synced. A file that is there, or comes while this one is written, is replaced
// only with force; without it that is an [ExistsError]. A device, pipe or socket is
// never replaced. Where write or anything else fails, path is as it was and the
// temporary file is gone.
func Write(path string, force bool, write func(io.Writer) error) error {
	err := writeFile(path, force, write)
	if errors.Is(err, errTaken) {
		return &ExistsError{Path: path}
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

func writeFile(path string, force bool, write func(io.Writer) error) (err error) {
	if info, err := os.Lstat(path); err == nil && info.Mode()&(fs.ModeDevice|fs.ModeNamedPipe|fs.ModeSocket) != 0 {
		return fmt.Errorf("%w (%v): choose another name", ErrIrregular, info.Mode())
	}
	f, err := createAside(filepath.Dir(path), ".tmp-"+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = f.Close() // it may be closed, or gone, already
			_ = os.Remove(f.Name())
		}
	}()
	buffered := bufio.NewWriterSize(f, 1<<20)
	if err = write(buffered); err != nil {
		return err
	}
	if err = buffered.Flush(); err != nil {
		return err
	}
	if force {
		if err = likeBefore(path, f.Chmod); err != nil {
			return err
		}
	}
	if err = f.Sync(); err != nil {
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	if err = publish(f.Name(), path, force); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// publish gives a whole file its name. Without force the name is to be free: a
// rename replaces what has it, and a link does not.
func publish(temporary, path string, force bool) error {
	if !force {
		if err := os.Link(temporary, path); err == nil {
			return os.Remove(temporary)
		}
		// The name is taken, or the file system has no links, as FAT. There only
		// what comes between this look and the rename is not seen.
		if _, err := os.Lstat(path); err == nil {
			return errTaken
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return os.Rename(temporary, path)
}

// WriteDir writes a folder so that its name only ever holds whole contents:
// write fills the folder aside, which lies beside dir and takes its place at
// the end. Where write or anything else fails, dir is as it was and aside is
// gone. A dir that holds anything, or comes to while this one is written, is
// replaced only with force; without it that is an [ExistsError]. A link stays,
// and what it leads to is replaced.
func WriteDir(dir string, force bool, write func(aside string) error) error {
	dir, err := linked(filepath.Clean(dir))
	if err == nil {
		err = writeDir(dir, force, write)
	}
	if errors.Is(err, errTaken) {
		return &ExistsError{Path: dir, Folder: true}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	return nil
}

// linked is the folder that a name means: where a link leads, or the name itself.
func linked(dir string) (string, error) {
	if info, err := os.Lstat(dir); err != nil || info.Mode().Type() != fs.ModeSymlink {
		return dir, nil
	}
	to, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return dir, fmt.Errorf("it is a link that leads nowhere: choose another name, or make the folder that it names: %w", err)
	}
	return to, nil
}

func writeDir(dir string, force bool, write func(aside string) error) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if len(entries) > 0 && !force {
		return errTaken
	}
	parent := filepath.Dir(dir)
	if err := MkdirAll(parent); err != nil {
		return err
	}
	aside, err := MkdirAside(parent, "."+filepath.Base(dir)+".tmp-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(aside)
	if err := write(aside); err != nil {
		return err
	}
	if force {
		if err := likeBefore(dir, func(m fs.FileMode) error { return os.Chmod(aside, m) }); err != nil {
			return err
		}
	}
	if err := syncTree(aside); err != nil {
		return err
	}
	if !force {
		// The system's rename, other than os.Rename, replaces an empty folder, and
		// nothing else.
		if err := unix.Rename(aside, dir); errors.Is(err, fs.ErrExist) {
			return errTaken
		} else if err != nil {
			return fmt.Errorf("put it in place: %w", err)
		}
		return SyncDir(parent)
	}
	return replaceDir(aside, dir)
}

// replaceDir puts a whole folder in the place of another, or of none.
func replaceDir(aside, dir string) error {
	parent := filepath.Dir(dir)
	old, err := takePlace(aside, dir, exchange)
	if err != nil {
		return fmt.Errorf("put it in place: %w", err)
	}
	// A power cut is to find the new folder or the old one: that goes once the
	// new one's name is safe.
	if err := SyncDir(parent); err != nil {
		return errors.Join(err, os.RemoveAll(old))
	}
	if err := os.RemoveAll(old); err != nil {
		return fmt.Errorf("remove what it held before: %w", err)
	}
	return SyncDir(parent)
}

// takePlace gives a whole folder the name dir, and what had it before, if
// anything, the name old. The two exchange names at once, so that dir is never
// without; in between the two renames of a system without such an exchange, it is.
func takePlace(aside, dir string, exchange func(a, b string) error) (old string, err error) {
	err = exchange(aside, dir)
	if err == nil {
		return aside, nil
	}
	missing := errors.Is(err, fs.ErrNotExist) // nothing to exchange with
	if !missing && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSYS) && !errors.Is(err, unix.ENOTSUP) {
		return "", err
	}
	old = aside + ".old"
	if err := os.Rename(dir, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if err := os.Rename(aside, dir); err != nil {
		return "", errors.Join(err, os.Rename(old, dir))
	}
	return old, nil
}

// syncTree makes all that a folder holds durable.
func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return SyncDir(path)
	})
}

// MkdirAll makes a folder and those above it that are missing, so that they
// outlive a power cut: each is synced into the one above.
func MkdirAll(dir string) error {
	dir = filepath.Clean(dir)
	if info, err := Stat(dir); err == nil && info.IsDir() {
		return nil
	} else if Passing(err) {
		return err
	}
	parent := filepath.Dir(dir)
	if parent == dir {
		return os.Mkdir(dir, 0o777) // fails, and says why
	}
	if err := MkdirAll(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o777); err != nil {
		// Another process may have made it in between.
		if info, statErr := Stat(dir); statErr != nil || !info.IsDir() {
			return err
		}
	}
	return SyncDir(parent)
}

// SyncDir makes renames inside a folder durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync folder: %w", err)
	}
	err = d.Sync()
	return errors.Join(err, d.Close())
}
