package augment

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// TestNeutralOperationsLeaveTheImage gives every operation the parameters that
// move nothing, and wants every byte as it was.
func TestNeutralOperationsLeaveTheImage(t *testing.T) {
	rng := rand.New(rand.NewPCG(21, 22))
	draws := func() *rand.Rand { return rand.New(rand.NewPCG(rng.Uint64(), 0)) }
	for name, apply := range map[string]func(raster.Raster) raster.Raster{
		"brightness":    func(r raster.Raster) raster.Raster { Brightness(r, 1); return r },
		"contrast":      func(r raster.Raster) raster.Raster { Contrast(r, 1); return r },
		"saturation":    func(r raster.Raster) raster.Raster { Saturation(r, 1); return r },
		"hue":           func(r raster.Raster) raster.Raster { Hue(r, 0); return r },
		"Gaussian blur": func(r raster.Raster) raster.Raster { GaussianBlur(r, 0); return r },
		"jitter of nothing": func(r raster.Raster) raster.Raster {
			ColorJitter{Chance: 1}.Apply(r, draws())
			return r
		},
		"jitter that never happens": func(r raster.Raster) raster.Raster {
			ColorJitter{Brightness: 1, Contrast: 1, Saturation: 1, Hue: 0.5}.Apply(r, draws())
			return r
		},
		"bilinear": func(r raster.Raster) raster.Raster {
			return ResizeBilinear(r, r.Height(), r.Width(), full(r.Height(), r.Width()))
		},
		"bicubic": func(r raster.Raster) raster.Raster {
			return ResizeBicubic(r, r.Height(), r.Width(), full(r.Height(), r.Width()))
		},
		"nearest": func(r raster.Raster) raster.Raster {
			return ResizeNearest(r, r.Height(), r.Width(), full(r.Height(), r.Width()))
		},
		"antialiased": func(r raster.Raster) raster.Raster {
			return ResizeAntialiased(r, r.Height(), r.Width(), full(r.Height(), r.Width()))
		},
		"nearest, Pillow": func(r raster.Raster) raster.Raster {
			return ResizeNearestPillow(r, r.Height(), r.Width(), full(r.Height(), r.Width()))
		},
		"crop": func(r raster.Raster) raster.Raster { return Crop(r, full(r.Height(), r.Width())) },
		"pad":  func(r raster.Raster) raster.Raster { return Pad(r, r.Height(), r.Width(), MeanColor()) },
	} {
		t.Run(name, func(t *testing.T) {
			for range 50 {
				src := random(rng, drawSide(rng), drawSide(rng), 3)
				same(t, fmt.Sprintf("%dx%d", src.Width(), src.Height()), apply(src.Clone()), src)
			}
		})
	}
}

// TestAJitterOfOnePropertyLeavesTheOthers holds a jitter by one property to that
// property alone, with the factor that all four together draw.
func TestAJitterOfOnePropertyLeavesTheOthers(t *testing.T) {
	rng := rand.New(rand.NewPCG(23, 24))
	for seed := range uint64(60) {
		src := colorful(rng, drawSide(rng), drawSide(rng))
		draws := rand.New(rand.NewPCG(seed, 1))
		draws.Float64() // whether
		var u [4]float64
		for i := range u {
			u[i] = 2*draws.Float64() - 1
		}
		for name, c := range map[string]struct {
			jitter ColorJitter
			apply  func(raster.Raster)
		}{
			"brightness": {ColorJitter{Brightness: 0.4, Chance: 1}, func(r raster.Raster) { referenceBrightness(r, 1+0.4*u[0]) }},
			"contrast":   {ColorJitter{Contrast: 0.4, Chance: 1}, func(r raster.Raster) { referenceContrast(r, 1+0.4*u[1]) }},
			"saturation": {ColorJitter{Saturation: 0.4, Chance: 1}, func(r raster.Raster) { referenceSaturation(r, 1+0.4*u[2]) }},
			"hue":        {ColorJitter{Hue: 0.1, Chance: 1}, func(r raster.Raster) { referenceHue(r, 0.1*u[3]) }},
		} {
			got, want := src.Clone(), src.Clone()
			c.jitter.Apply(got, rand.New(rand.NewPCG(seed, 1)))
			c.apply(want)
			same(t, name, got, want)
		}
	}
}

// TestNeutralFiltersLeaveTheImage gives gift's filters the arguments that move
// nothing. Those that have none are listed, so that no filter is forgotten.
func TestNeutralFiltersLeaveTheImage(t *testing.T) {
	const h, w = 11, 17
	neutral := map[string]string{
		"brightness": "0", "color_balance": "0,0,0", "colorize": "200,50,0", "contrast": "0", "convolution": "0,0,0,0,1,0,0,0,0",
		"crop": "0,0,11,17", "crop_to_size": "11,17", "gamma": "1", "gaussian_blur": "0", "hue": "0", "maximum": "1", "mean": "1",
		"median": "1", "minimum": "1", "pixelate": "1", "resize": "11,17", "resize_to_fill": "11,17", "resize_to_fit": "11,17",
		"rotate": "0", "saturation": "0", "sepia": "0", "sigmoid": "0.5,0", "unsharp_mask": "1,0,0",
	}
	always := []string{"flip_horizontal", "flip_vertical", "grayscale", "invert", "linear_to_srgb", "rotate_180", "rotate_270", "rotate_90", "sobel", "srgb_to_linear", "threshold", "transpose", "transverse"}
	rng := rand.New(rand.NewPCG(25, 26))
	for _, name := range FilterNames() {
		arguments, ok := neutral[name]
		if ok == slices.Contains(always, name) {
			t.Errorf("%s: say here what leaves the image as it is, or that nothing does", name)
		}
		if !ok {
			continue
		}
		t.Run(name, func(t *testing.T) {
			f, err := ParseFilter(name + ":" + arguments)
			if err != nil {
				t.Fatal(err)
			}
			image, label := random(rng, h, w, 3), random(rng, h, w, 1)
			gotImage, gotLabel := f.Apply(image.Clone(), label.Clone())
			same(t, "image", gotImage, image)
			same(t, "label", gotLabel, label)
		})
	}
}

// TestAStageOfNothingLeavesItsSamples runs the stage with the options that the
// command line has without flags, and with those that keep the size.
func TestAStageOfNothingLeavesItsSamples(t *testing.T) {
	rng := rand.New(rand.NewPCG(27, 28))
	const h, w = 24, 40
	for name, o := range map[string]Options{
		"zero":           {},
		"without flags":  {Jitter: ColorJitter{Chance: 0.8}},
		"the same size":  {Resize: [2]int{h, w}, Crop: [2]int{h, w}, CatMaxRatio: 1},
		"a larger frame": {Resize: [2]int{h, 10 * w}},
		"neutral filter": {Filters: []string{"gaussian_blur:0", "rotate:0"}},
	} {
		t.Run(name, func(t *testing.T) {
			stage, err := New(o, 5, 0)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 40 {
				in := pipeline.Sample{ID: fmt.Sprint(i), Image: random(rng, h, w, 3), Label: patches(rng, h, w)}
				out := stage.Sample(in)
				same(t, "image", out.Image, in.Image)
				same(t, "label", out.Label, in.Label)
			}
		})
	}
}
