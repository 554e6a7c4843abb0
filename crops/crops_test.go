package crops

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/fixtures/golden"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// recorded replays the draws of a golden case.
type recorded struct {
	t     *testing.T
	ints  []int64 // low, high, value
	reals []float32
}

func (r *recorded) Int(low, high int) int {
	r.t.Helper()
	if len(r.ints) < 3 || int64(low) != r.ints[0] || int64(high) != r.ints[1] {
		r.t.Fatalf("drew from %d to %d, recorded %v", low, high, r.ints[:min(3, len(r.ints))])
	}
	v := r.ints[2]
	r.ints = r.ints[3:]
	return int(v)
}

func (r *recorded) Real() float64 {
	v := r.reals[0]
	r.reals = r.reals[1:]
	return float64(v)
}

func wrap(t *testing.T, c *golden.Case, name string) raster.Raster {
	t.Helper()
	tensor := c.Must(name)
	channels := 1
	if len(tensor.Shape) == 3 {
		channels = 3
	}
	r, err := raster.Wrap(tensor.Shape[0], tensor.Shape[1], channels, tensor.Data)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestPairsMatchThePublishedLoader(t *testing.T) {
	for _, path := range golden.Files(t, "pair_crop") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			c := golden.Load(t, path)
			o := Default()
			golden.Fixed(c, "tries", maxTries)
			size := golden.Param[[2]int](c, "crop_size")
			if size[0] != size[1] {
				t.Fatalf("crops of %v, want squares", size)
			}
			o.Size, o.Base, o.Stride = size[0], golden.Param[int](c, "base_size"), golden.Param[int](c, "overlap_stride")
			o.Scale, o.IoU = golden.Param[[2]float64](c, "long_side_range"), golden.Param[[2]float64](c, "iou_bounds")
			draws := &recorded{t, c.Ints("draws_int"), c.Floats("draws_real")}
			image, label := wrap(t, c, "image"), wrap(t, c, "label")
			g := o.Choose(image.Height(), image.Width(), draws)
			if len(draws.ints) > 0 {
				t.Errorf("draws left over: %v", draws.ints)
			}
			for k, box := range g.Overlaps {
				ul, br := c.Ints([]string{"ul1", "ul2"}[k]), c.Ints([]string{"br1", "br2"}[k])
				if want := (raster.Box{Y0: int(ul[0]), X0: int(ul[1]), Y1: int(br[0]), X1: int(br[1])}); box != want {
					t.Errorf("overlap %d is %v, want %v", k, box, want)
				}
				if g.Flips[k] != (c.Ints("flip")[k] != 0) {
					t.Errorf("flip %d is %v", k, g.Flips[k])
				}
			}
			p := Cut(pipeline.Sample{ID: "x", Image: image, Label: label}, g, o.Size)
			if err := p.Validate(); err != nil {
				t.Fatal(err)
			}
			labels := c.Must("label_crops").Data
			for k, crop := range []pipeline.Crop{p.A, p.B} {
				if !bytes.Equal(crop.Image.Pix(), c.Must([]string{"crop1", "crop2"}[k]).Data) {
					t.Errorf("image of crop %d differs", k)
				}
				n := o.Size * o.Size
				if !bytes.Equal(crop.Label.Pix(), labels[k*n:(k+1)*n]) {
					t.Errorf("label of crop %d differs", k)
				}
			}
		})
	}
}

// TestOverlapsShowTheSameScene renders a label whose pixels spell their own
// place in the frame through many geometries: un-flipped, both overlaps must
// read the same.
func TestOverlapsShowTheSameScene(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		o := Default()
		o.Stride = []int{1, 2, 4, 8, 16}[rng.IntN(5)]
		o.Size = o.Stride * (1 + rng.IntN(12))
		o.Base = 20 + rng.IntN(150)
		o.Scale = [2]float64{0.5 + rng.Float64(), 1.5 + rng.Float64()}
		h, w := 10+rng.IntN(60), 10+rng.IntN(60)
		if err := o.Validate(); err != nil {
			t.Fatal(err)
		}
		s := pipeline.Sample{ID: "x", Image: raster.New(h, w, 3), Label: raster.New(h, w, 1)}
		for i := range s.Label.Pix() {
			s.Label.Pix()[i] = byte(rng.IntN(250))
		}
		g := o.Choose(h, w, keyed{rng})
		p := Cut(s, g, o.Size)
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		a, b := unflip(p.A), unflip(p.B)
		for y := range a.box.Height() {
			ra := a.label.Row(a.box.Y0 + y)[a.box.X0:a.box.X1]
			rb := b.label.Row(b.box.Y0 + y)[b.box.X0:b.box.X1]
			if !bytes.Equal(ra, rb) {
				t.Fatalf("%+v: overlap row %d reads %v and %v", g, y, ra, rb)
			}
		}
		for axis, d := range []int{g.Corners[0][0] - g.Corners[1][0], g.Corners[0][1] - g.Corners[1][1]} {
			if d%o.Stride != 0 {
				t.Fatalf("the crops lie %d apart on axis %d, stride %d", d, axis, o.Stride)
			}
		}
		// The stored boxes hold the same cells at the stride after a flip: the
		// crop's side is a whole number of strides.
		if g.Height >= o.Size && g.Width >= o.Size {
			for _, box := range g.Overlaps {
				if box.Y0%o.Stride != 0 || box.X0%o.Stride != 0 || box.Y1%o.Stride != 0 || box.X1%o.Stride != 0 {
					t.Fatalf("overlap %v is not on the stride %d", box, o.Stride)
				}
			}
		}
	}
}

type scene struct {
	label raster.Raster
	box   raster.Box
}

func unflip(c pipeline.Crop) scene {
	if !c.Flip {
		return scene{c.Label, c.Overlap}
	}
	label := raster.New(c.Label.Height(), c.Label.Width(), 1)
	for y := range label.Height() {
		for x := range label.Width() {
			label.Row(y)[x] = c.Label.Row(y)[label.Width()-1-x]
		}
	}
	return scene{label, c.Overlap.FlipX(label.Width())}
}

func TestStageIsKeyed(t *testing.T) {
	o := Default()
	o.Size, o.Base = 32, 60
	sample := pipeline.Sample{ID: "gta/train/1", Dataset: "gta", Image: raster.New(30, 50, 3)}
	for i := range sample.Image.Pix() {
		sample.Image.Pix()[i] = byte(i * 7)
	}
	make := func(seed, epoch uint64) pipeline.Pair {
		s, err := New(o, seed, epoch)
		if err != nil {
			t.Fatal(err)
		}
		return s.Pair(sample)
	}
	a := make(1, 0)
	if b := make(1, 0); !bytes.Equal(a.A.Image.Pix(), b.A.Image.Pix()) {
		t.Error("equal keys give different pairs")
	}
	if b := make(1, 1); bytes.Equal(a.A.Image.Pix(), b.A.Image.Pix()) {
		t.Error("another epoch gives the same pair")
	}
	in := pipeline.Header{Kind: pipeline.KindSample, Datasets: []string{"gta"}}
	stage, err := New(o, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	builder := pipeline.NewBuilder(in)
	if err := builder.AppendSample(sample); err != nil {
		t.Fatal(err)
	}
	one := func(yield func(*pipeline.Batch, error) bool) { yield(builder.Batch()) }
	out, err := pipeline.Run(context.Background(), pipeline.Stream{Header: in, Batches: one}, stage, 2)
	if err != nil {
		t.Fatal(err)
	}
	for batch, err := range out.Batches {
		if err != nil {
			t.Fatal(err)
		}
		p, err := batch.Pair(0)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(p.B.Image.Pix(), a.B.Image.Pix()) {
			t.Error("the stage's pair differs from Pair's")
		}
	}
}

func noise(rng *rand.Rand, h, w, c int) raster.Raster {
	r := raster.New(h, w, c)
	for i := range r.Pix() {
		r.Pix()[i] = byte(rng.Uint32())
	}
	return r
}

// TestCropsEqualResizeThenCrop holds pairs to the whole frame resized, padded,
// cut and mirrored; rows that are not needed hold noise.
func TestCropsEqualResizeThenCrop(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		o := Default()
		o.Stride = []int{1, 2, 4, 8, 16}[rng.IntN(5)]
		o.Size = o.Stride * (1 + rng.IntN(12))
		o.Base = 20 + rng.IntN(150)
		h, w := 10+rng.IntN(60), 10+rng.IntN(60)
		in := pipeline.Sample{ID: "x", Image: noise(rng, h, w, 3), Label: noise(rng, h, w, 1)}
		g := o.Choose(h, w, keyed{rng})
		frame := raster.Box{Y1: g.Height, X1: g.Width}
		fh, fw := max(g.Height, o.Size), max(g.Width, o.Size)
		image := augment.Pad(augment.ResizeBicubic(in.Image, g.Height, g.Width, frame), fh, fw, augment.MeanColor())
		label := augment.Pad(augment.ResizeNearest(in.Label, g.Height, g.Width, frame), fh, fw, []byte{byte(raster.Ignore)})
		first, last := g.RowsNeeded(h, o.Size)
		for y := range h {
			if y < first || y >= last {
				copy(in.Image.Row(y), noise(rng, 1, w, 3).Pix())
				copy(in.Label.Row(y), noise(rng, 1, w, 1).Pix())
			}
		}
		p := Cut(in, g, o.Size)
		for i, c := range []pipeline.Crop{p.A, p.B} {
			box := square(g.Corners[i][0], g.Corners[i][1], o.Size)
			wantImage, wantLabel := augment.Crop(image, box), augment.Crop(label, box)
			if g.Flips[i] {
				augment.FlipX(wantImage)
				augment.FlipX(wantLabel)
			}
			if !bytes.Equal(c.Image.Pix(), wantImage.Pix()) {
				t.Errorf("%+v of %dx%d: image of crop %d differs", g, w, h, i)
			}
			if !bytes.Equal(c.Label.Pix(), wantLabel.Pix()) {
				t.Errorf("%+v of %dx%d: label of crop %d differs", g, w, h, i)
			}
		}
	}
}

func TestPairIntoEqualsPair(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	o := Default()
	o.Size, o.Base = 32, 60
	s, err := New(o, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		in := pipeline.Sample{ID: fmt.Sprint(i), Image: noise(rng, 30, 50, 3), Label: noise(rng, 30, 50, 1)}
		want := s.Pair(in)
		got := pipeline.Pair{
			A: pipeline.Crop{Image: noise(rng, 32, 32, 3), Label: noise(rng, 32, 32, 1)},
			B: pipeline.Crop{Image: noise(rng, 32, 32, 3), Label: noise(rng, 32, 32, 1)},
		}
		if err := s.PairInto(in, &got); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("pair %d differs", i)
		}
		if first, last := s.RowsNeeded(in.ID, 30, 50); first < 0 || last > 30 || first >= last {
			t.Errorf("pair %d needs rows %d..%d", i, first, last)
		}
	}
	small := pipeline.Pair{A: pipeline.Crop{Image: noise(rng, 8, 8, 3)}, B: pipeline.Crop{Image: noise(rng, 8, 8, 3)}}
	if err := s.PairInto(pipeline.Sample{ID: "x", Image: noise(rng, 30, 50, 3)}, &small); err == nil || !strings.Contains(err.Error(), "image is 8x8x3, want 32x32x3") {
		t.Errorf("rasters of the wrong size: %v", err)
	}
}

// TestCropsWithoutAppearanceArePixelsOfTheImage cuts at the image's own size,
// without mirroring and with a jitter by nothing: each crop is a part of the
// image, byte for byte.
func TestCropsWithoutAppearanceArePixelsOfTheImage(t *testing.T) {
	o := Options{Size: 16, Base: 64, Scale: [2]float64{1, 1}, IoU: [2]float64{0.1, 1}, Stride: 8, Jitter: augment.ColorJitter{Chance: 1}}
	stage, err := New(o, 3, 0)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(29, 30))
	image, label := raster.New(40, 64, 3), raster.New(40, 64, 1)
	for _, r := range []raster.Raster{image, label} {
		for i := range r.Pix() {
			r.Pix()[i] = byte(rng.IntN(256))
		}
	}
	for i := range 30 {
		pair := stage.Pair(pipeline.Sample{ID: fmt.Sprint(i), Image: image, Label: label})
		for k, c := range []pipeline.Crop{pair.A, pair.B} {
			y, x := c.Origin[0], c.Origin[1]
			box := raster.Box{Y0: y, X0: x, Y1: y + 16, X1: x + 16}
			if want := augment.Crop(image, box); !bytes.Equal(c.Image.Pix(), want.Pix()) {
				t.Errorf("pair %d, crop %d: the image is not what lies at %v", i, k, box)
			}
			if want := augment.Crop(label, box); !bytes.Equal(c.Label.Pix(), want.Pix()) {
				t.Errorf("pair %d, crop %d: the label is not what lies at %v", i, k, box)
			}
		}
	}
}
