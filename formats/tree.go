package formats

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/pipa-uda/pipa/internal/files"
)

// tree is a dataset's folder. Its files are named by whole paths, as messages
// name them; remote says where they are read from, nil on this machine.
type tree struct {
	dir    string
	remote fs.FS
}

// path is the whole path of a slash-separated name.
func (t tree) path(name string) string {
	if t.remote != nil {
		return strings.TrimSuffix(t.dir, "/") + "/" + name
	}
	return filepath.Join(t.dir, filepath.FromSlash(name))
}

// name is the name of a whole path inside a remote folder.
func (t tree) name(path string) string {
	return strings.TrimPrefix(path, strings.TrimSuffix(t.dir, "/")+"/")
}

// exists fails where there is no such folder on this machine.
func (t tree) exists() error {
	if t.remote != nil {
		return nil
	}
	info, err := os.Stat(t.dir)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s is no folder", t.dir)
	}
	return err
}

func (t tree) open(path string) (fs.File, error) {
	if t.remote != nil {
		return t.remote.Open(t.name(path))
	}
	return files.Open(path)
}

func (t tree) readFile(path string) ([]byte, error) {
	if t.remote != nil {
		return fs.ReadFile(t.remote, t.name(path))
	}
	return files.Read(path)
}

func (t tree) stat(path string) (fs.FileInfo, error) {
	if t.remote != nil {
		return fs.Stat(t.remote, t.name(path))
	}
	return os.Stat(path)
}

// list is the entries of a folder by its slash-separated name.
func (t tree) list(name string) ([]fs.DirEntry, error) {
	if t.remote != nil {
		return fs.ReadDir(t.remote, name)
	}
	return os.ReadDir(t.path(name))
}

// pngs lists the regular files of a folder with a suffix, by what is before it.
func (t tree) pngs(folder, suffix string) (map[string]string, error) {
	entries, err := t.list(folder)
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	for _, e := range entries {
		if stem, ok := strings.CutSuffix(e.Name(), suffix); ok && !e.IsDir() && stem != "" {
			files[stem] = t.path(path.Join(folder, e.Name()))
		}
	}
	return files, nil
}

// cities is pngs over a folder's folders.
func (t tree) cities(folder, suffix string) (map[string]string, error) {
	entries, err := t.list(folder)
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, city := range entries {
		isDir := city.IsDir()
		if city.Type() == fs.ModeSymlink { // as where a dataset lies on several disks
			info, err := t.stat(t.path(path.Join(folder, city.Name())))
			if err != nil {
				return nil, err
			}
			isDir = info.IsDir()
		}
		if !isDir {
			continue
		}
		files, err := t.pngs(path.Join(folder, city.Name()), suffix)
		if err != nil {
			return nil, err
		}
		for stem, path := range files {
			if other, twice := all[stem]; twice {
				return nil, fmt.Errorf("%s and %s have the same name", other, path)
			}
			all[stem] = path
		}
	}
	return all, nil
}
