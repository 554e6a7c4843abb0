package augment

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// street is noise over gradients: every byte value and every hue sector.
func street(h, w int) raster.Raster {
	rng := rand.New(rand.NewPCG(1, 2))
	r := raster.New(h, w, 3)
	for i := range r.Pix() {
		r.Pix()[i] = byte(i/7 + i%3*40 + rng.IntN(24))
	}
	return r
}

// regions is a label of square regions.
func regions(h, w int) raster.Raster {
	r := raster.New(h, w, 1)
	for i := range r.Pix() {
		r.Pix()[i] = byte((i/w/50*7 + i%w/70) % 19)
	}
	return r
}

func BenchmarkResizeBilinear(b *testing.B) {
	src := street(1024, 2048)
	for name, window := range map[string]raster.Box{"whole": full(640, 1280), "window512": {Y0: 64, X0: 384, Y1: 576, X1: 896}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ResizeBilinear(src, 640, 1280, window)
			}
		})
	}
}

func BenchmarkResizeNearest(b *testing.B) {
	src := regions(1024, 2048)
	b.ReportAllocs()
	for b.Loop() {
		ResizeNearest(src, 640, 1280, full(640, 1280))
	}
}

// BenchmarkInto has the resizes write into memory of the caller's.
func BenchmarkInto(b *testing.B) {
	var s Scratch
	image, label := street(1024, 2048), regions(1024, 2048)
	small, smallLabel := raster.New(640, 1280, 3), raster.New(640, 1280, 1)
	crop, crop2 := raster.New(720, 720, 3), raster.New(720, 720, 3)
	a := raster.Box{Y0: 350, X0: 900, Y1: 1070, X1: 1620}
	for name, f := range map[string]func(){
		"bilinear_whole":  func() { s.ResizeBilinear(small, image, 640, 1280, full(640, 1280), false) },
		"nearest_whole":   func() { s.ResizeNearest(smallLabel, label, 640, 1280, full(640, 1280), false) },
		"bicubic_720":     func() { s.ResizeBicubic(crop, image, 1434, 2867, a, false) },
		"bicubic_720flip": func() { s.ResizeBicubic(crop, image, 1434, 2867, a, true) },
		"bicubic_pair": func() {
			s.ResizeBicubicPair([2]raster.Raster{crop, crop2}, image, 1434, 2867, [2]raster.Box{a, a.Shift(200, -240)}, [2]bool{false, true})
		},
		"blur5_720": func() { s.Blur5(crop) },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f()
			}
		})
	}
}

func BenchmarkResizeBicubic(b *testing.B) {
	src := street(1024, 2048)
	for name, c := range map[string]struct {
		h, w   int
		window raster.Box
	}{
		"window720_x0.8": {819, 1638, raster.Box{Y0: 50, X0: 400, Y1: 770, X1: 1120}},
		"window720_x1.4": {1434, 2867, raster.Box{Y0: 350, X0: 900, Y1: 1070, X1: 1620}},
		"whole_1280":     {640, 1280, full(640, 1280)},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				ResizeBicubic(src, c.h, c.w, c.window)
			}
		})
	}
}

func BenchmarkColor(b *testing.B) {
	for name, apply := range map[string]func(raster.Raster){
		"brightness": func(r raster.Raster) { Brightness(r, 1.2) },
		"contrast":   func(r raster.Raster) { Contrast(r, 0.8) },
		"saturation": func(r raster.Raster) { Saturation(r, 1.3) },
		"hue":        func(r raster.Raster) { Hue(r, 0.07) },
		"gray":       Gray,
		"blur5":      func(r raster.Raster) { Blur5(r) },
	} {
		b.Run(name, func(b *testing.B) {
			r := street(720, 720)
			b.ReportAllocs()
			for b.Loop() {
				apply(r)
			}
		})
	}
}

func BenchmarkGaussianBlur(b *testing.B) {
	for _, sigma := range []float64{1.15, 2.3, 8} {
		b.Run(fmt.Sprint("512_sigma", sigma), func(b *testing.B) {
			r := street(512, 512)
			b.ReportAllocs()
			for b.Loop() {
				GaussianBlur(r, sigma)
			}
		})
	}
	b.Run("512_gift_sigma2.3", func(b *testing.B) {
		f, err := ParseFilter("gaussian_blur:2.3")
		if err != nil {
			b.Fatal(err)
		}
		r := street(512, 512)
		for b.Loop() {
			f.draw(r, raster.Raster{})
		}
	})
}

func BenchmarkJitter(b *testing.B) {
	for name, side := range map[string]int{"720": 720, "512": 512} {
		b.Run(name, func(b *testing.B) {
			r := street(side, side)
			work := r.Clone()
			rng := rand.New(rand.NewPCG(3, 4))
			j := ColorJitter{Brightness: 0.4, Contrast: 0.4, Saturation: 0.4, Hue: 0.1, Chance: 1}
			b.ReportAllocs()
			for b.Loop() {
				copy(work.Pix(), r.Pix())
				j.Apply(work, rng)
			}
		})
	}
}

func BenchmarkSample(b *testing.B) {
	in := pipeline.Sample{ID: "x", Image: street(1052, 1914), Label: regions(1052, 1914)}
	for name, o := range map[string]Options{
		"gta640":  {Resize: [2]int{720, 1280}, Crop: [2]int{640, 640}, CatMaxRatio: 0.75, Flip: 0.5},
		"gta1024": {Resize: [2]int{1440, 2560}, Crop: [2]int{1024, 1024}, CatMaxRatio: 0.75, Flip: 0.5},
		"crop512": {Crop: [2]int{512, 512}, Flip: 0.5},
	} {
		b.Run(name, func(b *testing.B) {
			s, err := New(o, 1, 2)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				s.Sample(in)
			}
		})
	}
}
