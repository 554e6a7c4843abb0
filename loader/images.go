package loader

import (
	"context"
	"fmt"
	"sync"

	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/pipeline/shards"
)

// Images is random access to samples. It is safe for use by several goroutines.
type Images interface {
	// Header describes the samples.
	Header() pipeline.Header
	Len() int
	// Digest identifies the samples: equal digests, equal samples.
	Digest() string
	// Visit calls use with item i, 0 ≤ i < Len, whose memory is use's until it
	// returns.
	Visit(ctx context.Context, i int, use func(Item) error) error
}

// Read is item i of images, in memory of its own.
func Read(ctx context.Context, images Images, i int) (s pipeline.Sample, err error) {
	err = images.Visit(ctx, i, func(it Item) error {
		if s, err = it.whole(); err == nil {
			s.Image, s.Label = s.Image.Clone(), s.Label.Clone()
		}
		return err
	})
	return s, err
}

// An Item is a sample under way: its label is decoded, its image may not be.
type Item struct {
	pipeline.Sample               // Image is empty where Decode has it
	Height, Width   int           // of the image
	Decode          augment.Image // nil where Image is there
}

// whole decodes the image.
func (it Item) whole() (s pipeline.Sample, err error) {
	s = it.Sample
	if it.Decode != nil {
		s.Image, err = it.Decode(0, it.Height)
	}
	return s, err
}

// A stage makes a row of a sample, and decodes no more of its image than it needs.
type stage interface {
	Header(in pipeline.Header) (pipeline.Header, error)
	Add(out *pipeline.Builder, in pipeline.Sample) error
	AddEncoded(out *pipeline.Builder, in pipeline.Sample, height, width int, image augment.Image) error
}

// add makes the item's row.
func (it Item) add(out *pipeline.Builder, s stage) error {
	if it.Decode == nil {
		return s.Add(out, it.Sample)
	}
	return s.AddEncoded(out, it.Sample, it.Height, it.Width, it.Decode)
}

// augmented is the item after the stage, in memory of its own.
func (it Item) augmented(s *augment.Stage) (pipeline.Sample, error) {
	in := it.Sample
	if it.Decode != nil {
		first, last := s.RowsNeeded(in, it.Height, it.Width)
		var err error
		if in.Image, err = it.Decode(first, last); err != nil {
			return in, err
		}
	}
	return s.Sample(in), nil
}

// folder is a dataset's folder of image files.
type folder struct {
	set     *formats.Dataset
	digest  string
	readers sync.Pool // of *formats.Reader
}

// Folder takes the images from a dataset's files, and decodes them as they are
// asked for.
func Folder(set *formats.Dataset) (Images, error) {
	digest, err := set.Digest()
	if err != nil {
		return nil, err
	}
	return &folder{set, digest, sync.Pool{New: func() any { return set.NewReader() }}}, nil
}

func (f *folder) Header() pipeline.Header { return f.set.Header() }
func (f *folder) Len() int                { return f.set.Len() }
func (f *folder) Digest() string          { return f.digest }

func (f *folder) Visit(ctx context.Context, i int, use func(Item) error) error {
	r := f.readers.Get().(*formats.Reader)
	defer f.readers.Put(r)
	s, h, w, err := r.Open(ctx, i)
	if err != nil {
		return err
	}
	return use(Item{s, h, w, r.Image})
}

// stored is a dataset of samples at rest.
type stored struct{ *shards.Dataset }

// Stored takes the images from a dataset of samples. It stays the caller's to
// close.
func Stored(d *shards.Dataset) (Images, error) {
	if k := d.Header().Kind; k != pipeline.KindSample {
		return nil, fmt.Errorf("the dataset holds %s, want samples", k.Plural())
	}
	return stored{d}, nil
}

func (s stored) Digest() string { return s.Manifest().Digest }

func (s stored) Visit(ctx context.Context, i int, use func(Item) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	number, row := s.Find(i)
	b, err := s.Batch(number)
	if err != nil {
		return err
	}
	defer b.Release()
	sample, err := b.Sample(row)
	if err != nil {
		return err
	}
	return use(Item{sample, sample.Image.Height(), sample.Image.Width(), nil})
}

// relabeled are images whose labels are made from their sizes.
type relabeled struct {
	Images
	label func(height, width int) raster.Raster
}

func (r relabeled) Header() pipeline.Header {
	h := r.Images.Header()
	h.Labeled = true
	return h
}

func (r relabeled) Visit(ctx context.Context, i int, use func(Item) error) error {
	return r.Images.Visit(ctx, i, func(it Item) error {
		it.Label = r.label(it.Height, it.Width)
		return use(it)
	})
}
