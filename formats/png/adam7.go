package png

import "fmt"

// pass is the pixels of one Adam7 pass (ISO/IEC 15948, 8.2): x0, x0+dx, ... of
// the rows y0, y0+dy, ...
type pass struct{ x0, y0, dx, dy int }

var adam7 = [7]pass{
	{0, 0, 8, 8}, {4, 0, 8, 8}, {0, 4, 4, 8}, {2, 0, 4, 4}, {0, 2, 2, 4}, {1, 0, 2, 2}, {0, 1, 1, 2},
}

// size is the pass as an image; a pass without pixels has no scanlines at all.
func (a pass) size(h Header) (width, height int) {
	width, height = (h.Width-a.x0+a.dx-1)/a.dx, (h.Height-a.y0+a.dy-1)/a.dy
	if width <= 0 || height <= 0 {
		return 0, 0
	}
	return width, height
}

// adam7 decodes an interlaced image, all of it whatever rows are wanted.
func (p *picture) adam7() error {
	for i, a := range adam7 {
		if w, h := a.size(p.Header); w > 0 {
			if err := p.adam7Pass(a, w, h); err != nil {
				return fmt.Errorf("pass %d of 7: %w", i+1, err)
			}
		}
	}
	return p.d.lines.finish()
}

func (p *picture) adam7Pass(a pass, width, height int) error {
	prev := p.d.blank(p.rowBytes(width))
	pixels := scratch(&p.d.pass, width*p.out.channels)
	for y := 0; y < height; {
		raw, err := p.d.lines.next(1+p.lineBytes(width), height-y)
		if err != nil {
			return fmt.Errorf("IDAT: %w in row %d of %d", err, a.y0+y*a.dy, p.Height)
		}
		n := len(raw) / (1 + p.lineBytes(width))
		rows, err := p.unfilter(p.d.rowsOf(n*len(prev)), raw, prev, width, a.y0+y*a.dy, a.dy)
		if err != nil {
			return err
		}
		for i := range n {
			row := rows[i*len(prev) : (i+1)*len(prev)]
			at := a.y0 + (y+i)*a.dy
			if err := p.check(row, a.x0, a.dx, at); err != nil {
				return err
			}
			if at < p.first || at >= p.end {
				continue
			}
			if p.out.convert == nil {
				pixels = row
			} else {
				p.out.convert(pixels, row, &p.d.parts)
			}
			p.scatter(pixels, a, at)
		}
		prev = p.d.keep(rows[(n-1)*len(prev):])
		y += n
	}
	return nil
}

// scatter writes the pixels of a pass to row y.
func (p *picture) scatter(pixels []byte, a pass, y int) {
	c := p.out.channels
	row := p.dst[(y-p.first)*p.Width*c : (y-p.first+1)*p.Width*c]
	for x := a.x0; len(pixels) >= c; x += a.dx {
		copy(row[x*c:x*c+c], pixels)
		pixels = pixels[c:]
	}
}
