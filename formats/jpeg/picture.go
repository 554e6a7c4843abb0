package jpeg

import "fmt"

// An emitter turns samples into rows of RGB, as soon as they are there.
type emitter struct {
	dst        []byte // of rows first to end
	first, end int
	y          int // the next row
	top, last  int // the rows of MCUs that are needed
	context    bool
	color      colors
	lines      [4][]byte // upsampled rows
}

// start lays out memory and chooses what is to be done, before the first scan.
func (d *Decoder) start(s segment, first, end int) error {
	if len(s.body) < 1 {
		return fmt.Errorf("the scan's header is %d bytes long", len(s.body))
	}
	f, e := &d.frame, &d.rows
	color, err := chooseColors(f, &d.tables)
	if err != nil {
		return err
	}
	if err := f.layOut(!f.Progressive && int(s.body[0]) < len(f.components)); err != nil {
		return err
	}
	*e = emitter{first: first, end: end, y: first, color: color, lines: e.lines}
	for i := range f.components {
		e.context = e.context || f.components[i].up.context()
		if n := f.Width + 2*planeMargin; cap(e.lines[i]) < n {
			e.lines[i] = make([]byte, n)
		} else {
			e.lines[i] = e.lines[i][:n]
		}
	}
	above, below := first, end-1
	if e.context {
		above, below = max(0, first-1), min(end, f.Height-1)
	}
	e.top, e.last = above/(8*f.vMax), below/(8*f.vMax)
	return nil
}

// rowDone takes the coefficients of a row of MCUs of a sequential image, and reports
// whether the rest of the image is not needed.
func (d *Decoder) rowDone(s *scan, y int) bool {
	if !d.frame.whole {
		if y >= d.rows.top {
			d.roll(y, 0)
		}
	} else {
		for _, c := range s.components {
			rows := c.v
			if s.alone {
				rows = 1
			}
			for j := range rows {
				if at := y*rows + j; at/c.v >= d.rows.top && at/c.v <= d.rows.last {
					c.transform(j, 8*at)
				}
			}
		}
	}
	for _, c := range s.components {
		clear(c.coefficients)
	}
	return !d.frame.whole && y == d.rows.last
}

// roll makes the samples of row y of MCUs, whose coefficients begin with the given
// row of MCUs of those held, and emits what can be. Of the row before it the last
// samples are still there.
func (d *Decoder) roll(y, from int) {
	f := &d.frame
	for i := range f.components {
		c := &f.components[i]
		copy(c.plane[:c.stride], c.plane[8*c.v*c.stride:])
		c.base = 8*c.v*y - 1
		for j := range c.v {
			c.transform(from*c.v+j, 8*(c.v*y+j))
		}
	}
	ready := 8 * f.vMax * (y + 1)
	if d.rows.context && y < f.mcusY-1 {
		ready-- // it needs the row below
	}
	d.emit(ready)
}

// finish emits what has waited for the last scan.
func (d *Decoder) finish() {
	if d.frame.Progressive {
		for y := d.rows.top; y <= d.rows.last; y++ {
			d.roll(y, y)
		}
	}
	d.emit(d.rows.end)
}

// emit writes the rows up to one.
func (d *Decoder) emit(end int) {
	e, f := &d.rows, &d.frame
	for end = min(end, e.end); e.y < end; e.y++ {
		var rows [4][]byte
		for i := range f.components {
			rows[i] = f.components[i].upsampled(e.y, f.Width, e.lines[i])
		}
		at := (e.y - e.first) * 3 * f.Width
		e.color.convert(e.dst[at:at+3*f.Width], &rows)
	}
}
