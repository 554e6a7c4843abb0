package augment

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// TestAResizeBeyondTheLimitIsRefusedBeforeMemoryIsAskedFor: 32768x32768 would
// take 3 GB.
func TestAResizeBeyondTheLimitIsRefusedBeforeMemoryIsAskedFor(t *testing.T) {
	s, err := New(Options{Resize: [2]int{1 << 15, 1 << 15}}, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	out := pipeline.NewBuilder(pipeline.Header{Kind: pipeline.KindSample, Datasets: []string{"d"}})
	var large *pipeline.RowSizeError
	err = s.Add(out, pipeline.Sample{ID: "x", Dataset: "d", Image: raster.New(8, 8, 3)})
	if want := (raster.Size{Height: 1 << 15, Width: 1 << 15}); !errors.As(err, &large) || large.Size != want {
		t.Errorf("%v, want a size of %v refused", err, want)
	}
}

// referenceSample is Stage.Sample by the references, one whole raster after
// the other.
func referenceSample(s *Stage, in pipeline.Sample) pipeline.Sample {
	o := s.options
	rng := pipeline.NewKey(s.seed, s.epoch, "augment", in.ID).Rand()
	h, w := in.Image.Height(), in.Image.Width()
	if o.Resize[0] > 0 {
		h, w = FitSize(h, w, o.Resize)
	}
	image := referenceBilinear(in.Image, h, w, full(h, w))
	var label raster.Raster
	if !in.Label.Empty() {
		label = referenceNearest(in.Label, h, w, full(h, w))
	}
	if o.Crop[0] > 0 {
		draw := func() raster.Box {
			y, x := rng.IntN(max(h-o.Crop[0], 0)+1), rng.IntN(max(w-o.Crop[1], 0)+1)
			return raster.Box{Y0: y, X0: x, Y1: min(y+o.Crop[0], h), X1: min(x+o.Crop[1], w)}
		}
		box := draw()
		for try := 0; try < 10 && o.CatMaxRatio > 0 && o.CatMaxRatio < 1 && !label.Empty() && !referenceVaried(label, box, o.CatMaxRatio); try++ {
			box = draw()
		}
		image = Pad(Crop(image, box), o.Crop[0], o.Crop[1], MeanColor())
		if !label.Empty() {
			label = Pad(Crop(label, box), o.Crop[0], o.Crop[1], []byte{byte(raster.Ignore)})
		}
	}
	if rng.Float64() < o.Flip {
		FlipX(image)
		if !label.Empty() {
			FlipX(label)
		}
	}
	referenceJitter(o.Jitter, image, rng)
	if rng.Float64() < o.Gray {
		referenceGray(image)
	}
	if rng.Float64() < o.Blur {
		image = referenceBlur5(image)
	}
	in.Image, in.Label = image, label
	return in
}

// patches is a label of a few rectangles, so that the class shares matter.
func patches(rng *rand.Rand, h, w int) raster.Raster {
	r := raster.New(h, w, 1)
	for range rng.IntN(6) {
		box, id := drawWindow(rng, h, w), byte(rng.IntN(3))
		if id == 2 {
			id = byte(raster.Ignore)
		}
		for y := box.Y0; y < box.Y1; y++ {
			for x := box.X0; x < box.X1; x++ {
				r.Row(y)[x] = id
			}
		}
	}
	return r
}

func TestSamplesEqualReference(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	for i := range 400 {
		h, w := 1+rng.IntN(80), 1+rng.IntN(80)
		var o Options
		if rng.IntN(3) > 0 {
			o.Resize = [2]int{1 + rng.IntN(90), 1 + rng.IntN(90)}
			if fh, fw := FitSize(h, w, o.Resize); fh < 1 || fw < 1 {
				continue
			}
		}
		if rng.IntN(3) > 0 {
			o.Crop = [2]int{1 + rng.IntN(60), 1 + rng.IntN(60)}
			o.CatMaxRatio = []float64{0, 0.6, 0.9}[rng.IntN(3)]
		}
		o.Flip, o.Gray, o.Blur = 0.5, 0.3, 0.3
		o.Jitter = ColorJitter{0.4, 0.4, 0.4, 0.1, 0.3}
		s, err := New(o, 1, uint64(i))
		if err != nil {
			t.Fatal(err)
		}
		in := pipeline.Sample{ID: fmt.Sprint(i), Image: colorful(rng, h, w)}
		if rng.IntN(4) > 0 {
			in.Label = patches(rng, h, w)
		}
		want := referenceSample(s, in)
		got := s.Sample(in)
		about := fmt.Sprintf("%+v of %dx%d", o, w, h)
		compare := func(got pipeline.Sample) {
			t.Helper()
			same(t, "image of "+about, got.Image, want.Image)
			if got.Label.Empty() != want.Label.Empty() {
				t.Fatalf("label of %s is empty: %v", about, got.Label.Empty())
			}
			if !want.Label.Empty() {
				same(t, "label of "+about, got.Label, want.Label)
			}
		}
		compare(got)

		// Rows that are not needed may hold anything.
		needless := in
		needless.Image = in.Image.Clone()
		blind := in
		blind.Image = raster.Raster{}
		first, last := s.RowsNeeded(blind, h, w)
		for y := range h {
			if y < first || y >= last {
				clear(needless.Image.Row(y))
			}
		}
		compare(s.Sample(needless))

		if o.Crop[0] == 0 {
			continue
		}
		image, label := random(rng, o.Crop[0], o.Crop[1], 3), raster.Raster{}
		if !in.Label.Empty() {
			label = random(rng, o.Crop[0], o.Crop[1], 1)
		}
		into, err := s.SampleInto(in, image, label)
		if err != nil {
			t.Fatal(err)
		}
		compare(into)
	}
}

func TestSampleIntoChecksItsRasters(t *testing.T) {
	s, err := New(Options{Crop: [2]int{4, 6}}, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := New(Options{}, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	in := pipeline.Sample{ID: "x", Image: raster.New(9, 9, 3), Label: raster.New(9, 9, 1)}
	image, label := raster.New(4, 6, 3), raster.New(4, 6, 1)
	for name, c := range map[string]struct {
		stage        *Stage
		image, label raster.Raster
		want         string
	}{
		"no crop":       {whole, image, label, "must crop"},
		"wrong size":    {s, raster.New(6, 4, 3), label, "image is 4x6x3, want 6x4x3"},
		"missing label": {s, image, raster.Raster{}, "label"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := c.stage.SampleInto(in, c.image, c.label); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

// TestScratchAllocatesNothing holds the methods to their promise.
func TestScratchAllocatesNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(23, 24))
	image, label := random(rng, 60, 90, 3), patches(rng, 60, 90)
	dst, dst2, dstLabel := raster.New(40, 50, 3), raster.New(40, 50, 3), raster.New(40, 50, 1)
	box := raster.Box{Y0: 3, X0: 5, Y1: 43, X1: 55}
	var s Scratch
	jitter := ColorJitter{0.4, 0.4, 0.4, 0.1, 1}
	for name, f := range map[string]func(){
		"bilinear": func() { s.ResizeBilinear(dst, image, 70, 100, box, true) },
		"nearest":  func() { s.ResizeNearest(dstLabel, label, 70, 100, box, true) },
		"bicubic":  func() { s.ResizeBicubic(dst, image, 70, 100, box, true) },
		"pair": func() {
			s.ResizeBicubicPair([2]raster.Raster{dst, dst2}, image, 70, 100, [2]raster.Box{box, box.Shift(7, 9)}, [2]bool{true, false})
		},
		"blur":    func() { s.Blur5(dst) },
		"jitter":  func() { jitter.Apply(dst, rng) },
		"gauss":   func() { s.GaussianBlur(dst, 1.5) },
		"gray":    func() { Gray(dst) },
		"classes": func() { s.countResized(label, 70, 100, box) },
	} {
		if n := testing.AllocsPerRun(20, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}
