package augment

import (
	"math"

	"github.com/pipa-uda/pipa/pipeline/raster"
)

// The functions below say in the shortest way, pixel by pixel and in the
// libraries' own number types, what the kernels compute; the kernels are held
// to them.

// bilinearBits are the fractional bits of OpenCV's 8-bit bilinear weights.
const bilinearBits = 11

// tap is a position's first source index and its two weights.
type tap struct {
	at       int
	w0, w1   int32
	nextStep int // 1, or 0 at the far border
}

// bilinearTaps are the taps of positions from to to along an axis scaled from
// in to out (OpenCV 4.6 modules/imgproc/src/resize.cpp). inner says whether the
// axis is the horizontal one, whose weights OpenCV resets at the borders.
func bilinearTaps(in, out, from, to int, inner bool) []tap {
	scale := float64(in) / float64(out)
	taps := make([]tap, 0, to-from)
	for d := from; d < to; d++ {
		f := float32((float64(d)+0.5)*scale - 0.5)
		s := int(math.Floor(float64(f)))
		f -= float32(s)
		if inner {
			if s < 0 {
				s, f = 0, 0
			}
			if s >= in-1 {
				s, f = in-1, 0
			}
		}
		t := tap{at: s, w0: fixed((1 - f) * (1 << bilinearBits)), w1: fixed(f * (1 << bilinearBits)), nextStep: 1}
		if s >= in-1 {
			t.nextStep = 0
		}
		taps = append(taps, t)
	}
	return taps
}

func fixed(f float32) int32 { return int32(math.RoundToEven(float64(f))) }

// referenceBilinear scales src to h×w as OpenCV's INTER_LINEAR does for 8-bit
// images, and returns the window of the result.
func referenceBilinear(src raster.Raster, h, w int, window raster.Box) raster.Raster {
	if src.Height() == h && src.Width() == w {
		return Crop(src, window)
	}
	c := src.Channels()
	out := raster.New(window.Height(), window.Width(), c)
	across := bilinearTaps(src.Width(), w, window.X0, window.X1, true)
	down := bilinearTaps(src.Height(), h, window.Y0, window.Y1, false)
	rows := [2][]int32{make([]int32, window.Width()*c), make([]int32, window.Width()*c)}
	have := [2]int{-1, -1} // the source rows that rows hold
	for y, t := range down {
		y0 := min(max(t.at, 0), src.Height()-1)
		y1 := min(max(t.at+1, 0), src.Height()-1)
		if have[1] == y0 { // the lower row becomes the upper one
			rows[0], rows[1] = rows[1], rows[0]
			have[0], have[1] = have[1], have[0]
		}
		if have[0] != y0 {
			bilinearRow(rows[0], src.Row(y0), across, c)
			have[0] = y0
		}
		if y1 != y0 && have[1] != y1 {
			bilinearRow(rows[1], src.Row(y1), across, c)
			have[1] = y1
		}
		upper, lower := rows[0], rows[1]
		if y1 == y0 {
			lower = rows[0]
		}
		blend(out.Row(y), upper, lower, t.w0, t.w1)
	}
	return out
}

// bilinearRow interpolates a row horizontally, scaled by 2^11.
func bilinearRow(dst []int32, src []byte, taps []tap, channels int) {
	if channels == 3 {
		for i, t := range taps {
			a := src[3*t.at : 3*t.at+3 : 3*t.at+3]
			b := src[3*(t.at+t.nextStep):][:3]
			d := dst[3*i : 3*i+3 : 3*i+3]
			d[0] = int32(a[0])*t.w0 + int32(b[0])*t.w1
			d[1] = int32(a[1])*t.w0 + int32(b[1])*t.w1
			d[2] = int32(a[2])*t.w0 + int32(b[2])*t.w1
		}
		return
	}
	for i, t := range taps {
		for k := range channels {
			dst[i*channels+k] = int32(src[t.at*channels+k])*t.w0 + int32(src[(t.at+t.nextStep)*channels+k])*t.w1
		}
	}
}

// blend interpolates two rows vertically, in the order of OpenCV's roundings.
func blend(dst []byte, upper, lower []int32, w0, w1 int32) {
	upper, lower = upper[:len(dst)], lower[:len(dst)]
	for i := range dst {
		dst[i] = byte(((w0*(upper[i]>>4))>>16 + (w1*(lower[i]>>4))>>16 + 2) >> 2)
	}
}

// referenceNearest scales src to h×w as OpenCV's INTER_NEAREST does, and returns
// the window of the result.
func referenceNearest(src raster.Raster, h, w int, window raster.Box) raster.Raster {
	if src.Height() == h && src.Width() == w {
		return Crop(src, window)
	}
	c := src.Channels()
	out := raster.New(window.Height(), window.Width(), c)
	across := nearestIndices(src.Width(), w, window.X0, window.X1)
	down := nearestIndices(src.Height(), h, window.Y0, window.Y1)
	for y, from := range down {
		if y > 0 && down[y-1] == from {
			copy(out.Row(y), out.Row(y-1))
			continue
		}
		dst, row := out.Row(y), src.Row(from)
		if c == 1 {
			dst = dst[:len(across)]
			for x, at := range across {
				dst[x] = row[at]
			}
			continue
		}
		for x, at := range across {
			copy(dst[x*c:(x+1)*c], row[at*c:])
		}
	}
	return out
}

func nearestIndices(in, out, from, to int) []int {
	step := 1 / (float64(out) / float64(in))
	indices := make([]int, 0, to-from)
	for d := from; d < to; d++ {
		indices = append(indices, min(int(math.Floor(float64(d)*step)), in-1))
	}
	return indices
}

// resampleBits are the fractional bits of Pillow's 8-bit resampling weights
// (Pillow 9.4 src/libImaging/Resample.c, PRECISION_BITS).
const resampleBits = 32 - 8 - 2

// weighted is a position's first source index and its weights.
type weighted struct {
	at      int
	weights []int32
}

// bicubicKernels are Pillow's antialiased bicubic weights of positions from to
// to along an axis scaled from in to out.
func bicubicKernels(in, out, from, to int) []weighted {
	scale := float64(in) / float64(out)
	stretch := max(scale, 1)
	support := 2 * stretch
	kernels := make([]weighted, 0, to-from)
	for d := from; d < to; d++ {
		center := (float64(d) + 0.5) * scale
		first := max(int(center-support+0.5), 0)
		last := min(int(center+support+0.5), in)
		values, sum := make([]float64, last-first), 0.0
		for i := range values {
			values[i] = bicubic((float64(i+first) - center + 0.5) / stretch)
			sum += values[i]
		}
		k := weighted{first, make([]int32, len(values))}
		for i, v := range values {
			if sum != 0 {
				v /= sum
			}
			k.weights[i] = int32(math.Round(v * (1 << resampleBits))) // half away from zero
		}
		kernels = append(kernels, k)
	}
	return kernels
}

// bicubic is Keys' cubic convolution with a = -0.5.
func bicubic(x float64) float64 {
	const a = -0.5
	x = math.Abs(x)
	switch {
	case x < 1:
		return ((a+2)*x-(a+3))*x*x + 1
	case x < 2:
		return (((x-5)*x+8)*x - 4) * a
	}
	return 0
}

// referenceBicubic scales an RGB raster to h×w as Pillow's BICUBIC does, and
// returns the window of the result.
func referenceBicubic(src raster.Raster, h, w int, window raster.Box) raster.Raster {
	across := bicubicKernels(src.Width(), w, window.X0, window.X1)
	down := bicubicKernels(src.Height(), h, window.Y0, window.Y1)
	// The horizontal pass, rounded to bytes, of the source rows that are needed.
	first := down[0].at
	last := 0
	for _, k := range down {
		first, last = min(first, k.at), max(last, k.at+len(k.weights))
	}
	middle := raster.New(last-first, window.Width(), 3)
	for y := first; y < last; y++ {
		if w == src.Width() {
			copy(middle.Row(y-first), src.Row(y)[3*window.X0:3*window.X1])
			continue
		}
		bicubicRow(middle.Row(y-first), src.Row(y), across)
	}
	if h == src.Height() {
		return Crop(middle, raster.Box{Y0: window.Y0 - first, Y1: window.Y1 - first, X1: window.Width()})
	}
	out := raster.New(window.Height(), window.Width(), 3)
	sums := make([]int32, 3*window.Width())
	for y, k := range down {
		for i := range sums {
			sums[i] = 1 << (resampleBits - 1)
		}
		for i, weight := range k.weights {
			row := middle.Row(k.at - first + i)[:len(sums)]
			for x, v := range row {
				sums[x] += int32(v) * weight
			}
		}
		dst := out.Row(y)[:len(sums)]
		for x, s := range sums {
			dst[x] = clip8(s >> resampleBits)
		}
	}
	return out
}

func bicubicRow(dst, src []byte, kernels []weighted) {
	for x, k := range kernels {
		r, g, b := int32(1<<(resampleBits-1)), int32(1<<(resampleBits-1)), int32(1<<(resampleBits-1))
		row := src[3*k.at : 3*(k.at+len(k.weights))]
		for i, weight := range k.weights {
			p := row[3*i : 3*i+3 : 3*i+3]
			r += int32(p[0]) * weight
			g += int32(p[1]) * weight
			b += int32(p[2]) * weight
		}
		d := dst[3*x : 3*x+3 : 3*x+3]
		d[0], d[1], d[2] = clip8(r>>resampleBits), clip8(g>>resampleBits), clip8(b>>resampleBits)
	}
}

func clip8(v int32) byte {
	if uint32(v) > 255 {
		if v < 0 {
			return 0
		}
		return 255
	}
	return byte(v)
}
