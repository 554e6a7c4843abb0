package augment

import (
	"github.com/pipa-uda/pipa/augment/internal/kernel"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// Crop copies the box out of src.
func Crop(src raster.Raster, box raster.Box) raster.Raster {
	out := raster.New(box.Height(), box.Width(), src.Channels())
	cropInto(out, src, box, false)
	return out
}

func cropInto(dst, src raster.Raster, box raster.Box, flip bool) {
	c := src.Channels()
	p := partOf(dst, box, c, flip)
	for y := range box.Height() {
		row := src.Row(box.Y0 + y)[box.X0*c : box.X1*c]
		if flip {
			kernel.Reverse(p.row(y), row, c)
		} else {
			copy(p.row(y), row)
		}
	}
}

// FlipX mirrors r left to right, in place.
func FlipX(r raster.Raster) {
	s := BorrowScratch()
	defer s.Return()
	s.bytes = grow(s.bytes, r.Width()*r.Channels())
	for y := range r.Height() {
		copy(s.bytes, r.Row(y))
		kernel.Reverse(r.Row(y), s.bytes, r.Channels())
	}
}

// Pad extends src at the bottom and the right to h×w with a color.
func Pad(src raster.Raster, h, w int, fill []byte) raster.Raster {
	if src.Height() == h && src.Width() == w {
		return src
	}
	out := raster.New(h, w, src.Channels())
	cropInto(out, src, full(src.Height(), src.Width()), false)
	FillAround(out, src.Height(), src.Width(), false, fill)
	return out
}

// FillAround gives a color to the pixels of r outside its top left h×w, or
// its top right where flip is set: what a resize of that size into r leaves.
func FillAround(r raster.Raster, h, w int, flip bool, fill []byte) {
	from, to := w*len(fill), r.Width()*len(fill)
	if flip {
		from, to = 0, (r.Width()-w)*len(fill)
	}
	for y := range r.Height() {
		row := r.Row(y)
		if y < h {
			row = row[from:to]
		}
		for i := range row {
			row[i] = fill[i%len(fill)]
		}
	}
}

// MeanColor is the ImageNet mean in 8 bits, what images are padded with: about
// 0 once normalized.
func MeanColor() []byte { return []byte{124, 116, 104} }
