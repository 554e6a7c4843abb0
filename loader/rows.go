package loader

import (
	"context"

	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/crops"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/pipeline/shards"
)

// Rows are what a collection of images gives: one row for each item and epoch.
type Rows struct {
	Header pipeline.Header
	Items  int
	// Digest identifies the images: equal digests and seeds, equal rows.
	Digest string
	// Append adds the row that item gives in an epoch, 0 ≤ item < Items. It is
	// safe for use by several goroutines, each with a builder of its own.
	Append func(ctx context.Context, out *pipeline.Builder, item int, epoch uint64) error
}

// Draws key what is drawn at random about a row.
type Draws struct {
	Seed uint64
	// Epoch is the first one that rows are asked for; the header's history names
	// it. Append takes any.
	Epoch uint64
}

// Plain are the images' samples as they are.
func Plain(images Images, d Draws) *Rows {
	header := images.Header()
	header.Seed = d.Seed
	return &Rows{header, images.Len(), images.Digest(), func(ctx context.Context, out *pipeline.Builder, item int, _ uint64) error {
		return images.Visit(ctx, item, func(it Item) error {
			s, err := it.whole()
			if err != nil {
				return err
			}
			return out.AppendSample(s)
		})
	}}
}

// Samples are the images, augmented.
func Samples(images Images, d Draws, o augment.Options) (*Rows, error) {
	return staged(images, d, func(epoch uint64) (stage, error) { return augment.New(o, d.Seed, epoch) })
}

// SamplesWithMargins are [Samples] of images that need no labels of their own:
// their label is 255 in the margins [top, bottom, left, right], in pixels of the
// resized image, and 0 elsewhere, and is augmented with the image. Pseudo-labels
// weigh nothing in the margins (HRDA).
func SamplesWithMargins(images Images, d Draws, o augment.Options, margins [4]int) (*Rows, error) {
	label := func(h, w int) raster.Raster { return marginMask(h, w, o.Resize, margins) }
	return Samples(relabeled{images, label}, d, o)
}

// marginMask has the size of the image itself.
func marginMask(h, w int, resize [2]int, margins [4]int) raster.Raster {
	rh, rw := h, w
	if resize[0] > 0 {
		rh, rw = augment.FitSize(h, w, resize)
	}
	inside := raster.Box{Y0: margins[0] * h / rh, X0: margins[2] * w / rw, Y1: h - margins[1]*h/rh, X1: w - margins[3]*w/rw}
	mask := raster.New(h, w, 1)
	for i := range mask.Pix() {
		if y, x := i/w, i%w; y < inside.Y0 || y >= inside.Y1 || x < inside.X0 || x >= inside.X1 {
			mask.Pix()[i] = byte(raster.Ignore)
		}
	}
	return mask
}

// Pairs are two overlapping crops of each image.
func Pairs(images Images, d Draws, o crops.Options) (*Rows, error) {
	return staged(images, d, func(epoch uint64) (stage, error) { return crops.New(o, d.Seed, epoch) })
}

// staged are the rows that a stage makes of each image on its own.
func staged(images Images, d Draws, of func(epoch uint64) (stage, error)) (*Rows, error) {
	first, err := of(d.Epoch)
	if err != nil {
		return nil, err
	}
	in := images.Header()
	in.Seed = d.Seed
	header, err := first.Header(in)
	if err != nil {
		return nil, err
	}
	return &Rows{header, images.Len(), images.Digest(), func(ctx context.Context, out *pipeline.Builder, item int, epoch uint64) error {
		s, err := of(epoch)
		if err != nil {
			return err
		}
		return images.Visit(ctx, item, func(it Item) error { return it.add(out, s) })
	}}, nil
}

// Precomputed are the rows of a dataset, the same in every epoch. It stays the
// caller's to close.
func Precomputed(d *shards.Dataset) *Rows {
	return &Rows{d.Header(), d.Len(), d.Manifest().Digest, func(_ context.Context, out *pipeline.Builder, item int, _ uint64) error {
		return d.AppendRow(out, item)
	}}
}
