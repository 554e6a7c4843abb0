package augment

import (
	"github.com/pipa-uda/pipa/augment/internal/kernel"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// Blur5 is OpenCV's GaussianBlur with a 5×5 kernel and no sigma, the binomial
// 1 4 6 4 1, borders mirrored without repeating them.
func Blur5(image raster.Raster) raster.Raster {
	out := image.Clone()
	s := BorrowScratch()
	defer s.Return()
	s.Blur5(out)
	return out
}

// Blur5 is the function of that name in place.
func (s *Scratch) Blur5(image raster.Raster) {
	h, w, c := image.Height(), image.Width(), image.Channels()
	size := w * c
	s.blurred = grow(s.blurred, size+4*c) // with two mirrored pixels at either end
	inner := s.blurred[2*c:][:size]
	s.bytes = grow(s.bytes, 3*size) // the last three rows before they were blurred
	before := func(y int) []byte { return s.bytes[y%3*size:][:size] }
	for y := range h {
		copy(before(y), image.Row(y))
		row := func(i int) []byte {
			if i = mirror(i, h); i <= y {
				return before(i)
			}
			return image.Row(i)
		}
		kernel.BlurRows(inner, row(y-2), row(y-1), row(y), row(y+1), row(y+2))
		for i := 1; i <= 2; i++ {
			copy(s.blurred[(2-i)*c:][:c], inner[mirror(-i, w)*c:])
			copy(s.blurred[(w+1+i)*c:][:c], inner[mirror(w-1+i, w)*c:])
		}
		kernel.BlurColumns(image.Row(y), s.blurred, c)
	}
}

// mirror is the index inside n that i outside is reflected to, the border not
// repeated.
func mirror(i, n int) int {
	if n == 1 {
		return 0
	}
	for i < 0 || i >= n {
		if i < 0 {
			i = -i
		} else {
			i = 2*(n-1) - i
		}
	}
	return i
}
