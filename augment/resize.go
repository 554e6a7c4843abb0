package augment

import (
	"math"

	"github.com/pipa-uda/pipa/pipeline"
)

// FitSize is the size of an image scaled, keeping its ratio, so that its long
// side is at most the larger and its short side at most the smaller number of
// fit (mmcv 1.3.7 rescale_size).
func FitSize(height, width int, fit [2]int) (h, w int) {
	long, short := float64(max(fit[0], fit[1])), float64(min(fit[0], fit[1]))
	f := min(long/float64(max(height, width)), short/float64(min(height, width)))
	return int(float64(height)*f + 0.5), int(float64(width)*f + 0.5)
}

// full is the window of a whole image.
func full(h, w int) pipeline.Box { return pipeline.Box{Y1: h, X1: w} }

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

// ResizeBilinear scales src to h×w as OpenCV's INTER_LINEAR does for 8-bit
// images, and returns the window of the result.
func ResizeBilinear(src pipeline.Raster, h, w int, window pipeline.Box) pipeline.Raster {
	if src.Height() == h && src.Width() == w {
		return Crop(src, window)
	}
	c := src.Channels()
	out := pipeline.NewRaster(window.Height(), window.Width(), c)
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

// ResizeNearest scales src to h×w as OpenCV's INTER_NEAREST does, and returns
// the window of the result.
func ResizeNearest(src pipeline.Raster, h, w int, window pipeline.Box) pipeline.Raster {
	if src.Height() == h && src.Width() == w {
		return Crop(src, window)
	}
	c := src.Channels()
	out := pipeline.NewRaster(window.Height(), window.Width(), c)
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

// Crop copies the box out of src.
func Crop(src pipeline.Raster, box pipeline.Box) pipeline.Raster {
	c := src.Channels()
	out := pipeline.NewRaster(box.Height(), box.Width(), c)
	for y := range box.Height() {
		copy(out.Row(y), src.Row(box.Y0 + y)[box.X0*c:box.X1*c])
	}
	return out
}

// FlipX mirrors r left to right, in place.
func FlipX(r pipeline.Raster) {
	c := r.Channels()
	for y := range r.Height() {
		row := r.Row(y)
		for i, j := 0, len(row)-c; i < j; i, j = i+c, j-c {
			for k := range c {
				row[i+k], row[j+k] = row[j+k], row[i+k]
			}
		}
	}
}

// Pad extends src at the bottom and the right to h×w with a colour.
func Pad(src pipeline.Raster, h, w int, fill []byte) pipeline.Raster {
	if src.Height() == h && src.Width() == w {
		return src
	}
	out := pipeline.NewRaster(h, w, src.Channels())
	for i := range out.Pix() {
		out.Pix()[i] = fill[i%len(fill)]
	}
	for y := range src.Height() {
		copy(out.Row(y), src.Row(y))
	}
	return out
}

// MeanColor is the ImageNet mean in 8 bits, what images are padded with: about
// 0 once normalised.
func MeanColor() []byte { return []byte{124, 116, 104} }
