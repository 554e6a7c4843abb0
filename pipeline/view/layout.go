package view

import "math"

// Distances on a sheet, in pixels.
const (
	margin  = 18 // around everything
	between = 6  // between the pictures of a row
	gutter  = 22 // between rows side by side
	leading = 14 // below a row
	minimum = 560
	widest  = 2600
)

// pictureWidth is the width of one picture on a sheet of n rows: few rows are
// shown large.
func pictureWidth(n int) int {
	switch {
	case n <= 1:
		return 512
	case n <= 4:
		return 352
	case n <= 16:
		return 240
	}
	return 176
}

// A layout is where things go on a sheet.
type layout struct {
	columns, lines  int // of tiles
	width, height   int // of a picture
	pictures, notes int // of a tile
	noteHeight      int
}

func (l *layout) tileWidth() int  { return l.pictures*l.width + (l.pictures-1)*between }
func (l *layout) tileHeight() int { return l.height + 4 + l.notes*l.noteHeight }

// sheetWidth and bodyHeight are those of all tiles, without heading and
// legend.
func (l *layout) sheetWidth() int {
	return max(minimum, 2*margin+l.columns*l.tileWidth()+(l.columns-1)*gutter)
}
func (l *layout) bodyHeight() int { return l.lines*l.tileHeight() + (l.lines-1)*leading }

// arrange places n tiles in the number of columns whose sheet is nearest to
// the shape of a screen, 3:2, unless columns says how many.
func (l layout) arrange(n, columns int) layout {
	try := func(c int) layout {
		l.columns, l.lines = c, (n+c-1)/c
		return l
	}
	if columns > 0 {
		return try(min(columns, n))
	}
	best, least := try(1), math.Inf(1)
	for c := 1; c <= n; c++ {
		t := try(c)
		if c > 1 && t.sheetWidth() > widest {
			break
		}
		// Tiles missing from the last line cost a little.
		gap := float64(c*t.lines-n) / float64(n)
		off := math.Abs(math.Log(float64(t.sheetWidth())/float64(t.bodyHeight())/1.5)) + 0.5*gap
		if off < least {
			best, least = t, off
		}
	}
	return best
}
