package augment

import (
	"encoding/binary"
	"math/rand/v2"

	"github.com/pipa-uda/pipa/augment/internal/kernel"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// chooseCrop draws the box that is kept of an h×w frame. It is smaller than
// the crop where the frame is. The label has its own size, or is empty.
func (s *Stage) chooseCrop(scratch *Scratch, label raster.Raster, h, w int, rng *rand.Rand) raster.Box {
	ch, cw := s.options.Crop[0], s.options.Crop[1]
	draw := func() raster.Box {
		y, x := rng.IntN(max(h-ch, 0)+1), rng.IntN(max(w-cw, 0)+1)
		return raster.Box{Y0: y, X0: x, Y1: min(y+ch, h), X1: min(x+cw, w)}
	}
	box := draw()
	if r := s.options.CatMaxRatio; r > 0 && r < 1 && !label.Empty() {
		// Ten boxes are tried; the eleventh is taken unchecked.
		for range 10 {
			if counts := scratch.countResized(label, h, w, box); counts.varied(r) {
				break
			}
			box = draw()
		}
	}
	return box
}

// Varied reports whether a label's box has more than one class and none that
// covers maxRatio or more of the pixels that are not ignored.
func Varied(label raster.Raster, box raster.Box, maxRatio float64) bool {
	var counts classCounts
	for y := box.Y0; y < box.Y1; y++ {
		counts.add(label.Row(y)[box.X0:box.X1], 1)
	}
	return counts.varied(maxRatio)
}

// countResized counts a box of the label scaled to h×w, without resizing it:
// one row at a time, each source row once.
func (s *Scratch) countResized(label raster.Raster, h, w int, box raster.Box) (counts classCounts) {
	if label.Height() == h && label.Width() == w {
		for y := box.Y0; y < box.Y1; y++ {
			counts.add(label.Row(y)[box.X0:box.X1], 1)
		}
		return counts
	}
	s.nearest.Set(kernel.OpenCVNearest, label.Width(), w, box.X0, box.X1, false)
	s.bytes = grow(s.bytes, box.Width())
	for y := box.Y0; y < box.Y1; {
		at, times := kernel.NearestIndex(label.Height(), h, y), 0
		for ; y < box.Y1 && kernel.NearestIndex(label.Height(), h, y) == at; y++ {
			times++
		}
		kernel.NearestRow(s.bytes, from(label, at), &s.nearest, 1)
		counts.add(s.bytes, times)
	}
	return counts
}

// classCounts are the pixels of each train ID.
type classCounts [256]int

// add counts a row times over. Most runs of 8 labels are of one class, and
// are counted at once.
func (c *classCounts) add(row []byte, times int) {
	for ; len(row) >= 8; row = row[8:] {
		if id := row[0]; binary.LittleEndian.Uint64(row) == uint64(id)*0x0101010101010101 {
			c[id] += 8 * times
			continue
		}
		for _, id := range row[:8] {
			c[id] += times
		}
	}
	for _, id := range row {
		c[id] += times
	}
}

func (c *classCounts) varied(maxRatio float64) bool {
	classes, most, all := 0, 0, 0
	for id, n := range c {
		if n == 0 || raster.TrainID(id) == raster.Ignore {
			continue
		}
		classes++
		most = max(most, n)
		all += n
	}
	return classes > 1 && float64(most)/float64(all) < maxRatio
}
