package formats

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/pipa-uda/pipa/internal/files"
)

// A tree is a dataset's folder. Its files are named by whole paths, as messages
// name them.
type tree struct {
	fs.FS
	dir    string
	prefix string // of whole paths
}

// newTree is the folder dir, whose files are on this machine or in remote, if that
// is not nil.
func newTree(dir string, remote fs.FS, l Layout) (tree, error) {
	if remote != nil {
		return tree{remote, dir, strings.TrimSuffix(dir, "/") + "/"}, nil
	}
	if dir == "" {
		return tree{}, errors.New("its folder is not given")
	}
	info, err := files.Stat(dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is not a folder", dir)
	}
	prefix := filepath.Clean(dir) + "/"
	switch prefix {
	case "./":
		prefix = ""
	case "//":
		prefix = "/"
	}
	return tree{l.Open(dir), dir, prefix}, err
}

// path is the whole path of a slash-separated name.
func (t tree) path(name string) string { return t.prefix + name }

// name is the name of a whole path.
func (t tree) name(path string) string { return strings.TrimPrefix(path, t.prefix) }

func (t tree) readFile(path string) ([]byte, error) { return fs.ReadFile(t.FS, t.name(path)) }

// readInto is readFile into buf's memory.
func (t tree) readInto(buf []byte, path string) ([]byte, error) {
	err := files.Retry(func() (err error) {
		buf, err = t.readOnce(buf, path)
		return err
	})
	return buf, err
}

func (t tree) stat(path string) (fs.FileInfo, error) { return fs.Stat(t.FS, t.name(path)) }

func (t tree) readOnce(buf []byte, path string) ([]byte, error) {
	f, err := t.Open(t.name(path))
	if err != nil {
		return buf, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return buf, err
	}
	// One byte more shows a file that grew.
	if n := int(min(info.Size(), 1<<31)) + 1; cap(buf) < n {
		buf = make([]byte, 0, n+n/8)
	}
	buf = buf[:0]
	for {
		n, err := f.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
	}
}
