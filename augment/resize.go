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

// ResizeBilinear scales src to h×w as OpenCV's INTER_LINEAR does for 8-bit
// images, and returns the window of the result.
func ResizeBilinear(src raster.Raster, h, w int, window raster.Box) raster.Raster {
	out := raster.New(window.Height(), window.Width(), src.Channels())
	s := BorrowScratch()
	defer s.Return()
	s.ResizeBilinear(out, src, h, w, window, false)
	return out
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
	out := raster.New(window.Height(), window.Width(), src.Channels())
	s := BorrowScratch()
	defer s.Return()
	s.ResizeNearest(out, src, h, w, window, false)
	return out
}

// ResizeNearest is the function of that name into dst, which is as
// [Scratch.ResizeBilinear]'s.
func (s *Scratch) ResizeNearest(dst, src raster.Raster, h, w int, window raster.Box, flip bool) {
	if src.Height() == h && src.Width() == w {
		cropInto(dst, src, window, flip)
		return
	}
	p := partOf(dst, window, src.Channels(), flip)
	s.nearest.Set(src.Width(), w, window.X0, window.X1, flip)
	have := -1
	for y := range window.Height() {
		at := kernel.NearestIndex(src.Height(), h, window.Y0+y)
		if at == have {
			copy(p.row(y), p.row(y-1))
			continue
		}
		kernel.NearestRow(p.row(y), from(src, at), &s.nearest, src.Channels())
		have = at
	}
}

// ResizeBicubic scales an RGB raster to h×w as Pillow's BICUBIC does, and
// returns the window of the result.
func ResizeBicubic(src raster.Raster, h, w int, window raster.Box) raster.Raster {
	out := raster.New(window.Height(), window.Width(), 3)
	s := BorrowScratch()
	defer s.Return()
	s.ResizeBicubic(out, src, h, w, window, false)
	return out
}

// ResizeBicubic is the function of that name into dst, which is as
// [Scratch.ResizeBilinear]'s.
func (s *Scratch) ResizeBicubic(dst, src raster.Raster, h, w int, window raster.Box, flip bool) {
	p := partOf(dst, window, 3, flip)
	switch {
	case src.Height() == h && src.Width() == w:
		cropInto(dst, src, window, flip)
	case src.Height() == h:
		s.bicubic.Set(src.Width(), w, window.X0, window.X1, flip)
		s.bytes = grow(s.bytes, p.size+kernel.Slack)
		for y := range window.Height() {
			kernel.BicubicRow(s.bytes, from(src, window.Y0+y), &s.bicubic)
			copy(p.row(y), s.bytes)
		}
	case src.Width() == w:
		s.bicubicDown(p, src, h, window, flip)
	default:
		s.bicubicBoth(p, src, h, w, window, flip)
	}
}

// bicubicDown scales the height only.
func (s *Scratch) bicubicDown(p part, src raster.Raster, h int, window raster.Box, flip bool) {
	s.down.Set(src.Height(), h, window.Y0, window.Y1)
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
			kernel.BicubicColumn(p.row(y), base, s.offsets, weights, &s.column)
			continue
		}
		kernel.BicubicColumn(s.bytes, base, s.offsets, weights, &s.column)
		kernel.Reverse(p.row(y), s.bytes, 3)
	}
}

// bicubicBoth scales the width, then the height. The rows between, rounded to
// bytes as Pillow's are, go round in a ring that holds those of one result row.
func (s *Scratch) bicubicBoth(p part, src raster.Raster, h, w int, window raster.Box, flip bool) {
	s.bicubic.Set(src.Width(), w, window.X0, window.X1, flip)
	s.down.Set(src.Height(), h, window.Y0, window.Y1)
	slots := s.down.Taps
	stride := (p.size + kernel.Slack + 31) &^ 31
	s.bytes = grow(s.bytes, slots*stride)
	s.offsets = grow(s.offsets, slots)
	next := 0 // the first source row that the ring has not had
	for y := range window.Height() {
		at, weights := s.down.Position(y)
		for next = max(next, at); next < at+len(weights); next++ {
			kernel.BicubicRow(s.bytes[next%slots*stride:][:p.size+kernel.Slack], from(src, next), &s.bicubic)
		}
		for k := range weights {
			s.offsets[k] = (at + k) % slots * stride
		}
		kernel.BicubicColumn(p.row(y), s.bytes, s.offsets, weights, &s.column)
	}
}
