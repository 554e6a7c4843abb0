package augment

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/fixtures/golden"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// raster loads a golden image or label.
func testRaster(t *testing.T, c *golden.Case, name string) raster.Raster {
	t.Helper()
	tensor := c.Must(name)
	channels := 1
	if len(tensor.Shape) == 3 {
		channels = tensor.Shape[2]
	}
	r, err := raster.Wrap(tensor.Shape[0], tensor.Shape[1], channels, tensor.Data)
	if err != nil {
		t.Fatal(err)
	}
	return r.Clone()
}

// same fails where rasters differ, saying by how much.
func same(t *testing.T, name string, got, want raster.Raster) {
	t.Helper()
	if got.Height() != want.Height() || got.Width() != want.Width() {
		t.Errorf("%s is %dx%d, want %dx%d", name, got.Width(), got.Height(), want.Width(), want.Height())
		return
	}
	differ, worst := 0, 0
	for i, v := range got.Pix() {
		if d := int(v) - int(want.Pix()[i]); d != 0 {
			differ++
			worst = max(worst, max(d, -d))
		}
	}
	if differ > 0 {
		t.Errorf("%s differs in %d of %d bytes, by up to %d", name, differ, len(got.Pix()), worst)
	}
}

func TestResizesMatchOpenCVAndPillow(t *testing.T) {
	for kind, resize := range map[string]func(raster.Raster, int, int, raster.Box) raster.Raster{"pipeline": ResizeBilinear, "pair_crop": ResizeBicubic} {
		for _, path := range golden.Files(t, kind) {
			t.Run(filepath.Base(path), func(t *testing.T) {
				c := golden.Load(t, path)
				image, label := testRaster(t, c, "resized_image"), testRaster(t, c, "resized_label")
				h, w := image.Height(), image.Width()
				if kind == "pipeline" {
					golden.Fixed(c, "keep_ratio", true)
					src, fit := testRaster(t, c, "image"), golden.Param[[2]int](c, "img_scale_long_short")
					if fitH, fitW := FitSize(src.Height(), src.Width(), fit); fitH != h || fitW != w {
						t.Errorf("%dx%d into %v is %dx%d, want %dx%d", src.Width(), src.Height(), fit, fitW, fitH, w, h)
					}
				}
				same(t, "image", resize(testRaster(t, c, "image"), h, w, full(h, w)), image)
				same(t, "label", ResizeNearest(testRaster(t, c, "label"), h, w, full(h, w)), label)
			})
		}
	}
}

// TestAntialiasedResizesMatchPillow: the resizes of VFM-UDA's loader, image and
// label, and the sizes they go to.
func TestAntialiasedResizesMatchPillow(t *testing.T) {
	for _, path := range golden.Files(t, "vfm_margins") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			c := golden.Load(t, path)
			for i := range golden.Param[[]json.RawMessage](c, "case_configs") {
				name := func(s string) string { return fmt.Sprintf("case%d.%s", i, s) }
				image, label := testRaster(t, c, name("resized_image")), testRaster(t, c, name("resized_label"))
				h, w := image.Height(), image.Width()
				same(t, name("image"), ResizeAntialiased(testRaster(t, c, name("image")), h, w, full(h, w)), image)
				same(t, name("label"), ResizeNearestPillow(testRaster(t, c, name("label")), h, w, full(h, w)), label)
			}
		})
	}
}

func TestFitSizeMatchesMMCV(t *testing.T) {
	for _, c := range []struct{ h, w, fitH, fitW, wantH, wantW int }{
		{1052, 1914, 720, 1280, 704, 1280}, {1052, 1914, 1440, 2560, 1407, 2560}, {760, 1280, 1520, 2560, 1520, 2560},
		{1024, 2048, 640, 1280, 640, 1280}, {96, 175, 72, 128, 70, 128},
		{1, 400, 8, 8, 1, 8}, {5000, 2, 64, 32, 64, 1}, {1, 1, 1, 1, 1, 1}, // thinner than a pixel, where mmcv fails
	} {
		if h, w := FitSize(c.h, c.w, [2]int{c.fitH, c.fitW}); h != c.wantH || w != c.wantW {
			t.Errorf("%dx%d into %dx%d is %dx%d, want %dx%d", c.w, c.h, c.fitW, c.fitH, w, h, c.wantW, c.wantH)
		}
	}
}

func TestColorsMatchTorchvision(t *testing.T) {
	compared := 0
	for _, path := range golden.Files(t, "pair_crop") {
		c := golden.Load(t, path)
		if !c.Has("crop1.hue") {
			continue
		}
		compared++
		f := c.Floats("factors")
		for name, apply := range map[string]func(r raster.Raster) raster.Raster{
			"brightness": func(r raster.Raster) raster.Raster { Brightness(r, float64(f[0])); return r },
			"contrast":   func(r raster.Raster) raster.Raster { Contrast(r, float64(f[1])); return r },
			"saturation": func(r raster.Raster) raster.Raster { Saturation(r, float64(f[2])); return r },
			"hue":        func(r raster.Raster) raster.Raster { Hue(r, float64(f[3])); return r },
			"gray":       func(r raster.Raster) raster.Raster { Gray(r); return r },
			"blur5":      Blur5,
		} {
			t.Run(filepath.Base(path)+"/"+name, func(t *testing.T) {
				same(t, name, apply(testRaster(t, c, "crop1")), testRaster(t, c, "crop1."+name))
			})
		}
	}
	if compared == 0 {
		t.Error("nothing was compared")
	}
}

// TestWindowsEqualResizeThenCrop holds every resize to its own whole result.
func TestWindowsEqualResizeThenCrop(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for name, resize := range map[string]func(raster.Raster, int, int, raster.Box) raster.Raster{"bilinear": ResizeBilinear, "bicubic": ResizeBicubic, "nearest": ResizeNearest, "antialiased": ResizeAntialiased, "nearest, Pillow": ResizeNearestPillow} {
		t.Run(name, func(t *testing.T) {
			for range 200 {
				src := random(rng, 1+rng.IntN(40), 1+rng.IntN(40), 3)
				h, w := 1+rng.IntN(60), 1+rng.IntN(60)
				y, x := rng.IntN(h), rng.IntN(w)
				box := raster.Box{Y0: y, X0: x, Y1: y + 1 + rng.IntN(h-y), X1: x + 1 + rng.IntN(w-x)}
				whole := resize(src, h, w, full(h, w))
				same(t, fmt.Sprintf("%dx%d to %dx%d, %v", src.Width(), src.Height(), w, h, box), resize(src, h, w, box), Crop(whole, box))
			}
		})
	}
}

func random(rng *rand.Rand, h, w, c int) raster.Raster {
	r := raster.New(h, w, c)
	for i := range r.Pix() {
		r.Pix()[i] = byte(rng.IntN(256))
	}
	return r
}

func TestFlipTwiceIsNothing(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	for _, c := range []int{1, 3} {
		r := random(rng, 5, 7, c)
		before := r.Clone()
		FlipX(r)
		if bytes.Equal(r.Pix(), before.Pix()) {
			t.Error("the flip changed nothing")
		}
		for x := range 7 {
			if !bytes.Equal(r.Row(2)[x*c:(x+1)*c], before.Row(2)[(6-x)*c:(7-x)*c]) {
				t.Errorf("pixel %d is not the mirrored one", x)
			}
		}
		FlipX(r)
		same(t, "flipped twice", r, before)
	}
}

func TestGiftFiltersByName(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 10))
	for _, name := range FilterNames() {
		f := filters[name]
		args := f.example
		spec := name
		if args != "" {
			spec += ":" + args
		}
		t.Run(spec, func(t *testing.T) {
			filter, err := ParseFilter(spec)
			if err != nil {
				t.Fatal(err)
			}
			image, label := filter.Apply(random(rng, 20, 30, 3), random(rng, 20, 30, 1))
			if !image.SameSize(label) {
				t.Errorf("image %dx%d, label %dx%d", image.Width(), image.Height(), label.Width(), label.Height())
			}
		})
	}
	for spec, want := range map[string]string{"gausian_blur:1": `did you mean "gaussian_blur"`, "gaussian_blur": "takes", "gaussian_blur:x": "number", "gaussian_blur:-1": "at least"} {
		if _, err := ParseFilter(spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", spec, err, want)
		}
	}
}
