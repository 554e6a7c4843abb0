package folder

import (
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/pipa-uda/pipa/internal/files"
)

// Dir is a folder on this machine, as an fs.FS that nothing leads out of: not a
// name with "..", and not a link. Links that stay inside are followed.
type Dir string

// Open implements fs.FS.
func (d Dir) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	f, err := files.OpenIn(string(d), filepath.FromSlash(name))
	if err != nil {
		return nil, err // a nil *os.File is no nil fs.File
	}
	return f, nil
}

// RootOf is the folder that a map's names are relative to: the one given, or
// the map's own root, which lies where its file does or below.
func (m *Map) RootOf(mapFile, given string) (string, error) {
	if given != "" {
		return given, nil
	}
	base := filepath.Dir(mapFile)
	f, err := files.OpenIn(base, m.Root)
	if err != nil {
		return "", fmt.Errorf("root %s of class map %s: %w", m.Root, mapFile, err)
	}
	if err := f.Close(); err != nil {
		return "", err
	}
	return filepath.Join(base, m.Root), nil
}
