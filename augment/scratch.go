package augment

import (
	"fmt"
	"sync"

	"github.com/pipa-uda/pipa/augment/internal/kernel"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// A Scratch is the memory that the operations work in: rows and tables, about
// a hundred kilobytes. Its methods write into rasters of the caller's and
// allocate nothing once they have been used at a size. The zero Scratch is
// ready. It serves one goroutine at a time; the package's functions borrow one
// from a pool.
type Scratch struct {
	bilinear kernel.BilinearTaps
	nearest  kernel.NearestTaps
	across   kernel.ResampleTaps
	down     kernel.ResampleAxis
	column   kernel.ColumnScratch
	sums     [2][]int16 // rows of a bilinear horizontal pass
	blurred  []uint16   // a row of Blur5's vertical sums
	bytes    []byte     // rows of pixels
	rows     []int32    // source rows of a nearest-neighbor choice
	offsets  []int      // of the rows or pixels that are weighed
	floats   []float32  // rows of a Gaussian blur
	weights  []float32  // of a Gaussian blur
}

var scratches = sync.Pool{New: func() any { return new(Scratch) }}

// BorrowScratch takes a Scratch out of the package's pool, for a caller that
// has no place to keep one. [Scratch.Return] gives it back.
func BorrowScratch() *Scratch { return scratches.Get().(*Scratch) }

// Return gives a Scratch to the pool; it must not be used any more.
func (s *Scratch) Return() { scratches.Put(s) }

// grow returns a slice of length n, s's memory where it is large enough.
func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// part is where a result of the given size lies in dst: at the top, to the
// left, or to the right where it is mirrored. So a mirrored result ends up
// where mirroring the whole of dst would bring it.
type part struct {
	dst  raster.Raster
	from int // byte in a row
	size int // bytes of a row
}

func partOf(dst raster.Raster, box raster.Box, channels int, flip bool) part {
	if dst.Channels() != channels || dst.Height() < box.Height() || dst.Width() < box.Width() {
		panic(fmt.Sprintf("augment: a result of %dx%dx%d into a raster of %dx%dx%d", box.Width(), box.Height(), channels, dst.Width(), dst.Height(), dst.Channels()))
	}
	p := part{dst: dst, size: box.Width() * channels}
	if flip {
		p.from = (dst.Width() - box.Width()) * channels
	}
	return p
}

func (p part) row(y int) []byte { return p.dst.Row(y)[p.from : p.from+p.size : p.from+p.size] }

// from is the memory of row y and those after it.
func from(r raster.Raster, y int) []byte { return r.Pix()[y*r.Width()*r.Channels():] }
