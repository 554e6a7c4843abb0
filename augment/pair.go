package augment

import (
	"github.com/pipa-uda/pipa/augment/internal/kernel"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// ResizeBicubicPair is [Scratch.ResizeBicubic] of two windows. What they share
// is resampled once.
func (s *Scratch) ResizeBicubicPair(dst [2]raster.Raster, src raster.Raster, h, w int, windows [2]raster.Box, flips [2]bool) {
	if src.Height() == h || src.Width() == w || windows[0].Intersect(windows[1]).Empty() {
		for i := range dst {
			s.ResizeBicubic(dst[i], src, h, w, windows[i], flips[i])
		}
		return
	}
	var parts [2]part
	var reads [2]span // source rows
	for i, window := range windows {
		parts[i] = partOf(dst[i], window, 3, flips[i])
		reads[i].from, reads[i].to = BicubicRows(src.Height(), h, window)
	}
	columns := [2]span{{windows[0].X0, windows[0].X1}, {windows[1].X0, windows[1].X1}}
	rows := [2]span{{windows[0].Y0, windows[0].Y1}, {windows[1].Y0, windows[1].Y1}}
	left := min(columns[0].from, columns[1].from)
	top, bottom := min(rows[0].from, rows[1].from), max(rows[0].to, rows[1].to)

	s.across.Set(kernel.Bicubic, src.Width(), w, left, max(columns[0].to, columns[1].to), false)
	s.down.Set(kernel.Bicubic, src.Height(), h, top, bottom)
	slots := s.down.Taps
	width := 3 * (max(columns[0].to, columns[1].to) - left)
	stride := (width + kernel.Slack + 31) &^ 31
	s.bytes = grow(s.bytes, (slots+1)*stride)
	ring, line := s.bytes[:slots*stride], s.bytes[slots*stride:]
	s.offsets = grow(s.offsets, slots)
	next := 0
	for y := top; y < bottom; y++ {
		at, weights := s.down.Position(y - top)
		for next = max(next, at); next < at+len(weights); next++ {
			needed := active(next, reads, columns)
			kernel.ResampleRowPart(ring[next%slots*stride:][:stride], from(src, next), &s.across, needed.from-left, needed.to-left)
		}
		here := active(y, rows, columns)
		for k := range weights {
			s.offsets[k] = (at+k)%slots*stride + 3*(here.from-left)
		}
		line := line[:3*(here.to-here.from)]
		kernel.ResampleColumn(line, ring, s.offsets[:len(weights)], weights, &s.column)
		for i, p := range parts {
			if y < rows[i].from || y >= rows[i].to {
				continue
			}
			piece := line[3*(columns[i].from-here.from):][:p.size]
			if row := p.row(y - rows[i].from); flips[i] {
				kernel.Reverse(row, piece, 3)
			} else {
				copy(row, piece)
			}
		}
	}
}

// span is a half-open range of rows or columns.
type span struct{ from, to int }

// active is the columns of the windows that row y is in, from the first to the
// last.
func active(y int, rows, columns [2]span) (all span) {
	for i, r := range rows {
		switch {
		case y < r.from || y >= r.to:
		case all == span{}:
			all = columns[i]
		default:
			all = span{min(all.from, columns[i].from), max(all.to, columns[i].to)}
		}
	}
	return all
}
