package crops

import (
	"context"
	"fmt"

	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/pipeline"
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
	Gray   float64             `json:"gray"` // probability of dropping the colour
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

// Header implements [pipeline.Stage]: samples in, pairs of one size out.
func (s *Stage) Header(in pipeline.Header) (pipeline.Header, error) {
	if in.Kind != pipeline.KindSample {
		return in, fmt.Errorf("crops: the stream is of %s, want samples", in.Kind.Plural())
	}
	out, err := in.With("crops", struct {
		Options
		Seed  uint64 `json:"seed"`
		Epoch uint64 `json:"epoch"`
	}{s.options, s.seed, s.epoch})
	out.Kind = pipeline.KindPair
	out.Size = pipeline.Size{Height: s.options.Size, Width: s.options.Size}
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
		if err := out.AppendPair(s.Pair(sample)); err != nil {
			return err
		}
	}
	return nil
}

// Pair cuts a sample's pair, in memory of its own.
func (s *Stage) Pair(in pipeline.Sample) pipeline.Pair {
	key := pipeline.NewKey(s.seed, s.epoch, "crops", in.ID)
	g := s.options.Choose(in.Image.Height(), in.Image.Width(), keyed{key.Sub("geometry").Rand()})
	p := Cut(in, g, s.options.Size)
	for name, c := range map[string]*pipeline.Crop{"a": &p.A, "b": &p.B} {
		rng := key.Sub(name).Rand()
		if rng.Float64() < s.options.Blur {
			c.Image = augment.Blur5(c.Image)
		}
		s.options.Jitter.Apply(c.Image, rng)
		if rng.Float64() < s.options.Gray {
			augment.Gray(c.Image)
		}
	}
	return p
}

// Cut resamples what a geometry's crops need of a sample: bicubic as Pillow's
// for the image, nearest for the label.
func Cut(in pipeline.Sample, g Geometry, size int) pipeline.Pair {
	p := pipeline.Pair{ID: in.ID, Scale: float32(g.Width) / float32(in.Image.Width())}
	for i, c := range []*pipeline.Crop{&p.A, &p.B} {
		y, x := g.Corners[i][0], g.Corners[i][1]
		box := square(y, x, size).Intersect(pipeline.Box{Y1: g.Height, X1: g.Width})
		c.Image = augment.Pad(augment.ResizeBicubic(in.Image, g.Height, g.Width, box), size, size, augment.MeanColor())
		if !in.Label.Empty() {
			c.Label = augment.Pad(augment.ResizeNearest(in.Label, g.Height, g.Width, box), size, size, []byte{pipeline.Ignore})
		}
		c.Origin, c.Flip, c.Overlap = [2]int{y, x}, g.Flips[i], g.Overlaps[i]
		if c.Flip {
			augment.FlipX(c.Image)
			if !c.Label.Empty() {
				augment.FlipX(c.Label)
			}
			c.Overlap = c.Overlap.FlipX(size)
		}
	}
	return p
}
