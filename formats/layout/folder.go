package layout

import (
	"io/fs"
	"path/filepath"

	"github.com/pipa-uda/pipa/internal/files"
)

// Open is a folder on this machine as the layout's links want it: a [Linked] one
// where they are followed, else a [Closed] one.
func (l Layout) Open(dir string) fs.FS {
	if l.FollowLinks {
		return Linked(dir)
	}
	return Closed(dir)
}

// Closed is a folder on this machine, as an fs.FS that nothing leads out of: not a
// name with "..", and not a link. Links that stay inside are followed.
type Closed string

// Open implements fs.FS.
func (d Closed) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	f, err := files.OpenIn(string(d), filepath.FromSlash(name))
	if err != nil {
		return nil, err // a nil *os.File is not a nil fs.File
	}
	return f, nil
}

// ReadDir implements fs.ReadDirFS.
func (d Closed) ReadDir(name string) ([]fs.DirEntry, error) {
	return retried(func() ([]fs.DirEntry, error) { return fs.ReadDir(opener{d.Open}, name) })
}

// ReadFile implements fs.ReadFileFS.
func (d Closed) ReadFile(name string) ([]byte, error) {
	return retried(func() ([]byte, error) { return fs.ReadFile(opener{d.Open}, name) })
}

// opener is a file system that can open, alone.
type opener struct {
	open func(string) (fs.File, error)
}

func (o opener) Open(name string) (fs.File, error) { return o.open(name) }

func retried[T any](f func() (T, error)) (v T, err error) {
	err = files.Retry(func() error { v, err = f(); return err })
	return v, err
}

// Linked is a folder on this machine, as an fs.FS that follows links wherever they
// lead. The empty one has all files, by their paths.
type Linked string

func (d Linked) path(name string) string { return filepath.Join(string(d), filepath.FromSlash(name)) }

// Open implements fs.FS, for files.
func (d Linked) Open(name string) (fs.File, error) {
	f, err := files.Open(d.path(name))
	if err != nil {
		return nil, err // a nil *os.File is not a nil fs.File
	}
	return f, nil
}

// ReadDir implements fs.ReadDirFS.
func (d Linked) ReadDir(name string) ([]fs.DirEntry, error) { return files.ReadDir(d.path(name)) }

// ReadFile implements fs.ReadFileFS.
func (d Linked) ReadFile(name string) ([]byte, error) { return files.Read(d.path(name)) }

// Stat implements fs.StatFS.
func (d Linked) Stat(name string) (fs.FileInfo, error) { return files.Stat(d.path(name)) }
