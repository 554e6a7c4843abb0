package png

import (
	"encoding/binary"
	"fmt"
)

// picture is one decode on its way from scanlines to dst.
type picture struct {
	d *Decoder
	Header
	out        output
	first, end int    // rows wanted
	dst        []byte // of them, [end-first,W,out.channels]
}

// rowBytes is the size of width unfiltered pixels as they are worked with.
func (p *picture) rowBytes(width int) int {
	if p.out.lane {
		return 2 * width
	}
	return p.lineBytes(width)
}

// start begins to inflate.
func (p *picture) start() error {
	line := 1 + p.lineBytes(p.Width)
	total, wanted := line*p.Height, line*p.end
	if p.Interlaced {
		total = 0
		for _, a := range adam7 {
			if w, h := a.size(p.Header); w > 0 {
				total += (1 + p.lineBytes(w)) * h
			}
		}
		wanted = total
	}
	return p.d.lines.start(p.d.parts.idat, line, total, wanted)
}

// progressive decodes an image that is not interlaced.
func (p *picture) progressive() error {
	line := 1 + p.lineBytes(p.Width)
	prev := p.d.blank(p.rowBytes(p.Width))
	for y := 0; y < p.end; {
		until := p.end
		if y < p.first {
			until = p.first
		}
		raw, err := p.d.lines.next(line, until-y)
		if err != nil {
			return fmt.Errorf("IDAT: %w in row %d of %d", err, y, p.Height)
		}
		if prev, err = p.put(raw, prev, y); err != nil {
			return err
		}
		y += len(raw) / line
	}
	if p.end < p.Height {
		return nil
	}
	return p.d.lines.finish()
}

// put makes whole scanlines, of which the first is row y, the rows that are
// wanted; those above p.first are only unfiltered. It takes the unfiltered row
// before them and returns the last of them.
func (p *picture) put(raw, prev []byte, y int) ([]byte, error) {
	n, stride := len(raw)/(1+p.lineBytes(p.Width)), p.Width*p.out.channels
	if y >= p.first && p.out.convert == nil {
		dst := p.dst[(y-p.first)*stride : (y-p.first+n)*stride]
		_, err := p.unfilter(dst, raw, prev, p.Width, y, 1)
		return dst[(n-1)*stride:], err
	}
	size := len(prev)
	rows, err := p.unfilter(p.d.rowsOf(n*size), raw, prev, p.Width, y, 1)
	if err != nil {
		return nil, err
	}
	for i := 0; i < n && y >= p.first; i++ {
		row, at := rows[i*size:(i+1)*size], (y+i-p.first)*stride
		if err := p.check(row, 0, 1, y+i); err != nil {
			return nil, err
		}
		p.out.convert(p.dst[at:at+stride], row, &p.d.parts)
	}
	return p.d.keep(rows[(n-1)*size:]), nil
}

// unfilter undoes the filters of raw, whole scanlines of width pixels that are
// the rows y, y+dy, ..., into dst, and returns it.
func (p *picture) unfilter(dst, raw, prev []byte, width, y, dy int) ([]byte, error) {
	size, unit, n := p.lineBytes(width), p.filterUnit(), len(raw)/(1+p.lineBytes(width))
	if p.out.lane {
		raw = p.d.takeLane(raw, n, width, unit, p.out.offset)
		size, unit = 2*width, 2
	}
	if bad := unfilterRows(dst, raw, prev, n, size, unit); bad >= 0 {
		return nil, fmt.Errorf("IDAT: row %d of %d has filter type %d", y+bad*dy, p.Height, raw[bad*(1+size)])
	}
	return dst, nil
}

// check refuses samples above 255 in a row of 16-bit samples that are to be
// bytes. Its pixels are x0, x0+dx, ... of row y.
func (p *picture) check(row []byte, x0, dx, y int) error {
	if !p.out.lane || y < p.first || y >= p.end {
		return nil
	}
	x := 0
	for ; 2*x+8 <= len(row) && binary.LittleEndian.Uint64(row[2*x:])&0x00ff00ff00ff00ff == 0; x += 4 {
	}
	for ; x < len(row)/2; x++ {
		if row[2*x] != 0 {
			return &ValueError{X: x0 + x*dx, Y: y, Value: int(row[2*x])<<8 | int(row[2*x+1])}
		}
	}
	return nil
}

// blank returns the row above the first: n zeros.
func (d *Decoder) blank(n int) []byte { return scratch(&d.zeros, n) }

// rowsOf returns scratch for unfiltered rows, n bytes.
func (d *Decoder) rowsOf(n int) []byte { return scratch(&d.rows, n) }

// keep copies the last row of the scratch, to be the row above the next.
func (d *Decoder) keep(row []byte) []byte {
	copy(scratch(&d.above, len(row)), row)
	return d.above
}

// takeLane gathers the filtered bytes of one 16-bit channel, at byte offset of
// each pixel of unit bytes, from n scanlines. Filters predict every byte
// from bytes at the same place of other pixels, so the channel can be
// unfiltered alone.
func (d *Decoder) takeLane(raw []byte, n, width, unit, offset int) []byte {
	lane := scratch(&d.lane, n*(1+2*width))
	line := len(raw) / n
	for y := range n {
		from, to := raw[y*line:(y+1)*line], lane[y*(1+2*width):(y+1)*(1+2*width)]
		to[0] = from[0]
		gather16(to[1:], from[1+offset:], unit)
	}
	return lane
}

// gather16 fills dst with the first two bytes of each unit of src.
func gather16(dst, src []byte, unit int) {
	for len(dst) >= 8 && len(src) >= 4*unit {
		four := src[:4*unit]
		binary.LittleEndian.PutUint64(dst, uint64(binary.LittleEndian.Uint16(four))|
			uint64(binary.LittleEndian.Uint16(four[unit:]))<<16|
			uint64(binary.LittleEndian.Uint16(four[2*unit:]))<<32|
			uint64(binary.LittleEndian.Uint16(four[3*unit:]))<<48)
		dst, src = dst[8:], src[4*unit:]
	}
	for i := 0; 2*i < len(dst); i++ {
		dst[2*i], dst[2*i+1] = src[i*unit], src[i*unit+1]
	}
}
