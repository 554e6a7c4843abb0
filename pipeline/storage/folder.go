package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/pipa-uda/pipa/internal/files"
)

// A Folder is where files lie. Names are slash-separated and relative, as those
// of fs.FS, which it is; a file that does not exist is fs.ErrNotExist.
type Folder interface {
	fs.ReadDirFS
	// Put writes a file: its name only ever holds whole contents.
	Put(name string, write func(io.Writer) error) error
	// Remove deletes a file; one that does not exist is no error.
	Remove(name string) error
	// Lock takes the folder, or says who has it (files.ErrInUse). An object
	// store has no locks: there two processes that do the same work write the
	// same objects.
	Lock(name string) (unlock func(), err error)
	// String is the folder's path or URL.
	String() string
}

// IsURL reports whether a name is a URL that Open knows, rather than a path.
func IsURL(name string) bool {
	scheme, _, ok := strings.Cut(name, "://")
	return ok && (scheme == "file" || scheme == "s3" || scheme == "gs")
}

// Open opens a folder by path or URL. It need not exist. ctx bounds all that is
// done with it.
func Open(ctx context.Context, name string) (Folder, error) {
	scheme, _, isURL := strings.Cut(name, "://")
	if !isURL {
		return dir(name), nil
	}
	u, err := url.Parse(name)
	if err != nil {
		return nil, fmt.Errorf("open folder: %w", err)
	}
	switch scheme {
	case "file":
		if u.Host != "" {
			return nil, fmt.Errorf("open folder: %s names the host %q: want file:///path", name, u.Host)
		}
		return dir(filepath.FromSlash(u.Path)), nil
	case "s3", "gs":
		return openBucket(ctx, u)
	}
	return nil, fmt.Errorf("open folder: %s: want a path, or a URL with file://, s3:// or gs://", name)
}

// Local is the path of a folder on this machine; others are not ok.
func Local(f Folder) (path string, ok bool) {
	d, ok := f.(dir)
	return string(d), ok
}

// dir is a folder on this machine.
type dir string

func (d dir) String() string { return string(d) }

func (d dir) path(op, name string) (string, error) {
	if !fs.ValidPath(name) {
		return "", &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	return filepath.Join(string(d), filepath.FromSlash(name)), nil
}

func (d dir) Open(name string) (fs.File, error) {
	if _, err := d.path("open", name); err != nil {
		return nil, err
	}
	f, err := files.OpenIn(string(d), filepath.FromSlash(name))
	if err != nil {
		return nil, err // a nil *os.File is no nil fs.File
	}
	return f, nil
}

func (d dir) ReadDir(name string) ([]fs.DirEntry, error) {
	path, err := d.path("read", name)
	if err != nil {
		return nil, err
	}
	return os.ReadDir(path)
}

func (d dir) Put(name string, write func(io.Writer) error) error {
	path, err := d.path("write", name)
	if err != nil {
		return err
	}
	if err := files.MkdirAll(filepath.Dir(path)); err != nil {
		return err
	}
	return files.Write(path, true, write)
}

func (d dir) Remove(name string) error {
	path, err := d.path("remove", name)
	if err != nil {
		return err
	}
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (d dir) Lock(name string) (func(), error) {
	if err := files.MkdirAll(string(d)); err != nil {
		return nil, err
	}
	return files.Lock(string(d), name)
}
