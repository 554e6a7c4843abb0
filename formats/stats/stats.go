package stats

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// The files in which class statistics lie, as lhoyer/DAFormer
// tools/convert_datasets writes and reads them.
const (
	File            = "sample_class_stats.json"      // a list: class → pixels, and the label
	byLabelFile     = "sample_class_stats_dict.json" // label → class → pixels
	byClassFile     = "samples_with_class.json"      // class → [[label, pixels], …]
	convertedSuffix = "_labelTrainIds.png"           // of the converted labels that these name
)

// A Label is the pixels of each class in one label, at its own size.
type Label struct {
	// File is the label's name below the dataset's folder; where the layout says so,
	// that of the converted label in the official files, such as
	// "labels/00001_labelTrainIds.png".
	File   string
	Pixels map[raster.TrainID]int64 // classes that occur; never 255
}

// Sample is the sample's name within its dataset, of a converted label.
func (l Label) Sample() string {
	base := path.Base(filepath.ToSlash(l.File))
	for _, suffix := range []string{convertedSuffix, ".png", "_gtFine"} {
		base = strings.TrimSuffix(base, suffix)
	}
	return base
}

// Count counts the pixels of every label of a dataset, on up to workers goroutines.
// Images are not read. progress is called after each label; nil is silent.
func Count(ctx context.Context, d *formats.Dataset, workers int, progress func(done int)) ([]Label, error) {
	indices := func(yield func(int, error) bool) {
		for i := range d.Len() {
			if !yield(i, nil) {
				return
			}
		}
	}
	count := func(ctx context.Context, i int) (Label, error) {
		label, err := d.Label(ctx, i)
		if err != nil {
			return Label{}, err
		}
		l := Label{Pixels: map[raster.TrainID]int64{}}
		var counts [256]int64
		for _, id := range label.Pix() {
			counts[id]++
		}
		for id, n := range counts[:raster.Ignore] {
			if n > 0 {
				l.Pixels[raster.TrainID(id)] = n
			}
		}
		l.File, err = fileOf(d, i)
		return l, err
	}
	var all []Label
	for l, err := range pipeline.Map(ctx, workers, indices, count, nil) {
		if err != nil {
			return nil, fmt.Errorf("class statistics of %s: %w", d.Name, err)
		}
		if all = append(all, l); progress != nil {
			progress(len(all))
		}
	}
	return all, nil
}

// fileOf is what the statistics call sample i's label.
func fileOf(d *formats.Dataset, i int) (string, error) {
	relative, err := filepath.Rel(d.Dir(), d.Entries[i].Label)
	if err != nil {
		return "", err
	}
	name := filepath.ToSlash(relative)
	if d.Layout.ConvertedStats && !strings.HasSuffix(name, convertedSuffix) {
		name = strings.TrimSuffix(strings.TrimSuffix(name, "_labelIds.png"), ".png") + convertedSuffix
	}
	return name, nil
}

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

// Write writes the three official files into a folder. Files that say something
// else are replaced only with force; without it they are an *ExistsError.
func Write(dir string, labels []Label, force bool) error {
	quote := func(s string) string { text, _ := json.Marshal(s); return string(text) } // a string always encodes
	var list, byFile, byClass bytes.Buffer
	list.WriteString("[")
	byFile.WriteString("{")
	for i, l := range labels {
		comma := ","
		if i == 0 {
			comma = ""
		}
		inner := l.pixelsJSON("  ")
		if inner != "" {
			inner += ",\n"
		}
		fmt.Fprintf(&list, "%s\n  {\n%s    \"file\": %s\n  }", comma, inner, quote(l.File))
		fmt.Fprintf(&byFile, "%s\n  %s: {\n%s\n  }", comma, quote(l.File), l.pixelsJSON("  "))
	}
	list.WriteString("\n]")
	byFile.WriteString("\n}")
	byClass.WriteString("{")
	comma := ""
	for id := range int(raster.Ignore) {
		var rows []string
		for _, l := range labels {
			if n, ok := l.Pixels[raster.TrainID(id)]; ok {
				rows = append(rows, fmt.Sprintf("    [\n      %s,\n      %d\n    ]", quote(l.File), n))
			}
		}
		if len(rows) > 0 {
			fmt.Fprintf(&byClass, "%s\n  \"%d\": [\n%s\n  ]", comma, id, strings.Join(rows, ",\n"))
			comma = ","
		}
	}
	byClass.WriteString("\n}")
	if err := files.MkdirAll(dir); err != nil {
		return fmt.Errorf("write class statistics: %w", err)
	}
	texts := []struct {
		name    string
		text    *bytes.Buffer
		replace bool
	}{{name: byLabelFile, text: &byFile}, {name: byClassFile, text: &byClass}, {name: File, text: &list}}
	for i, f := range texts {
		path := filepath.Join(dir, f.name)
		there, err := files.Read(path)
		// Equal ones are those of a run that was cut off in between.
		texts[i].replace = force || err == nil && bytes.Equal(there, f.text.Bytes())
		if _, err := os.Lstat(path); err == nil && !texts[i].replace {
			return fmt.Errorf("write class statistics: %w", &ExistsError{path})
		}
	}
	for _, f := range texts {
		if err := files.Write(filepath.Join(dir, f.name), f.replace, func(w io.Writer) error { _, err := f.text.WriteTo(w); return err }); err != nil {
			return fmt.Errorf("write class statistics: %w", err)
		}
	}
	return nil
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

// Read reads a folder's sample_class_stats.json, ours or DAFormer's. Its error is
// a *ReadError.
func Read(dir string) ([]Label, error) {
	name := filepath.Join(dir, File)
	labels, err := read(name)
	if err != nil {
		return nil, &ReadError{name, err}
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

// A StaleError says that statistics are of other data than the dataset's, or older,
// and are to be made anew.
type StaleError struct {
	Layout formats.Layout
	Dir    string // of the dataset
	Reason string
}

func (e *StaleError) Error() string { return "the class statistics are stale: " + e.Reason }

// Align orders statistics as the dataset's samples are. It is a *StaleError where a
// sample has none, or a class is none of the dataset's. Labels are known by their
// names, converted ones by the last part of them.
func Align(d *formats.Dataset, labels []Label) ([]Label, error) {
	stale := func(format string, args ...any) error {
		return &StaleError{d.Layout, d.Dir(), fmt.Sprintf(format, args...)}
	}
	byName := make(map[string]Label, len(labels))
	for _, l := range labels {
		for id := range l.Pixels {
			if int(id) >= len(d.Classes) {
				return nil, stale("%s has pixels of class %d, and there are %d classes", l.File, id, len(d.Classes))
			}
		}
		if d.Layout.ConvertedStats {
			byName[l.Sample()] = l
		} else {
			byName[l.File] = l
		}
	}
	out := make([]Label, d.Len())
	for i, e := range d.Entries {
		key := path.Base(e.ID)
		if !d.Layout.ConvertedStats {
			var err error
			if key, err = fileOf(d, i); err != nil {
				return nil, err
			}
		}
		l, ok := byName[key]
		if !ok {
			return nil, stale("they list %d files, and not %s", len(labels), e.ID)
		}
		out[i] = l
	}
	return out, nil
}

// Classes that occur, rarest first, with their pixels.
func totals(labels []Label) (classes []raster.TrainID, pixels []int64) {
	var sum [256]int64
	for _, l := range labels {
		for id, n := range l.Pixels {
			sum[id] += n
		}
	}
	for id, n := range sum {
		if n > 0 {
			classes = append(classes, raster.TrainID(id))
		}
	}
	slices.SortStableFunc(classes, func(a, b raster.TrainID) int { return int(min(max(sum[a]-sum[b], -1), 1)) })
	for _, id := range classes {
		pixels = append(pixels, sum[id])
	}
	return classes, pixels
}
