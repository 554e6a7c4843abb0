package crops

import (
	"context"
	"fmt"

	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// Options say how pairs are cut. Default gives the published ones.
type Options struct {
	Size   int        `json:"size"` // side of a crop in pixels
	Base   int        `json:"base"` // the long side of the resized frame is drawn from Scale times this
	Scale  [2]float64 `json:"scale"`
	IoU    [2]float64 `json:"iou"`    // of the two crops, from and to
	Stride int        `json:"stride"` // the crops lie a multiple of this apart
	Flip   float64    `json:"flip"`   // probability, for each crop

	// The appearance of each crop, drawn for each on its own.
	Blur   float64             `json:"blur"` // probability of a 5×5 Gaussian blur
	Jitter augment.ColorJitter `json:"jitter"`
	Gray   float64             `json:"gray"` // probability of dropping the color
}

// Default are the options of the published loader (chen742/PiPa
// configs/cac/config.json, dataloaders/city.py).
func Default() Options {
	return Options{
		Size: 720, Base: 2048, Scale: [2]float64{0.8, 2}, IoU: [2]float64{0.1, 1}, Stride: 8, Flip: 0.5,
		Blur: 0.5, Jitter: augment.ColorJitter{Brightness: 0.4, Contrast: 0.4, Saturation: 0.4, Hue: 0.1, Chance: 0.8}, Gray: 0.2,
	}
}

// Validate names the field that is out of range.
func (o Options) Validate() error {
	switch {
	case o.Stride < 1:
		return fmt.Errorf("crops: stride is %d, want at least 1", o.Stride)
	case o.Size < o.Stride || o.Size%o.Stride != 0 || o.Size > 1<<14:
		return fmt.Errorf("crops: size is %d, want a multiple of the stride %d", o.Size, o.Stride)
	case o.Base < 1 || o.Base > 1<<15:
		return fmt.Errorf("crops: base is %d, want 1 to %d", o.Base, 1<<15)
	case !(o.Scale[0] > 0 && o.Scale[0] <= o.Scale[1] && o.Scale[1] <= 16) || float64(o.Base)*o.Scale[0] < 1:
		return fmt.Errorf("crops: scale is %v, want two rising factors above 0, up to 16", o.Scale)
	case !(o.IoU[0] >= 0 && o.IoU[0] <= o.IoU[1] && o.IoU[1] <= 1):
		return fmt.Errorf("crops: iou is %v, want two rising numbers in 0 to 1", o.IoU)
	case !(o.Flip >= 0 && o.Flip <= 1):
		return fmt.Errorf("crops: flip is %v, want 0 to 1", o.Flip)
	}
	return augment.Options{Jitter: o.Jitter, Gray: o.Gray, Blur: o.Blur}.Validate()
}

// Stage is the pipeline stage; [New] makes one.
type Stage struct {
	options     Options
	seed, epoch uint64
}

// New makes the stage of one epoch. Its draws are keyed by (seed, epoch,
// "crops", sample id).
func New(o Options, seed, epoch uint64) (*Stage, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	return &Stage{o, seed, epoch}, nil
}

// Header implements [pipeline.Stage]: samples in, or mixes, which are samples
// with more to them; pairs of one size out.
func (s *Stage) Header(in pipeline.Header) (pipeline.Header, error) {
	if in.Kind != pipeline.KindSample && in.Kind != pipeline.KindMix {
		return in, fmt.Errorf("crops: the stream is of %s, want samples or mixes", in.Kind.Plural())
	}
	out, err := in.With("crops", struct {
		Options
		Seed  uint64 `json:"seed"`
		Epoch uint64 `json:"epoch"`
	}{s.options, s.seed, s.epoch})
	out.Kind, out.Pseudo = pipeline.KindPair, false
	out.Size = raster.Size{Height: s.options.Size, Width: s.options.Size}
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

// Pair cuts a sample's pair, in memory of its own.
func (s *Stage) Pair(in pipeline.Sample) pipeline.Pair {
	p := newPair(s.options.Size, !in.Label.Empty())
	s.pair(in, &p)
	return p
}

// PairInto cuts a sample's pair into the rasters of p, such as a batch's: images
// of the options' size and, where the sample has a label, labels. It sets the
// rest of p.
func (s *Stage) PairInto(in pipeline.Sample, p *pipeline.Pair) error {
	for _, c := range []*pipeline.Crop{&p.A, &p.B} {
		for _, r := range []struct {
			name     string
			raster   raster.Raster
			want     bool
			channels int
		}{{"image", c.Image, true, 3}, {"label", c.Label, !in.Label.Empty(), 1}} {
			switch {
			case r.raster.Empty() == r.want:
				return fmt.Errorf("crops %q in place: there is a %s: %v, want %v", in.ID, r.name, !r.want, r.want)
			case r.want && (r.raster.Height() != s.options.Size || r.raster.Width() != s.options.Size || r.raster.Channels() != r.channels):
				return fmt.Errorf("crops %q in place: %s is %dx%dx%d, want %dx%dx%d", in.ID, r.name, r.raster.Width(), r.raster.Height(), r.raster.Channels(), s.options.Size, s.options.Size, r.channels)
			}
		}
	}
	s.pair(in, p)
	return nil
}

func (s *Stage) pair(in pipeline.Sample, p *pipeline.Pair) {
	key := pipeline.NewKey(s.seed, s.epoch, "crops", in.ID)
	g := s.options.Choose(in.Image.Height(), in.Image.Width(), keyed{key.Sub("geometry").Rand()})
	scratch := augment.BorrowScratch()
	defer scratch.Return()
	cut(scratch, in, g, p)
	for i, c := range []*pipeline.Crop{&p.A, &p.B} {
		rng := key.Sub([]string{"a", "b"}[i]).Rand()
		if rng.Float64() < s.options.Blur {
			scratch.Blur5(c.Image)
		}
		s.options.Jitter.Apply(c.Image, rng)
		if rng.Float64() < s.options.Gray {
			augment.Gray(c.Image)
		}
	}
}

// RowsNeeded are the rows [first, last) of an image, and of its label, of
// height×width that [Stage.Pair] reads for the sample with this ID. The other
// rows may hold anything.
func (s *Stage) RowsNeeded(id string, height, width int) (first, last int) {
	key := pipeline.NewKey(s.seed, s.epoch, "crops", id)
	g := s.options.Choose(height, width, keyed{key.Sub("geometry").Rand()})
	return g.RowsNeeded(height, s.options.Size)
}
