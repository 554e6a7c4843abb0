package augment

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// Options say what the stage does to a sample, in the order of the fields. The
// zero value changes nothing.
type Options struct {
	Resize [2]int `json:"resize"` // [height, width] the image is scaled to fit, keeping its ratio; zero keeps its size
	Crop   [2]int `json:"crop"`   // [height, width] of a random crop; zero keeps all
	// CatMaxRatio redraws a crop, up to ten times, in which one class covers
	// this share of the labeled pixels or is the only one; 0 and 1 accept all
	// (mmseg's RandomCrop).
	CatMaxRatio float64     `json:"cat_max_ratio"`
	Flip        float64     `json:"flip"` // probability of mirroring
	Jitter      ColorJitter `json:"jitter"`
	Gray        float64     `json:"gray"`              // probability of dropping the color
	Blur        float64     `json:"blur"`              // probability of a 5×5 Gaussian blur
	Filters     []string    `json:"filters,omitempty"` // gift filters, as in "gaussian_blur:1.5"
}

// Validate names the field that is out of range.
func (o Options) Validate() error {
	for _, f := range []struct {
		name     string
		v        float64
		min, max float64
	}{
		{"resize height", float64(o.Resize[0]), 0, 1 << 15}, {"resize width", float64(o.Resize[1]), 0, 1 << 15},
		{"crop height", float64(o.Crop[0]), 0, 1 << 15}, {"crop width", float64(o.Crop[1]), 0, 1 << 15},
		{"cat_max_ratio", o.CatMaxRatio, 0, 1}, {"flip", o.Flip, 0, 1}, {"gray", o.Gray, 0, 1}, {"blur", o.Blur, 0, 1},
		{"jitter brightness", o.Jitter.Brightness, 0, 1}, {"jitter contrast", o.Jitter.Contrast, 0, 1},
		{"jitter saturation", o.Jitter.Saturation, 0, 1}, {"jitter hue", o.Jitter.Hue, 0, 0.5}, {"jitter chance", o.Jitter.Chance, 0, 1},
	} {
		if !(f.v >= f.min && f.v <= f.max) {
			return fmt.Errorf("augment: %s is %v, want %v to %v", f.name, f.v, f.min, f.max)
		}
	}
	if (o.Resize[0] == 0) != (o.Resize[1] == 0) || (o.Crop[0] == 0) != (o.Crop[1] == 0) {
		return fmt.Errorf("augment: resize %v and crop %v need both a height and a width", o.Resize, o.Crop)
	}
	for _, f := range o.Filters {
		if _, err := ParseFilter(f); err != nil {
			return fmt.Errorf("augment: %w", err)
		}
	}
	return nil
}

// Stage is the pipeline stage; [New] makes one.
type Stage struct {
	options     Options
	filters     []Filter
	seed, epoch uint64
}

// New makes the stage of one epoch. Its draws are keyed by (seed, epoch,
// "augment", sample id).
func New(o Options, seed, epoch uint64) (*Stage, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	s := &Stage{options: o, seed: seed, epoch: epoch}
	for _, spec := range o.Filters {
		f, err := ParseFilter(spec)
		if err != nil {
			return nil, err
		}
		if f.resizing && o.Crop[0] > 0 {
			return nil, fmt.Errorf("augment: filter %s moves pixels and cannot follow a crop to one size; run it in a stage of its own before", spec)
		}
		s.filters = append(s.filters, f)
	}
	return s, nil
}

// Header implements [pipeline.Stage]: samples in, samples out, of one size
// after a crop.
func (s *Stage) Header(in pipeline.Header) (pipeline.Header, error) {
	if in.Kind != pipeline.KindSample {
		return in, fmt.Errorf("augment: the stream is of %s, want samples", in.Kind.Plural())
	}
	out, err := in.With("augment", struct {
		Options
		Seed  uint64 `json:"seed"`
		Epoch uint64 `json:"epoch"`
	}{s.options, s.seed, s.epoch})
	switch {
	case s.options.Crop[0] > 0:
		out.Size = raster.Size{Height: s.options.Crop[0], Width: s.options.Crop[1]}
	case s.options.Resize[0] > 0 || len(s.filters) > 0:
		out.Size = raster.Size{}
	}
	return out, err
}

// Apply implements [pipeline.Stage].
func (s *Stage) Apply(ctx context.Context, in *pipeline.Batch, out *pipeline.Builder) error {
	for i := range in.Len() {
		if err := ctx.Err(); err != nil {
			return err
		}
		sample, err := in.Sample(i)
		if err != nil {
			return err
		}
		if err := s.Add(out, sample); err != nil {
			return err
		}
	}
	return nil
}

// Sample augments one sample. The result is in memory of its own.
func (s *Stage) Sample(in pipeline.Sample) pipeline.Sample {
	scratch := BorrowScratch()
	defer scratch.Return()
	p := s.plan(scratch, in)
	size := p.size(s.options)
	out := in
	out.Image = raster.New(size.Height, size.Width, 3)
	if !in.Label.Empty() {
		out.Label = raster.New(size.Height, size.Width, 1)
	}
	s.render(scratch, p, in, out.Image, out.Label)
	for _, f := range s.filters {
		out.Image, out.Label = f.Apply(out.Image, out.Label)
	}
	return out
}

// SampleInto augments one sample into the memory of image and label, such as
// a batch's; label is empty where the sample has none. It wants a stage with a
// crop, whose size both have, and without filters.
func (s *Stage) SampleInto(in pipeline.Sample, image, label raster.Raster) (pipeline.Sample, error) {
	if s.options.Crop[0] == 0 || len(s.filters) > 0 {
		return pipeline.Sample{}, fmt.Errorf("augment %q in place: the stage must crop and have no filters", in.ID)
	}
	crop := full(s.options.Crop[0], s.options.Crop[1])
	for _, r := range []struct {
		name     string
		raster   raster.Raster
		empty    bool
		channels int
	}{{"image", image, false, 3}, {"label", label, in.Label.Empty(), 1}} {
		switch {
		case r.raster.Empty() != r.empty:
			return pipeline.Sample{}, fmt.Errorf("augment %q in place: %s is empty: %v, want %v", in.ID, r.name, r.raster.Empty(), r.empty)
		case !r.empty && (full(r.raster.Height(), r.raster.Width()) != crop || r.raster.Channels() != r.channels):
			return pipeline.Sample{}, fmt.Errorf("augment %q in place: %s is %dx%dx%d, want %dx%dx%d", in.ID, r.name, r.raster.Width(), r.raster.Height(), r.raster.Channels(), crop.X1, crop.Y1, r.channels)
		}
	}
	scratch := BorrowScratch()
	defer scratch.Return()
	s.render(scratch, s.plan(scratch, in), in, image, label)
	in.Image, in.Label = image, label
	return in, nil
}

// RowsNeeded are the rows [first, last) of the image of height×width that
// [Stage.Sample] reads for this sample, whose label is complete. The image's
// other rows may hold anything; in.Image may be empty here.
func (s *Stage) RowsNeeded(in pipeline.Sample, height, width int) (first, last int) {
	scratch := BorrowScratch()
	defer scratch.Return()
	p := s.planSized(scratch, in, height, width)
	return BilinearRows(height, p.h, p.box)
}

// plan is what a sample's draws come to before those of its appearance.
type plan struct {
	h, w int        // of the resized frame
	box  raster.Box // what is kept of it
	flip bool
	rng  *rand.Rand // for the draws to come
}

func (s *Stage) plan(scratch *Scratch, in pipeline.Sample) plan {
	return s.planSized(scratch, in, in.Image.Height(), in.Image.Width())
}

func (s *Stage) planSized(scratch *Scratch, in pipeline.Sample, h, w int) plan {
	p := plan{h: h, w: w, rng: pipeline.NewKey(s.seed, s.epoch, "augment", in.ID).Rand()}
	if s.options.Resize[0] > 0 {
		p.h, p.w = FitSize(h, w, s.options.Resize)
	}
	p.box = full(p.h, p.w)
	if s.options.Crop[0] > 0 {
		p.box = s.chooseCrop(scratch, in.Label, p.h, p.w, p.rng)
	}
	p.flip = p.rng.Float64() < s.options.Flip
	return p
}

// size is that of the result, filters aside.
func (p plan) size(o Options) raster.Size {
	if o.Crop[0] > 0 {
		return raster.Size{Height: o.Crop[0], Width: o.Crop[1]}
	}
	return raster.Size{Height: p.h, Width: p.w}
}

// render writes all of image and label, which is empty where there is none.
func (s *Stage) render(scratch *Scratch, p plan, in pipeline.Sample, image, label raster.Raster) {
	if !label.Empty() {
		scratch.ResizeNearest(label, in.Label, p.h, p.w, p.box, p.flip)
		FillAround(label, p.box.Height(), p.box.Width(), p.flip, []byte{byte(raster.Ignore)})
	}
	scratch.ResizeBilinear(image, in.Image, p.h, p.w, p.box, p.flip)
	FillAround(image, p.box.Height(), p.box.Width(), p.flip, MeanColor())
	s.options.Jitter.Apply(image, p.rng)
	if p.rng.Float64() < s.options.Gray {
		Gray(image)
	}
	if p.rng.Float64() < s.options.Blur {
		scratch.Blur5(image)
	}
}
