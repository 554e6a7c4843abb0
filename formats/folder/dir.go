package folder

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Dir is a folder on this machine, as an fs.FS that nothing leads out of: not a
// name with "..", and not a link. Links that stay inside are followed.
type Dir string

// Open implements fs.FS.
func (d Dir) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	f, err := os.OpenInRoot(string(d), filepath.FromSlash(name))
	if err != nil {
		return nil, leaves(err, string(d))
	}
	return f, nil
}

// leaves words what package os says of a link that leads out.
func leaves(err error, root string) error {
	if strings.Contains(err.Error(), "path escapes") {
		return fmt.Errorf("%w: a link leads out of %s, and is not followed: put what it names into the folder", err, root)
	}
	return err
}

// RootOf is the folder that a map's names are relative to: the one given, or
// the map's own root, which lies where its file does or below.
func (m *Map) RootOf(mapFile, given string) (string, error) {
	if given != "" {
		return given, nil
	}
	base := filepath.Dir(mapFile)
	f, err := os.OpenInRoot(base, m.Root)
	if err != nil {
		return "", fmt.Errorf("root %s of class map %s: %w", m.Root, mapFile, leaves(err, base))
	}
	if err := f.Close(); err != nil {
		return "", err
	}
	return filepath.Join(base, m.Root), nil
}
