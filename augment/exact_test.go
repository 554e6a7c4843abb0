package augment

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/pipa-uda/pipa/pipeline/raster"
)

// drawSide draws a length: mostly short and odd ones, where borders meet.
func drawSide(rng *rand.Rand) int {
	if rng.IntN(6) == 0 {
		return 1 + rng.IntN(300)
	}
	return 1 + rng.IntN(40)
}

// drawWindow draws a box inside h×w.
func drawWindow(rng *rand.Rand, h, w int) raster.Box {
	y, x := rng.IntN(h), rng.IntN(w)
	return raster.Box{Y0: y, X0: x, Y1: y + 1 + rng.IntN(h-y), X1: x + 1 + rng.IntN(w-x)}
}

// resizes are the three with their references.
var resizes = map[string]struct {
	into      func(s *Scratch, dst, src raster.Raster, h, w int, window raster.Box, flip bool)
	reference func(src raster.Raster, h, w int, window raster.Box) raster.Raster
	rows      func(srcHeight, h int, window raster.Box) (first, last int)
	channels  []int
}{
	"bilinear": {(*Scratch).ResizeBilinear, referenceBilinear, BilinearRows, []int{1, 3}},
	"nearest":  {(*Scratch).ResizeNearest, referenceNearest, NearestRows, []int{1, 3}},
	"bicubic":  {(*Scratch).ResizeBicubic, referenceBicubic, BicubicRows, []int{3}},
}

// checkResize compares a resize with its reference: a window of the whole,
// mirrored or not, in a raster that is larger, from a source whose rows that
// are said not to be needed hold noise.
func checkResize(t *testing.T, name string, rng *rand.Rand, s *Scratch, srcH, srcW, h, w int, window raster.Box, flip bool) {
	t.Helper()
	resize := resizes[name]
	c := resize.channels[rng.IntN(len(resize.channels))]
	src := random(rng, srcH, srcW, c)
	want := Crop(resize.reference(src, h, w, full(h, w)), window)
	if flip {
		FlipX(want)
	}
	first, last := resize.rows(srcH, h, window)
	if first < 0 || last > srcH || first >= last {
		t.Fatalf("%s of %d rows to %d, %v, needs rows %d..%d", name, srcH, h, window, first, last)
	}
	for i := range src.Pix() {
		if y := i / (srcW * c); y < first || y >= last {
			src.Pix()[i] = byte(rng.Uint32())
		}
	}
	dst := random(rng, window.Height()+rng.IntN(3), window.Width()+rng.IntN(3), c)
	before := dst.Clone()
	resize.into(s, dst, src, h, w, window, flip)
	box := full(window.Height(), window.Width())
	if flip {
		box = box.FlipX(dst.Width())
	}
	about := fmt.Sprintf("%s %dx%dx%d to %dx%d, %v, flip %v", name, srcW, srcH, c, w, h, window, flip)
	same(t, about, Crop(dst, box), want)
	for y := range dst.Height() {
		for x := range dst.Width() {
			if y >= box.Y0 && y < box.Y1 && x >= box.X0 && x < box.X1 {
				continue
			}
			for k := range c {
				if dst.Row(y)[x*c+k] != before.Row(y)[x*c+k] {
					t.Fatalf("%s wrote outside the window, at %d,%d", about, y, x)
				}
			}
		}
	}
}

func TestResizesEqualReferences(t *testing.T) {
	for name := range resizes {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(11, 12))
			var s Scratch
			for range 400 {
				srcH, srcW, h, w := drawSide(rng), drawSide(rng), drawSide(rng), drawSide(rng)
				if rng.IntN(8) == 0 {
					h = srcH
				}
				if rng.IntN(8) == 0 {
					w = srcW
				}
				checkResize(t, name, rng, &s, srcH, srcW, h, w, drawWindow(rng, h, w), rng.IntN(2) == 0)
			}
		})
	}
}

func TestPairEqualsTwoResizes(t *testing.T) {
	rng := rand.New(rand.NewPCG(13, 14))
	var s Scratch
	for range 600 {
		checkPair(t, rng, &s, drawSide(rng), drawSide(rng), drawSide(rng), drawSide(rng))
	}
}

func checkPair(t *testing.T, rng *rand.Rand, s *Scratch, srcH, srcW, h, w int) {
	t.Helper()
	src := random(rng, srcH, srcW, 3)
	windows := [2]raster.Box{drawWindow(rng, h, w), drawWindow(rng, h, w)}
	flips := [2]bool{rng.IntN(2) == 0, rng.IntN(2) == 0}
	var got [2]raster.Raster
	for i, box := range windows {
		got[i] = raster.New(box.Height(), box.Width(), 3)
	}
	s.ResizeBicubicPair(got, src, h, w, windows, flips)
	for i, box := range windows {
		want := referenceBicubic(src, h, w, box)
		if flips[i] {
			FlipX(want)
		}
		same(t, fmt.Sprintf("crop %d of %dx%d to %dx%d, %v, flips %v", i, srcW, srcH, w, h, windows, flips), got[i], want)
	}
}

// colorful is a raster of noise with many grays and pure colors.
func colorful(rng *rand.Rand, h, w int) raster.Raster {
	r := random(rng, h, w, 3)
	for p := r.Pix(); len(p) > 0; p = p[3:] {
		switch rng.IntN(5) {
		case 0:
			p[1], p[2] = p[0], p[0]
		case 1:
			p[rng.IntN(3)] = 255
		case 2:
			p[rng.IntN(3)] = 0
		}
	}
	return r
}

func checkColors(t *testing.T, rng *rand.Rand, h, w int, factor, turns float64) {
	t.Helper()
	src := colorful(rng, h, w)
	for name, f := range map[string][2]func(raster.Raster){
		"brightness": {func(r raster.Raster) { Brightness(r, factor) }, func(r raster.Raster) { referenceBrightness(r, factor) }},
		"contrast":   {func(r raster.Raster) { Contrast(r, factor) }, func(r raster.Raster) { referenceContrast(r, factor) }},
		"saturation": {func(r raster.Raster) { Saturation(r, factor) }, func(r raster.Raster) { referenceSaturation(r, factor) }},
		"hue":        {func(r raster.Raster) { Hue(r, turns) }, func(r raster.Raster) { referenceHue(r, turns) }},
		"gray":       {Gray, referenceGray},
	} {
		got, want := src.Clone(), src.Clone()
		f[0](got)
		f[1](want)
		same(t, fmt.Sprintf("%s by %v, %v of %dx%d", name, factor, turns, w, h), got, want)
	}
}

func TestColorsEqualReferences(t *testing.T) {
	rng := rand.New(rand.NewPCG(15, 16))
	for range 300 {
		checkColors(t, rng, drawSide(rng), drawSide(rng), rng.NormFloat64()*2, rng.Float64()-0.5)
	}
}

// referenceJitter is ColorJitter.Apply, operation by operation.
func referenceJitter(j ColorJitter, image raster.Raster, rng *rand.Rand) {
	if j.Chance == 0 || rng.Float64() >= j.Chance {
		return
	}
	factor := func(spread float64) float64 { return 1 + spread*(2*rng.Float64()-1) }
	b, c, s, h := factor(j.Brightness), factor(j.Contrast), factor(j.Saturation), factor(j.Hue)-1
	for _, operation := range rng.Perm(4) {
		switch operation {
		case 0:
			referenceBrightness(image, b)
		case 1:
			referenceContrast(image, c)
		case 2:
			referenceSaturation(image, s)
		case 3:
			if h != 0 { // torchvision leaves the step out
				referenceHue(image, h)
			}
		}
	}
}

func checkJitter(t *testing.T, rng *rand.Rand, h, w int, j ColorJitter, seed uint64) {
	t.Helper()
	got := colorful(rng, h, w)
	want := got.Clone()
	a, b := rand.New(rand.NewPCG(seed, 1)), rand.New(rand.NewPCG(seed, 1))
	j.Apply(got, a)
	referenceJitter(j, want, b)
	same(t, fmt.Sprintf("%+v of %dx%d", j, w, h), got, want)
	if a.Uint64() != b.Uint64() {
		t.Fatalf("%+v drew another number of times", j)
	}
}

func TestJitterEqualsReference(t *testing.T) {
	rng := rand.New(rand.NewPCG(17, 18))
	for seed := range uint64(150) {
		j := ColorJitter{Brightness: rng.Float64(), Contrast: rng.Float64(), Saturation: rng.Float64(), Hue: rng.Float64() / 2, Chance: 0.9}
		if seed%5 == 0 {
			j.Contrast = 0
		}
		if seed%3 == 0 {
			j.Hue = 0
		}
		checkJitter(t, rng, drawSide(rng), drawSide(rng), j, seed)
	}
}

func checkBlur(t *testing.T, rng *rand.Rand, s *Scratch, h, w, c int) {
	t.Helper()
	src := random(rng, h, w, c)
	got, want := src.Clone(), referenceBlur5(src)
	s.Blur5(got)
	same(t, fmt.Sprintf("blur of %dx%dx%d in place", w, h, c), got, want)
	same(t, fmt.Sprintf("blur of %dx%dx%d", w, h, c), Blur5(src), want)
}

func TestBlurEqualsReference(t *testing.T) {
	rng := rand.New(rand.NewPCG(19, 20))
	var s Scratch
	for range 400 {
		checkBlur(t, rng, &s, drawSide(rng), drawSide(rng), 1+2*rng.IntN(2))
	}
}

func checkGaussian(t *testing.T, rng *rand.Rand, s *Scratch, h, w int, sigma float64) {
	t.Helper()
	f, err := ParseFilter(fmt.Sprintf("gaussian_blur:%v", sigma))
	if err != nil {
		t.Fatal(err)
	}
	src := colorful(rng, h, w)
	want, _ := f.draw(src, raster.Raster{})
	got := src.Clone()
	s.GaussianBlur(got, sigma)
	same(t, fmt.Sprintf("Gaussian blur by %v of %dx%d", sigma, w, h), got, want)
	applied, _ := f.Apply(src, raster.Raster{})
	same(t, "the filter", applied, want)
}

func TestGaussianBlurEqualsGift(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("elsewhere the compiler fuses gift's products and sums")
	}
	rng := rand.New(rand.NewPCG(25, 26))
	var s Scratch
	for range 150 {
		sigma := []float64{0, 0.01, 0.3, 1.5, 9, rng.Float64() * 4}[rng.IntN(6)]
		checkGaussian(t, rng, &s, drawSide(rng), drawSide(rng), sigma)
	}
}

// clamp makes a fuzzer's number a length.
func clamp(v uint16, most int) int { return 1 + int(v)%most }

func fuzzResize(f *testing.F, name string) {
	f.Add(uint64(1), uint16(10), uint16(20), uint16(7), uint16(13), false)
	f.Add(uint64(2), uint16(3), uint16(1), uint16(40), uint16(90), true)
	f.Add(uint64(3), uint16(90), uint16(200), uint16(20), uint16(31), true)
	f.Fuzz(func(t *testing.T, seed uint64, srcH, srcW, h, w uint16, flip bool) {
		rng := rand.New(rand.NewPCG(seed, 0))
		oh, ow := clamp(h, 300), clamp(w, 300)
		checkResize(t, name, rng, new(Scratch), clamp(srcH, 300), clamp(srcW, 300), oh, ow, drawWindow(rng, oh, ow), flip)
	})
}

func FuzzResizeBilinear(f *testing.F) { fuzzResize(f, "bilinear") }
func FuzzResizeNearest(f *testing.F)  { fuzzResize(f, "nearest") }
func FuzzBicubic(f *testing.F)        { fuzzResize(f, "bicubic") }

func FuzzBicubicPair(f *testing.F) {
	f.Add(uint64(1), uint16(10), uint16(20), uint16(7), uint16(13))
	f.Add(uint64(2), uint16(30), uint16(60), uint16(40), uint16(90))
	f.Fuzz(func(t *testing.T, seed uint64, srcH, srcW, h, w uint16) {
		checkPair(t, rand.New(rand.NewPCG(seed, 0)), new(Scratch), clamp(srcH, 200), clamp(srcW, 200), clamp(h, 200), clamp(w, 200))
	})
}

func FuzzBlur(f *testing.F) {
	f.Add(uint64(1), uint16(5), uint16(9), false)
	f.Add(uint64(2), uint16(0), uint16(64), true)
	f.Fuzz(func(t *testing.T, seed uint64, h, w uint16, rgb bool) {
		c := 1
		if rgb {
			c = 3
		}
		checkBlur(t, rand.New(rand.NewPCG(seed, 0)), new(Scratch), clamp(h, 100), clamp(w, 300), c)
	})
}

func FuzzGaussianBlur(f *testing.F) {
	f.Add(uint64(1), uint16(5), uint16(9), 1.5)
	f.Add(uint64(2), uint16(40), uint16(64), 0.2)
	f.Fuzz(func(t *testing.T, seed uint64, h, w uint16, sigma float64) {
		if runtime.GOARCH != "amd64" || !(sigma >= 0 && sigma < 20) {
			return
		}
		checkGaussian(t, rand.New(rand.NewPCG(seed, 0)), new(Scratch), clamp(h, 100), clamp(w, 100), sigma)
	})
}

func FuzzJitter(f *testing.F) {
	f.Add(uint64(1), uint16(5), uint16(9), 0.4, 0.4, 0.4, 0.1)
	f.Add(uint64(2), uint16(64), uint16(100), 1.0, 0.0, 0.9, 0.5)
	f.Fuzz(func(t *testing.T, seed uint64, h, w uint16, b, c, s, hue float64) {
		j := ColorJitter{Brightness: b, Contrast: c, Saturation: s, Hue: hue, Chance: 1}
		if (Options{Jitter: j}).Validate() != nil {
			return
		}
		checkJitter(t, rand.New(rand.NewPCG(seed, 0)), clamp(h, 100), clamp(w, 200), j, seed)
	})
}
