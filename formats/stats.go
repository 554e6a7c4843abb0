package formats

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pipa-uda/pipa/formats/png"
	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// The files in which class statistics lie, as lhoyer/DAFormer
// tools/convert_datasets writes and reads them.
const (
	StatsFile       = "sample_class_stats.json"      // a list: class → pixels, and the file
	statsByFile     = "sample_class_stats_dict.json" // file → class → pixels
	samplesByClass  = "samples_with_class.json"      // class → [[file, pixels], …]
	labelNameSuffix = "_labelTrainIds.png"           // of the converted labels that these name
)

// ClassStats are the pixels of each class in one label, at its own size.
type ClassStats struct {
	// File is the converted label's name in the official files, such as
	// "labels/00001_labelTrainIds.png".
	File   string
	Pixels map[raster.TrainID]int64 // classes that occur; never 255
}

// Stem is the sample's name within its dataset.
func (s ClassStats) Stem() string {
	base := path.Base(filepath.ToSlash(s.File))
	for _, suffix := range []string{labelNameSuffix, "_labelTrainIds.png", ".png"} {
		base = strings.TrimSuffix(base, suffix)
	}
	return strings.TrimSuffix(base, "_gtFine")
}

// ClassStats counts the pixels of every label, on up to workers goroutines.
// Images are not read.
func (d *Dataset) ClassStats(ctx context.Context, workers int, progress func(done int)) ([]ClassStats, error) {
	for _, p := range d.missing {
		return nil, p
	}
	indices := func(yield func(int, error) bool) {
		for i := range d.Entries {
			if !yield(i, nil) {
				return
			}
		}
	}
	var all []ClassStats
	for s, err := range pipeline.Map(ctx, workers, indices, d.classStats, nil) {
		if err != nil {
			return nil, fmt.Errorf("class statistics of %s: %w", d.Name, err)
		}
		if all = append(all, s); progress != nil {
			progress(len(all))
		}
	}
	return all, nil
}

func (d *Dataset) classStats(ctx context.Context, i int) (ClassStats, error) {
	e := d.Entries[i]
	s := ClassStats{Pixels: map[raster.TrainID]int64{}}
	if err := ctx.Err(); err != nil {
		return s, err
	}
	if e.Label == "" {
		return s, Problem{e.ID, e.Image, errors.New("the image has no label")}
	}
	var err error
	if s.File, err = d.statsName(e); err != nil {
		return s, err
	}
	data, err := d.files.readFile(e.Label)
	if err != nil {
		return s, Problem{e.ID, e.Label, err}
	}
	p := decoders.Get().(*png.Decoder)
	defer decoders.Put(p)
	label, err := d.decodeLabel(p, nil, e.Label, data)
	if err != nil {
		return s, Problem{e.ID, e.Label, err}
	}
	var counts [256]int64
	for _, id := range label.Pix() {
		counts[id]++
	}
	for id, n := range counts[:raster.Ignore] {
		if n > 0 {
			s.Pixels[raster.TrainID(id)] = n
		}
	}
	return s, nil
}

// statsName is what the official files call a label: the converted one's name,
// or its own where it is own data.
func (d *Dataset) statsName(e Entry) (string, error) {
	relative, err := filepath.Rel(d.files.dir, e.Label)
	if err != nil {
		return "", err
	}
	name := filepath.ToSlash(relative)
	if d.own == nil && !strings.HasSuffix(name, labelNameSuffix) {
		name = strings.TrimSuffix(strings.TrimSuffix(name, "_labelIds.png"), ".png") + labelNameSuffix
	}
	return name, nil
}

// pixelsJSON writes class → pixels in the order of the classes, without the
// closing brace.
func (s ClassStats) pixelsJSON(indent string) string {
	var fields []string
	for id := range int(raster.Ignore) {
		if n, ok := s.Pixels[raster.TrainID(id)]; ok {
			fields = append(fields, fmt.Sprintf("%s  \"%d\": %d", indent, id, n))
		}
	}
	return strings.Join(fields, ",\n")
}

// WriteClassStats writes the three official files into a folder. Files that say
// something else are replaced only with force.
func WriteClassStats(dir string, stats []ClassStats, force bool) error {
	quote := func(s string) string { text, _ := json.Marshal(s); return string(text) } // a string always encodes
	var list, byFile, byClass bytes.Buffer
	list.WriteString("[")
	byFile.WriteString("{")
	for i, s := range stats {
		comma := ","
		if i == 0 {
			comma = ""
		}
		inner := s.pixelsJSON("  ")
		if inner != "" {
			inner += ",\n"
		}
		fmt.Fprintf(&list, "%s\n  {\n%s    \"file\": %s\n  }", comma, inner, quote(s.File))
		fmt.Fprintf(&byFile, "%s\n  %s: {\n%s\n  }", comma, quote(s.File), s.pixelsJSON("  "))
	}
	list.WriteString("\n]")
	byFile.WriteString("\n}")
	byClass.WriteString("{")
	comma := ""
	for id := range int(raster.Ignore) {
		var rows []string
		for _, s := range stats {
			if n, ok := s.Pixels[raster.TrainID(id)]; ok {
				rows = append(rows, fmt.Sprintf("    [\n      %s,\n      %d\n    ]", quote(s.File), n))
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
	}{{name: statsByFile, text: &byFile}, {name: samplesByClass, text: &byClass}, {name: StatsFile, text: &list}}
	for i, f := range texts {
		path := filepath.Join(dir, f.name)
		there, err := files.Read(path)
		// Equal ones are those of a run that was cut off in between.
		texts[i].replace = force || err == nil && bytes.Equal(there, f.text.Bytes())
		if _, err := os.Lstat(path); err == nil && !texts[i].replace {
			return fmt.Errorf("write class statistics: %s exists and says something else: choose another folder with --out, or replace it with --force", path)
		}
	}
	for _, f := range texts {
		if err := files.Write(filepath.Join(dir, f.name), f.replace, func(w io.Writer) error { _, err := f.text.WriteTo(w); return err }); err != nil {
			return fmt.Errorf("write class statistics: %w", err)
		}
	}
	return nil
}

// maxStatsBytes bounds a statistics file: the official one of GTA5 has 10 MB.
const maxStatsBytes = 1 << 30

// ReadClassStats reads a folder's sample_class_stats.json, ours or DAFormer's.
func ReadClassStats(dir string) (stats []ClassStats, err error) {
	name := filepath.Join(dir, StatsFile)
	defer func() {
		if err != nil {
			err = fmt.Errorf("read class statistics %s: %w; write them anew with: pipa stats FORMAT DIR --force", name, err)
		}
	}()
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxStatsBytes {
		return nil, fmt.Errorf("it has %d MiB", info.Size()>>20)
	}
	text, err := files.Read(name)
	if err != nil {
		return nil, err
	}
	return parseClassStats(text)
}

func parseClassStats(text []byte) ([]ClassStats, error) {
	var rows []map[string]json.RawMessage
	if err := json.Unmarshal(text, &rows); err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, errors.New("it lists no files")
	}
	stats := make([]ClassStats, len(rows))
	for i, row := range rows {
		s := ClassStats{Pixels: map[raster.TrainID]int64{}}
		for key, value := range row {
			if key == "file" {
				if err := json.Unmarshal(value, &s.File); err != nil {
					return nil, fmt.Errorf("row %d: file: %w", i, err)
				}
				continue
			}
			id, err := strconv.ParseUint(key, 10, 8)
			if err != nil || id >= uint64(raster.Ignore) {
				return nil, fmt.Errorf("row %d: %q is no train ID", i, key)
			}
			var n int64
			if err := json.Unmarshal(value, &n); err != nil || n <= 0 {
				return nil, fmt.Errorf("row %d: class %s has %s pixels", i, key, value)
			}
			s.Pixels[raster.TrainID(id)] = n
		}
		if s.File == "" {
			return nil, fmt.Errorf("row %d names no file", i)
		}
		stats[i] = s
	}
	return stats, nil
}

// AlignStats orders statistics as the dataset's samples are. It fails where a
// sample has none, or a class is none of the dataset's: the statistics are then
// of other data, or older. Samples of own data are known by their labels' whole
// names, others by the last part of them.
func (d *Dataset) AlignStats(stats []ClassStats) ([]ClassStats, error) {
	stale := func(format string, args ...any) error {
		return fmt.Errorf("the class statistics are stale: %s; write them anew with: %s --force", fmt.Sprintf(format, args...), d.command("stats"))
	}
	byName := make(map[string]ClassStats, len(stats))
	for _, s := range stats {
		for id := range s.Pixels {
			if int(id) >= len(d.Classes) {
				return nil, stale("%s has pixels of class %d, and there are %d classes", s.File, id, len(d.Classes))
			}
		}
		if d.own != nil {
			byName[s.File] = s
		} else {
			byName[s.Stem()] = s
		}
	}
	out := make([]ClassStats, len(d.Entries))
	for i, e := range d.Entries {
		name := path.Base(e.ID)
		if d.own != nil {
			var err error
			if name, err = d.statsName(e); err != nil {
				return nil, err
			}
		}
		s, ok := byName[name]
		if !ok {
			return nil, stale("they list %d files, and not %s", len(stats), e.ID)
		}
		out[i] = s
	}
	return out, nil
}

// Classes that occur, rarest first, with their pixels.
func totals(stats []ClassStats) (classes []raster.TrainID, pixels []int64) {
	var sum [256]int64
	for _, s := range stats {
		for id, n := range s.Pixels {
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
