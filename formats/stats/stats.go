package stats

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/formats"
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
// Images are not read. skip is asked about a label that cannot be read, in the order
// of the samples: nil leaves it out, as a label without pixels, which is never drawn;
// an error ends the count, and so does the first one where skip is nil. progress is
// called after each label; nil is silent.
func Count(ctx context.Context, d *formats.Dataset, workers int, skip func(i int, err error) error, progress func(done int)) ([]Label, error) {
	type counted struct {
		Label
		err error
	}
	indices := func(yield func(int, error) bool) {
		for i := range d.Len() {
			if !yield(i, nil) {
				return
			}
		}
	}
	count := func(ctx context.Context, i int) (counted, error) {
		l := Label{Pixels: map[raster.TrainID]int64{}}
		var err error
		if l.File, err = fileOf(d, i); err != nil {
			return counted{}, err
		}
		label, err := d.Label(ctx, i)
		if err != nil {
			return counted{l, err}, nil
		}
		var counts [256]int64
		for _, id := range label.Pix() {
			counts[id]++
		}
		for id, n := range counts[:raster.Ignore] {
			if n > 0 {
				l.Pixels[raster.TrainID(id)] = n
			}
		}
		return counted{l, nil}, nil
	}
	var all []Label
	for c, err := range pipeline.Map(ctx, workers, indices, count, nil) {
		if err == nil {
			err = c.err
		}
		if err != nil && ctx.Err() == nil && skip != nil {
			err = skip(len(all), err)
		}
		if err != nil {
			return nil, fmt.Errorf("class statistics of %s: %w", d.Name, err)
		}
		if all = append(all, c.Label); progress != nil {
			progress(len(all))
		}
	}
	return all, nil
}

// fileOf is what the statistics call sample i's label, and what they would call one
// that is missing.
func fileOf(d *formats.Dataset, i int) (string, error) {
	e := d.Entries[i]
	name := strings.TrimPrefix(e.ID, d.Name+"/"+d.Split+"/") + ".png"
	if e.Label != "" {
		relative, err := filepath.Rel(d.Dir(), e.Label)
		if err != nil {
			return "", err
		}
		name = filepath.ToSlash(relative)
	}
	if d.Layout.ConvertedStats && !strings.HasSuffix(name, convertedSuffix) {
		name = strings.TrimSuffix(strings.TrimSuffix(name, "_labelIds.png"), ".png") + convertedSuffix
	}
	return name, nil
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
