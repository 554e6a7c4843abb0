package jpeg

import (
	"errors"
	"fmt"
)

// A scan is one pass over some of the components.
type scan struct {
	components []*component
	alone      bool // one component: an MCU is a block
	unitsX     int  // MCUs
	unitsY     int
	// Of progressive images: the first and last coefficient, and the bits that are
	// left for later scans, before this one and after.
	first, last int
	high, low   uint
	eobRun      int // blocks that have no more in this scan
}

var (
	errBlock    = errors.New("it is damaged: a block has more than 64 coefficients")
	errSymbol   = errors.New("it is damaged: some bits are not a Huffman code")
	errInterval = errors.New("a restart interval is missing: the file is damaged, copy it anew")
)

// parseScan reads a scan's header into s.
func (d *Decoder) parseScan(s *scan, b []byte) error {
	*s = scan{components: s.components[:0]}
	if len(b) < 1 || len(b) != 4+2*int(b[0]) {
		return fmt.Errorf("the scan's header is %d bytes long", len(b))
	}
	n := int(b[0])
	if n < 1 || n > len(d.frame.components) {
		return fmt.Errorf("the scan has %d components, the image %d", n, len(d.frame.components))
	}
	used, blocks := [4]bool{}, 0
	for i := range n {
		id, codes := b[1+2*i], b[2+2*i]
		var c *component
		for j := range d.frame.components { // ids may repeat
			if !used[j] && d.frame.components[j].id == id {
				used[j], c = true, &d.frame.components[j]
				break
			}
		}
		if c == nil {
			return fmt.Errorf("the scan has a component %d that the image does not have", id)
		}
		blocks += c.h * c.v
		c.dcTable, c.acTable = codes>>4, codes&15
		s.components = append(s.components, c)
	}
	b = b[1+2*n:]
	s.first, s.last, s.high, s.low = int(b[0]), int(b[1]), uint(b[2]>>4), uint(b[2]&15)
	if err := d.checkBand(s); err != nil {
		return err
	}
	s.alone = n == 1
	s.unitsX, s.unitsY = d.frame.mcusX, d.frame.mcusY
	if s.alone {
		s.unitsX, s.unitsY = s.components[0].blocksX, s.components[0].blocksY
	} else if blocks > 10 {
		return fmt.Errorf("the scan has MCUs of %d blocks, at most 10 are allowed", blocks)
	}
	return d.latch(s)
}

// checkBand checks a scan's coefficients and bits. Those of a sequential image
// always are all, whatever its header says.
func (d *Decoder) checkBand(s *scan) error {
	if !d.frame.Progressive {
		s.first, s.last, s.high, s.low = 0, 63, 0, 0
	}
	bad := s.first > s.last || s.last > 63 || s.low > 13 || s.high != 0 && s.high != s.low+1
	if d.frame.Progressive {
		bad = bad || s.first == 0 && s.last > 0 || s.first > 0 && len(s.components) > 1
	}
	if bad {
		return fmt.Errorf("the scan is of coefficients %d to %d, bits %d to %d, of %d components", s.first, s.last, s.high, s.low, len(s.components))
	}
	for _, c := range s.components {
		for k := s.first; k <= s.last; k++ {
			if s.high != 0 && c.missing[k] < 0 {
				return fmt.Errorf("it is damaged: the scan refines coefficient %d, which has not come", k)
			}
			c.missing[k] = int8(s.low)
		}
	}
	return nil
}

// latch takes for a scan's components the tables that are valid now.
func (d *Decoder) latch(s *scan) (err error) {
	for _, c := range s.components {
		if !c.latched {
			if !d.tables.hasQuant[c.table] {
				return fmt.Errorf("quantization table %d is missing", c.table)
			}
			c.quant, c.latched = d.tables.quant[c.table], true
		}
		c.scans++
		if d.frame.Arithmetic {
			if c.dcTable > 3 || c.acTable > 3 {
				return fmt.Errorf("it names arithmetic tables %d and %d", c.dcTable, c.acTable)
			}
			continue
		}
		if s.first == 0 && s.high == 0 {
			if c.dc, err = d.tables.code(0, c.dcTable); err != nil {
				return err
			}
		}
		if s.last > 0 {
			if c.ac, err = d.tables.code(1, c.acTable); err != nil {
				return err
			}
		}
	}
	return nil
}

// scan decodes a scan whose header has been cut off the file.
func (d *Decoder) scan(header []byte) error {
	s := &d.pass
	if err := d.parseScan(s, header); err != nil {
		return err
	}
	decode := d.decoderOf(s)
	skipped, err := d.skipIntervals(s)
	if err != nil {
		return err
	}
	d.at = d.bits.load(d.data, d.at)
	d.restart(s)
	left, interval := d.tables.interval, byte(skipped&7)
	x := skipped * d.tables.interval % s.unitsX
	for y := skipped * d.tables.interval / s.unitsX; y < s.unitsY; y, x = y+1, 0 {
		for x < s.unitsX {
			n := s.unitsX - x
			if d.tables.interval > 0 {
				if left == 0 {
					if err := d.nextInterval(interval); err != nil {
						return fmt.Errorf("row %d of %d of its blocks: %w", y+1, s.unitsY, err)
					}
					interval = (interval + 1) & 7
					left = d.tables.interval
					d.restart(s)
				}
				n = min(n, left)
				left -= n
			}
			if err := decode(s, x, y, n); err != nil {
				return fmt.Errorf("row %d of %d of its blocks: %w", y+1, s.unitsY, err)
			}
			x += n
		}
		if d.overrun() {
			return d.cut(y, s.unitsY)
		}
		if !d.frame.Progressive {
			if done := d.rowDone(s, y); done {
				return nil
			}
		}
	}
	return nil
}

// overrun reports whether more was decoded than there is. Arithmetic coders leave
// zeros out before a marker.
func (d *Decoder) overrun() bool {
	if d.frame.Arithmetic {
		return d.at == len(d.data) && d.bits.at > d.bits.end()
	}
	return d.bits.overrun()
}

// skipIntervals passes over the intervals before the rows that are wanted, and returns
// how many they are.
func (d *Decoder) skipIntervals(s *scan) (int, error) {
	if d.frame.Progressive || d.frame.whole || d.tables.interval == 0 {
		return 0, nil
	}
	n := d.rows.top * s.unitsX / d.tables.interval
	for i := range n {
		m, err := readSegment(d.data, d.at)
		if err != nil {
			return 0, errEarly
		}
		if m.marker != markerRST0+byte(i&7) {
			return 0, errInterval
		}
		d.at = m.next
	}
	return n, nil
}

// restart begins an interval: nothing is known of the blocks before.
func (d *Decoder) restart(s *scan) {
	s.eobRun = 0
	for _, c := range s.components {
		c.pred = 0
	}
	if d.frame.Arithmetic {
		d.tables.arithmetic.restart(s, &d.bits)
	}
}

// cut is the error of data that end within row y of blocks.
func (d *Decoder) cut(y, rows int) error {
	if d.at == len(d.data) {
		return fmt.Errorf("row %d of %d of its blocks: %w", y+1, rows, errEarly)
	}
	return fmt.Errorf("row %d of %d of its blocks: it is damaged: its data end at a marker %02x", y+1, rows, d.data[min(d.at+1, len(d.data)-1)])
}

// nextInterval goes on to the data after a restart marker, which has a number from 0
// to 7.
func (d *Decoder) nextInterval(number byte) error {
	if d.overrun() {
		if d.at == len(d.data) {
			return errEarly
		}
		return errInterval
	}
	s, err := readSegment(d.data, d.at)
	if err != nil {
		return errEarly
	}
	if s.marker != markerRST0+number {
		return errInterval
	}
	d.at = d.bits.load(d.data, s.next)
	return nil
}

// A unitDecoder decodes n MCUs of a scan from x, y on.
type unitDecoder func(s *scan, x, y, n int) error

func (d *Decoder) decoderOf(s *scan) unitDecoder {
	switch {
	case d.frame.Arithmetic:
		return func(s *scan, x, y, n int) error {
			return d.eachBlock(s, x, y, n, func(c *component, block *[64]int16) error { return d.arithmeticBlock(s, c, block) })
		}
	case !d.frame.Progressive:
		return d.sequential
	case s.first == 0 && s.high == 0:
		return d.dcFirst
	case s.first == 0:
		return d.dcRefine
	case s.high == 0:
		return d.acFirst
	}
	return d.acRefine
}

// eachBlock calls f for the blocks of n MCUs, with their coefficients. Those of a
// sequential image are held for one row of MCUs.
func (d *Decoder) eachBlock(s *scan, x, y, n int, f func(c *component, block *[64]int16) error) error {
	if !d.frame.Progressive {
		y = 0
	}
	for ; n > 0; n-- {
		for _, c := range s.components {
			h, v := c.h, c.v
			if s.alone {
				h, v = 1, 1
			}
			for j := range v {
				for i := range h {
					at := ((y*v+j)*c.perRow + x*h + i) * 64
					if err := f(c, (*[64]int16)(c.coefficients[at:at+64])); err != nil {
						return err
					}
				}
			}
		}
		x++
	}
	return nil
}
