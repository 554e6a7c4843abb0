package classmap

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/formats/layout"
	"github.com/pipa-uda/pipa/internal/files"
	"github.com/zeebo/xxh3"
)

// maxMapBytes bounds a map; one of 254 classes has about 20 kB.
const maxMapBytes = 64 << 10

// maxID is the largest id of a label's pixel: that of a 16-bit PNG.
const maxID = 1<<16 - 1

// An Error is a map that is not there, or that is wrong.
type Error struct {
	File string
	Err  error
}

func (e *Error) Error() string { return fmt.Sprintf("class map %s: %v", e.File, e.Err) }

// Unwrap is the reason.
func (e *Error) Unwrap() error { return e.Err }

// Read reads and checks a map's file. Its error is an *Error.
func Read(path string) (layout.Layout, error) {
	l, err := read(path)
	if err != nil {
		return l, &Error{path, err}
	}
	return l, nil
}

func read(path string) (layout.Layout, error) {
	if strings.Contains(path, "://") {
		return layout.Layout{}, errors.New("it is a URL, and a class map is a file on this machine")
	}
	info, err := os.Stat(path)
	if err != nil {
		return layout.Layout{}, err
	}
	if info.Size() > maxMapBytes {
		return layout.Layout{}, fmt.Errorf("it has %d bytes, the limit is %d", info.Size(), maxMapBytes)
	}
	text, err := files.Read(path)
	if err != nil {
		return layout.Layout{}, err
	}
	l, err := Parse(text)
	l.Map.File = path
	return l, err
}

// Parse decodes a map and checks it. Errors name the key, the value and what
// is wanted; unknown keys are errors.
func Parse(data []byte) (layout.Layout, error) {
	text, err := files.Text(data)
	if err != nil {
		return layout.Layout{}, err
	}
	f, err := decode([]byte(text))
	if err != nil {
		return layout.Layout{}, err
	}
	if f.Root == "" {
		f.Root = "."
	}
	if !filepath.IsLocal(f.Root) || strings.Contains(f.Root, `\`) {
		return layout.Layout{}, fmt.Errorf("root is %q, want a folder beside or below the map's file; where the data lie elsewhere, leave it out and give their folder with the map", f.Root)
	}
	e, err := encodingOf(f)
	if err != nil {
		return layout.Layout{}, err
	}
	l := layout.Layout{
		Name: f.Name, Classes: e.classes, Colors: e.colors,
		Map: layout.Map{Root: f.Root, Text: text, Digest: digest(f, e)},
	}
	for _, name := range slices.Sorted(maps.Keys(f.Splits)) {
		s := layout.Split{Name: name, Images: f.Splits[name].Images}
		if template := f.Splits[name].Labels; template != "" {
			s.Labels = []layout.Labels{{Files: template, Encoding: e.Encoding}}
		}
		l.Splits = append(l.Splits, s)
	}
	return l, l.Validate()
}

// labeled reports whether any split has labels.
func (f file) labeled() bool {
	for _, s := range f.Splits {
		if s.Labels != "" {
			return true
		}
	}
	return false
}

// digest identifies what a map means: all but its colors, where labels are ids,
// its root and its comments. Plans and runs hold it.
func digest(f file, e encoding) string {
	return fmt.Sprintf("%016x", xxh3.HashString(fmt.Sprintf("%q %q %q %v %v %v %q", f.Name, f.Labels, e.classes, e.IDs, e.Colors, e.OthersIgnored, f.Splits))) // maps print sorted
}
