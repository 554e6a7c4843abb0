package augment

import (
	"math"

	"github.com/pipa-uda/pipa/pipeline"
)

// bicubicBits are the fractional bits of Pillow's 8-bit resampling weights
// (Pillow 9.4 src/libImaging/Resample.c, PRECISION_BITS).
const bicubicBits = 32 - 8 - 2

// kernel is a position's first source index and its weights.
type kernel struct {
	at      int
	weights []int32
}

// bicubicKernels are Pillow's antialiased bicubic weights of positions from to
// to along an axis scaled from in to out.
func bicubicKernels(in, out, from, to int) []kernel {
	scale := float64(in) / float64(out)
	stretch := max(scale, 1)
	support := 2 * stretch
	kernels := make([]kernel, 0, to-from)
	for d := from; d < to; d++ {
		center := (float64(d) + 0.5) * scale
		first := max(int(center-support+0.5), 0)
		last := min(int(center+support+0.5), in)
		values, sum := make([]float64, last-first), 0.0
		for i := range values {
			values[i] = bicubic((float64(i+first) - center + 0.5) / stretch)
			sum += values[i]
		}
		k := kernel{first, make([]int32, len(values))}
		for i, v := range values {
			if sum != 0 {
				v /= sum
			}
			k.weights[i] = int32(math.Round(v * (1 << bicubicBits))) // half away from zero
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

// ResizeBicubic scales an RGB raster to h×w as Pillow's BICUBIC does, and
// returns the window of the result.
func ResizeBicubic(src pipeline.Raster, h, w int, window pipeline.Box) pipeline.Raster {
	across := bicubicKernels(src.Width(), w, window.X0, window.X1)
	down := bicubicKernels(src.Height(), h, window.Y0, window.Y1)
	// The horizontal pass, rounded to bytes, of the source rows that are needed.
	first := down[0].at
	last := 0
	for _, k := range down {
		first, last = min(first, k.at), max(last, k.at+len(k.weights))
	}
	middle := pipeline.NewRaster(last-first, window.Width(), 3)
	for y := first; y < last; y++ {
		if w == src.Width() {
			copy(middle.Row(y-first), src.Row(y)[3*window.X0:3*window.X1])
			continue
		}
		bicubicRow(middle.Row(y-first), src.Row(y), across)
	}
	if h == src.Height() {
		return Crop(middle, pipeline.Box{Y0: window.Y0 - first, Y1: window.Y1 - first, X1: window.Width()})
	}
	out := pipeline.NewRaster(window.Height(), window.Width(), 3)
	sums := make([]int32, 3*window.Width())
	for y, k := range down {
		for i := range sums {
			sums[i] = 1 << (bicubicBits - 1)
		}
		for i, weight := range k.weights {
			row := middle.Row(k.at - first + i)[:len(sums)]
			for x, v := range row {
				sums[x] += int32(v) * weight
			}
		}
		dst := out.Row(y)[:len(sums)]
		for x, s := range sums {
			dst[x] = clip8(s >> bicubicBits)
		}
	}
	return out
}

func bicubicRow(dst, src []byte, kernels []kernel) {
	for x, k := range kernels {
		r, g, b := int32(1<<(bicubicBits-1)), int32(1<<(bicubicBits-1)), int32(1<<(bicubicBits-1))
		row := src[3*k.at : 3*(k.at+len(k.weights))]
		for i, weight := range k.weights {
			p := row[3*i : 3*i+3 : 3*i+3]
			r += int32(p[0]) * weight
			g += int32(p[1]) * weight
			b += int32(p[2]) * weight
		}
		d := dst[3*x : 3*x+3 : 3*x+3]
		d[0], d[1], d[2] = clip8(r>>bicubicBits), clip8(g>>bicubicBits), clip8(b>>bicubicBits)
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
