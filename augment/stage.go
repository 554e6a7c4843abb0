package augment

import (
	"context"
	"fmt"
	"math/rand/v2"

	"github.com/pipa-uda/pipa/pipeline"
)

// Options say what the stage does to a sample, in the order of the fields. The
// zero value changes nothing.
type Options struct {
	Resize [2]int `json:"resize"` // [height, width] the image is scaled to fit, keeping its ratio; zero keeps its size
	Crop   [2]int `json:"crop"`   // [height, width] of a random crop; zero keeps all
	// CatMaxRatio redraws a crop, up to ten times, in which one class covers
	// this share of the labelled pixels or is the only one; 0 and 1 accept all
	// (mmseg's RandomCrop).
	CatMaxRatio float64     `json:"cat_max_ratio"`
	Flip        float64     `json:"flip"` // probability of mirroring
	Jitter      ColorJitter `json:"jitter"`
	Gray        float64     `json:"gray"`              // probability of dropping the colour
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
		out.Size = pipeline.Size{Height: s.options.Crop[0], Width: s.options.Crop[1]}
	case s.options.Resize[0] > 0 || len(s.filters) > 0:
		out.Size = pipeline.Size{}
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
		if err := out.AppendSample(s.Sample(sample)); err != nil {
			return err
		}
	}
	return nil
}

// Sample augments one sample. The result is in memory of its own.
func (s *Stage) Sample(in pipeline.Sample) pipeline.Sample {
	rng := pipeline.NewKey(s.seed, s.epoch, "augment", in.ID).Rand()
	h, w := in.Image.Height(), in.Image.Width()
	if s.options.Resize[0] > 0 {
		h, w = FitSize(h, w, s.options.Resize)
	}
	out := in
	box := full(h, w)
	var label pipeline.Raster
	if !in.Label.Empty() {
		label = ResizeNearest(in.Label, h, w, box)
	}
	if s.options.Crop[0] > 0 {
		box = s.chooseCrop(label, h, w, rng)
		if !label.Empty() {
			label = Pad(Crop(label, box), s.options.Crop[0], s.options.Crop[1], []byte{pipeline.Ignore})
		}
	}
	out.Image = ResizeBilinear(in.Image, h, w, box)
	if s.options.Crop[0] > 0 {
		out.Image = Pad(out.Image, s.options.Crop[0], s.options.Crop[1], MeanColor())
	}
	out.Label = label
	if rng.Float64() < s.options.Flip {
		FlipX(out.Image)
		if !out.Label.Empty() {
			FlipX(out.Label)
		}
	}
	s.options.Jitter.Apply(out.Image, rng)
	if rng.Float64() < s.options.Gray {
		Gray(out.Image)
	}
	if rng.Float64() < s.options.Blur {
		out.Image = Blur5(out.Image)
	}
	for _, f := range s.filters {
		out.Image, out.Label = f.Apply(out.Image, out.Label)
	}
	return out
}

// chooseCrop draws the box that is kept of an h×w frame. It is smaller than
// the crop where the frame is.
func (s *Stage) chooseCrop(label pipeline.Raster, h, w int, rng *rand.Rand) pipeline.Box {
	ch, cw := s.options.Crop[0], s.options.Crop[1]
	draw := func() pipeline.Box {
		y, x := rng.IntN(max(h-ch, 0)+1), rng.IntN(max(w-cw, 0)+1)
		return pipeline.Box{Y0: y, X0: x, Y1: min(y+ch, h), X1: min(x+cw, w)}
	}
	box := draw()
	if r := s.options.CatMaxRatio; r > 0 && r < 1 && !label.Empty() {
		// Ten boxes are tried; the eleventh is taken unchecked.
		for range 10 {
			if Varied(label, box, r) {
				break
			}
			box = draw()
		}
	}
	return box
}

// Varied tells whether a label's box has more than one class and none that
// covers maxRatio or more of the pixels that are not ignored.
func Varied(label pipeline.Raster, box pipeline.Box, maxRatio float64) bool {
	var counts [256]int
	for y := box.Y0; y < box.Y1; y++ {
		for _, id := range label.Row(y)[box.X0:box.X1] {
			counts[id]++
		}
	}
	classes, most, all := 0, 0, 0
	for id, n := range counts {
		if n == 0 || pipeline.TrainID(id) == pipeline.Ignore {
			continue
		}
		classes++
		most = max(most, n)
		all += n
	}
	return classes > 1 && float64(most)/float64(all) < maxRatio
}
