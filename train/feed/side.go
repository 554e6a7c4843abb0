package feed

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/formats/layout"
	"github.com/pipa-uda/pipa/loader"
	"github.com/pipa-uda/pipa/pipeline/shards"
	"github.com/pipa-uda/pipa/train/config"
)

// A Side is a dataset's folder, precomputed or in its official layout.
type Side struct {
	loader.Images
	Bad    *Bad             // what may be left out of a folder; nil is nothing
	set    *formats.Dataset // nil where it is precomputed
	shards *shards.Dataset  // nil where it is not
	Close  func() error
}

// precomputed reports whether the side is a precomputed dataset.
func precomputed(c config.Data) bool {
	if c.Dir == "" {
		return false
	}
	_, err := os.Stat(filepath.Join(c.Dir, shards.ManifestFile))
	return err == nil
}

// layoutOf is a side's layout: custom, which a program brings, or where that is nil
// the one that the configuration names.
func layoutOf(c config.Data, custom *formats.Layout) (formats.Layout, error) {
	if custom != nil {
		return *custom, nil
	}
	if name, is := config.IsCustom(c.Format); is {
		return formats.Layout{}, &config.ValueError{Field: "format", Value: c.Format, Want: "the program that has the layout " + name + " to pass it: it is not one of pipa's"}
	}
	return formats.Named(c.Format)
}

// OpenSide opens a side's folder, whose images may declare maxPixels; 0 means
// raster.MaxPixels. custom is the program's layout; nil is that which c names.
func OpenSide(c config.Data, custom *formats.Layout, unlabeled bool, maxPixels int) (*Side, error) {
	if precomputed(c) {
		d, err := shards.Open(c.Dir)
		if err != nil {
			return nil, damaged(err)
		}
		images, err := loader.Stored(d)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", c.Dir, err), d.Close())
		}
		return &Side{Images: atRest{images}, shards: d, Close: d.Close}, nil
	}
	l, err := layoutOf(c, custom)
	if err != nil {
		return nil, err
	}
	set, err := formats.Open(l, c.Dir, formats.Options{Split: c.Split, Unlabeled: unlabeled, MaxPixels: maxPixels})
	if err != nil {
		return nil, err
	}
	images, err := loader.Folder(set)
	if err != nil {
		return nil, err
	}
	return &Side{Images: images, set: set, Close: func() error { return nil }}, nil
}

// Describe is a side's classes, and whether the samples of a split have labels,
// without reading any. A split that the side does not have is a
// *[layout.SplitError], but where none has labels.
func Describe(c config.Data, custom *formats.Layout, split string) (classes []string, labeled bool, err error) {
	if precomputed(c) {
		d, err := shards.Open(c.Dir)
		if err != nil {
			return nil, false, damaged(err)
		}
		return d.Header().Classes, d.Header().Labeled, d.Close()
	}
	l, err := layoutOf(c, custom)
	if err != nil {
		return nil, false, err
	}
	s, err := l.Split(split)
	if err != nil && !slices.ContainsFunc(l.Splits, layout.Split.Labeled) {
		return l.Classes, false, nil
	}
	return l.Classes, s.Labeled(), err
}

// SameClasses fails, saying how they differ, unless both sides have the same
// classes in the same order.
func SameClasses(nameA string, a []string, nameB string, b []string) error {
	if slices.Equal(a, b) {
		return nil
	}
	at := 0
	for at < min(len(a), len(b)) && a[at] == b[at] {
		at++
	}
	of := func(classes []string) string {
		if at < len(classes) {
			return fmt.Sprintf("%q", classes[at])
		}
		return "none"
	}
	return fmt.Errorf("%s has %d classes and %s has %d, and number %d is %s in one and %s in the other: where both have labels, their classes are to be the same, in the same order",
		nameA, len(a), nameB, len(b), at, of(a), of(b))
}

// augmentation is how a side's samples are cut.
func augmentation(c config.Data) augment.Options {
	return augment.Options{Resize: c.Resize, Crop: c.Crop, CatMaxRatio: c.CatMaxRatio, Flip: c.Flip}
}

// openNamed opens a side for a feed of this name.
func openNamed(name string, c config.Data, custom *formats.Layout, unlabeled bool, seed uint64, o Options, closers *[]func() error) (*Side, error) {
	side, err := OpenSide(c, custom, unlabeled, o.MaxPixels)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	*closers = append(*closers, side.Close)
	if o.Bad != nil {
		o.Bad.expect(side.Len())
		side.Images = spared{side.Images, o.Bad, seed}
	}
	return side, nil
}
