package augment

import (
	"github.com/pipa-uda/pipa/augment/internal/kernel"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// FitSize is the size of an image scaled, keeping its ratio, so that its long
// side is at most the larger and its short side at most the smaller number of
// fit (mmcv 1.3.7 rescale_size). No side is less than a pixel, however thin the image.
func FitSize(height, width int, fit [2]int) (h, w int) {
	long, short := float64(max(fit[0], fit[1])), float64(min(fit[0], fit[1]))
	f := min(long/float64(max(height, width)), short/float64(min(height, width)))
	return max(int(float64(float64(height)*f)+0.5), 1), max(int(float64(float64(width)*f)+0.5), 1)
}

// full is the window of a whole image.
func full(h, w int) raster.Box { return raster.Box{Y1: h, X1: w} }

// inNewMemory is a resize whose result has memory of its own.
func inNewMemory(resize func(s *Scratch, dst, src raster.Raster, h, w int, window raster.Box, flip bool), src raster.Raster, channels, h, w int, window raster.Box) raster.Raster {
	out := raster.New(window.Height(), window.Width(), channels)
	s := BorrowScratch()
	defer s.Return()
	resize(s, out, src, h, w, window, false)
	return out
}

// ResizeBilinear scales src to h×w as OpenCV's INTER_LINEAR does for 8-bit
// images, and returns the window of the result.
func ResizeBilinear(src raster.Raster, h, w int, window raster.Box) raster.Raster {
	return inNewMemory((*Scratch).ResizeBilinear, src, src.Channels(), h, w, window)
}

// ResizeBilinear is the function of that name into dst, mirrored where flip is
// set. dst may be larger than the window: the result lies at its top left, or
// mirrored at its top right, and the rest keeps its pixels.
func (s *Scratch) ResizeBilinear(dst, src raster.Raster, h, w int, window raster.Box, flip bool) {
	if src.Height() == h && src.Width() == w {
		cropInto(dst, src, window, flip)
		return
	}
	p := partOf(dst, window, src.Channels(), flip)
	s.bilinear.Set(src.Width(), w, window.X0, window.X1, src.Channels(), flip)
	upper, lower := grow(s.sums[0], p.size+kernel.Slack), grow(s.sums[1], p.size+kernel.Slack)
	upperAt, lowerAt := -1, -1 // the source rows that they hold
	for y := range window.Height() {
		at, w0, w1 := kernel.BilinearTap(src.Height(), h, window.Y0+y, false)
		y0, y1 := min(max(at, 0), src.Height()-1), min(max(at+1, 0), src.Height()-1)
		if y0 == lowerAt { // the lower row becomes the upper one
			upper, lower = lower, upper
			upperAt, lowerAt = lowerAt, upperAt
		}
		if y0 != upperAt {
			kernel.BilinearRow(upper, from(src, y0), &s.bilinear)
			upperAt = y0
		}
		if y1 == y0 {
			kernel.BilinearBlend(p.row(y), upper, upper, w0, w1)
			continue
		}
		if y1 != lowerAt {
			kernel.BilinearRow(lower, from(src, y1), &s.bilinear)
			lowerAt = y1
		}
		kernel.BilinearBlend(p.row(y), upper, lower, w0, w1)
	}
	s.sums = [2][]int16{upper, lower}
}

// ResizeNearest scales src to h×w as OpenCV's INTER_NEAREST does, and returns
// the window of the result.
func ResizeNearest(src raster.Raster, h, w int, window raster.Box) raster.Raster {
	return inNewMemory((*Scratch).ResizeNearest, src, src.Channels(), h, w, window)
}

// ResizeNearest is the function of that name into dst, which is as
// [Scratch.ResizeBilinear]'s.
func (s *Scratch) ResizeNearest(dst, src raster.Raster, h, w int, window raster.Box, flip bool) {
	s.pick(kernel.OpenCVNearest, dst, src, h, w, window, flip)
}

// ResizeNearestPillow scales src to h×w as Pillow's NEAREST does, which takes the
// middles of pixels where OpenCV takes their corners, and returns the window of the
// result. It goes with [ResizeAntialiased].
func ResizeNearestPillow(src raster.Raster, h, w int, window raster.Box) raster.Raster {
	return inNewMemory((*Scratch).ResizeNearestPillow, src, src.Channels(), h, w, window)
}

// ResizeNearestPillow is the function of that name into dst, which is as
// [Scratch.ResizeBilinear]'s.
func (s *Scratch) ResizeNearestPillow(dst, src raster.Raster, h, w int, window raster.Box, flip bool) {
	s.pick(kernel.PillowNearest, dst, src, h, w, window, flip)
}

func (s *Scratch) pick(rule kernel.NearestRule, dst, src raster.Raster, h, w int, window raster.Box, flip bool) {
	if src.Height() == h && src.Width() == w {
		cropInto(dst, src, window, flip)
		return
	}
	p := partOf(dst, window, src.Channels(), flip)
	s.nearest.Set(rule, src.Width(), w, window.X0, window.X1, flip)
	s.rows = rule(s.rows, src.Height(), h, window.Y0, window.Y1)
	for y, at := range s.rows {
		if y > 0 && at == s.rows[y-1] {
			copy(p.row(y), p.row(y-1))
			continue
		}
		kernel.NearestRow(p.row(y), from(src, int(at)), &s.nearest, src.Channels())
	}
}

// ResizeBicubic scales an RGB raster to h×w as Pillow's BICUBIC does, and
// returns the window of the result.
func ResizeBicubic(src raster.Raster, h, w int, window raster.Box) raster.Raster {
	return inNewMemory((*Scratch).ResizeBicubic, src, 3, h, w, window)
}

// ResizeBicubic is the function of that name into dst, which is as
// [Scratch.ResizeBilinear]'s.
func (s *Scratch) ResizeBicubic(dst, src raster.Raster, h, w int, window raster.Box, flip bool) {
	s.resample(kernel.Bicubic, dst, src, h, w, window, flip)
}

// ResizeAntialiased scales an RGB raster to h×w as Pillow's BILINEAR does, which
// averages over as many pixels as an output pixel covers, and returns the window
// of the result. [ResizeBilinear] reads four pixels however small the result is.
func ResizeAntialiased(src raster.Raster, h, w int, window raster.Box) raster.Raster {
	return inNewMemory((*Scratch).ResizeAntialiased, src, 3, h, w, window)
}

// ResizeAntialiased is the function of that name into dst, which is as
// [Scratch.ResizeBilinear]'s.
func (s *Scratch) ResizeAntialiased(dst, src raster.Raster, h, w int, window raster.Box, flip bool) {
	s.resample(kernel.Bilinear, dst, src, h, w, window, flip)
}

func (s *Scratch) resample(f kernel.Filter, dst, src raster.Raster, h, w int, window raster.Box, flip bool) {
	p := partOf(dst, window, 3, flip)
	switch {
	case src.Height() == h && src.Width() == w:
		cropInto(dst, src, window, flip)
	case src.Height() == h:
		s.across.Set(f, src.Width(), w, window.X0, window.X1, flip)
		s.bytes = grow(s.bytes, p.size+kernel.Slack)
		for y := range window.Height() {
			kernel.ResampleRow(s.bytes, from(src, window.Y0+y), &s.across)
			copy(p.row(y), s.bytes)
		}
	case src.Width() == w:
		s.resampleDown(f, p, src, h, window, flip)
	default:
		s.resampleBoth(f, p, src, h, w, window, flip)
	}
}

// resampleDown scales the height only.
func (s *Scratch) resampleDown(f kernel.Filter, p part, src raster.Raster, h int, window raster.Box, flip bool) {
	s.down.Set(f, src.Height(), h, window.Y0, window.Y1)
	s.bytes = grow(s.bytes, p.size)
	stride := 3 * src.Width()
	for y := range window.Height() {
		at, weights := s.down.Position(y)
		s.offsets = grow(s.offsets, len(weights))
		for k := range weights {
			s.offsets[k] = (at + k) * stride
		}
		base := src.Pix()[3*window.X0:]
		if !flip {
			kernel.ResampleColumn(p.row(y), base, s.offsets, weights, &s.column)
			continue
		}
		kernel.ResampleColumn(s.bytes, base, s.offsets, weights, &s.column)
		kernel.Reverse(p.row(y), s.bytes, 3)
	}
}

// resampleBoth scales the width, then the height. The rows between, rounded to
// bytes as Pillow's are, go round in a ring that holds those of one result row.
func (s *Scratch) resampleBoth(f kernel.Filter, p part, src raster.Raster, h, w int, window raster.Box, flip bool) {
	s.across.Set(f, src.Width(), w, window.X0, window.X1, flip)
	s.down.Set(f, src.Height(), h, window.Y0, window.Y1)
	slots := s.down.Taps
	stride := (p.size + kernel.Slack + 31) &^ 31
	s.bytes = grow(s.bytes, slots*stride)
	s.offsets = grow(s.offsets, slots)
	next := 0 // the first source row that the ring has not had
	for y := range window.Height() {
		at, weights := s.down.Position(y)
		for next = max(next, at); next < at+len(weights); next++ {
			kernel.ResampleRow(s.bytes[next%slots*stride:][:p.size+kernel.Slack], from(src, next), &s.across)
		}
		for k := range weights {
			s.offsets[k] = (at + k) % slots * stride
		}
		kernel.ResampleColumn(p.row(y), s.bytes, s.offsets, weights, &s.column)
	}
}
