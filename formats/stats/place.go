package stats

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// pixelsJSON writes class → pixels in the order of the classes, without the
// closing brace.
func (l Label) pixelsJSON(indent string) string {
	var fields []string
	for id := range int(raster.Ignore) {
		if n, ok := l.Pixels[raster.TrainID(id)]; ok {
			fields = append(fields, fmt.Sprintf("%s  \"%d\": %d", indent, id, n))
		}
	}
	return strings.Join(fields, ",\n")
}

// An ExistsError says that a file is there, and says something else than what is to
// be written.
type ExistsError struct{ File string }

func (e *ExistsError) Error() string { return e.File + " exists and says something else" }

// Is makes it an [fs.ErrExist].
func (e *ExistsError) Is(target error) bool { return target == fs.ErrExist }

// A Place is where statistics lie: the three official files in a folder, or the list
// alone in a file, for a folder that cannot be written.
type Place struct {
	File  string // the list, which is what is read
	alone bool
}

// In is a folder with the three official files.
func In(dir string) Place { return Place{filepath.Join(dir, File), false} }

// At is a file with the list alone.
func At(file string) Place { return Place{file, true} }

// Exists reports whether there are statistics. It fails where that cannot be known.
func (p Place) Exists() (bool, error) {
	_, err := os.Stat(p.File)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return false, nil
	}
	return err == nil, err
}

// Writable fails where statistics cannot be written, which is to be known before
// they are counted. Devices and pipes are never replaced, whoever may.
func (p Place) Writable() error {
	dir := filepath.Dir(p.File)
	for _, file := range p.files() {
		if info, err := os.Lstat(file); err == nil && !info.Mode().IsRegular() && info.Mode().Type() != fs.ModeSymlink {
			return fmt.Errorf("write class statistics: %w", &PlaceError{file, files.ErrIrregular})
		}
	}
	for { // to the folder in which those that are missing will be made
		_, err := files.Stat(dir)
		if files.Passing(err) {
			return fmt.Errorf("write class statistics: %w", err)
		}
		if above := filepath.Dir(dir); errors.Is(err, fs.ErrNotExist) && above != dir {
			dir = above
			continue
		}
		break
	}
	f, err := os.CreateTemp(dir, ".tmp-")
	if err != nil {
		return fmt.Errorf("write class statistics: %w", &PlaceError{p.File, err})
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// files are all that is written.
func (p Place) files() []string {
	if p.alone {
		return []string{p.File}
	}
	dir := filepath.Dir(p.File)
	return []string{filepath.Join(dir, byLabelFile), filepath.Join(dir, byClassFile), p.File}
}

// A PlaceError says that statistics cannot be written where they are to lie.
type PlaceError struct {
	File string
	Err  error
}

func (e *PlaceError) Error() string { return fmt.Sprintf("%s cannot be written: %v", e.File, e.Err) }

// Unwrap is the reason.
func (e *PlaceError) Unwrap() error { return e.Err }

// Write writes statistics. Files that say something else are replaced only with
// force; without it they are an *ExistsError.
func (p Place) Write(labels []Label, force bool) error {
	texts := []struct {
		path    string
		text    *bytes.Buffer
		replace bool
	}{{path: p.File, text: list(labels)}}
	dir := filepath.Dir(p.File)
	if !p.alone { // the list is last: where it is, all are
		texts = slices.Insert(texts, 0, texts[0], texts[0])
		texts[0].path, texts[0].text = filepath.Join(dir, byLabelFile), byLabel(labels)
		texts[1].path, texts[1].text = filepath.Join(dir, byClassFile), byClass(labels)
	}
	if err := files.MkdirAll(dir); err != nil {
		return fmt.Errorf("write class statistics: %w", err)
	}
	for i, f := range texts {
		there, err := files.Read(f.path)
		// Equal ones are those of a run that was cut off in between.
		texts[i].replace = force || err == nil && bytes.Equal(there, f.text.Bytes())
		if _, err := os.Lstat(f.path); err == nil && !texts[i].replace {
			return fmt.Errorf("write class statistics: %w", &ExistsError{f.path})
		}
	}
	for _, f := range texts {
		if err := files.Write(f.path, f.replace, func(w io.Writer) error { _, err := f.text.WriteTo(w); return err }); err != nil {
			return fmt.Errorf("write class statistics: %w", err)
		}
	}
	return nil
}

// The official files, as Python's json.dump with an indent of 2 writes them.

func quote(s string) string { text, _ := json.Marshal(s); return string(text) } // a string always encodes

// list is a list of labels, each with its classes and its file.
func list(labels []Label) *bytes.Buffer {
	var b bytes.Buffer
	b.WriteString("[")
	for i, l := range labels {
		inner := l.pixelsJSON("  ")
		if inner != "" {
			inner += ",\n"
		}
		fmt.Fprintf(&b, "%s\n  {\n%s    \"file\": %s\n  }", comma(i), inner, quote(l.File))
	}
	b.WriteString("\n]")
	return &b
}

// byLabel has each label's classes under its file.
func byLabel(labels []Label) *bytes.Buffer {
	var b bytes.Buffer
	b.WriteString("{")
	for i, l := range labels {
		fmt.Fprintf(&b, "%s\n  %s: {\n%s\n  }", comma(i), quote(l.File), l.pixelsJSON("  "))
	}
	b.WriteString("\n}")
	return &b
}

// byClass has under each class the labels in which it occurs.
func byClass(labels []Label) *bytes.Buffer {
	var b bytes.Buffer
	b.WriteString("{")
	classes := 0
	for id := range int(raster.Ignore) {
		var rows []string
		for _, l := range labels {
			if n, ok := l.Pixels[raster.TrainID(id)]; ok {
				rows = append(rows, fmt.Sprintf("    [\n      %s,\n      %d\n    ]", quote(l.File), n))
			}
		}
		if len(rows) > 0 {
			fmt.Fprintf(&b, "%s\n  \"%d\": [\n%s\n  ]", comma(classes), id, strings.Join(rows, ",\n"))
			classes++
		}
	}
	b.WriteString("\n}")
	return &b
}

// comma goes before all rows but the first.
func comma(row int) string {
	if row == 0 {
		return ""
	}
	return ","
}

// maxBytes bounds a statistics file: the official one of GTA5 has 10 MB.
const maxBytes = 1 << 30

// A ReadError is statistics that cannot be read, and are to be made anew.
type ReadError struct {
	File string
	Err  error
}

func (e *ReadError) Error() string { return fmt.Sprintf("read class statistics %s: %v", e.File, e.Err) }

// Unwrap is the reason.
func (e *ReadError) Unwrap() error { return e.Err }

// Read reads the list, ours or DAFormer's. Its error is a *ReadError.
func (p Place) Read() ([]Label, error) {
	labels, err := read(p.File)
	if err != nil {
		return nil, &ReadError{p.File, err}
	}
	return labels, nil
}

func read(name string) ([]Label, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxBytes {
		return nil, fmt.Errorf("it has %d MiB", info.Size()>>20)
	}
	text, err := files.Read(name)
	if err != nil {
		return nil, err
	}
	return parse(text)
}

func parse(text []byte) ([]Label, error) {
	var rows []map[string]json.RawMessage
	if err := json.Unmarshal(text, &rows); err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, errors.New("it lists no files")
	}
	labels := make([]Label, len(rows))
	for i, row := range rows {
		l := Label{Pixels: map[raster.TrainID]int64{}}
		for key, value := range row {
			if key == "file" {
				if err := json.Unmarshal(value, &l.File); err != nil {
					return nil, fmt.Errorf("row %d: file: %w", i, err)
				}
				continue
			}
			id, err := strconv.ParseUint(key, 10, 8)
			if err != nil || id >= uint64(raster.Ignore) {
				return nil, fmt.Errorf("row %d: %q is not a train ID", i, key)
			}
			var n int64
			if err := json.Unmarshal(value, &n); err != nil || n <= 0 {
				return nil, fmt.Errorf("row %d: class %s has %s pixels", i, key, value)
			}
			l.Pixels[raster.TrainID(id)] = n
		}
		if l.File == "" {
			return nil, fmt.Errorf("row %d names no file", i)
		}
		labels[i] = l
	}
	return labels, nil
}
