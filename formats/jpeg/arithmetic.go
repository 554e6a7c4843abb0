package jpeg

import (
	"errors"
	"fmt"
)

// A chance is a state of the estimate of how rare the less probable of two symbols is
// (T.81, table D.3).
type chance struct {
	size     uint32 // of its interval
	ifLess   uint8  // the next state after the less probable symbol
	ifMore   uint8  // after the other, where the interval was renewed
	switches uint8  // 1 where the symbols change places after the less probable one
}

// even is a state of its own, of symbols that are equally probable and stay so.
const even = 113

var chances = [even + 1]chance{
	{0x5a1d, 1, 1, 1}, {0x2586, 14, 2, 0}, {0x1114, 16, 3, 0}, {0x080b, 18, 4, 0}, {0x03d8, 20, 5, 0}, {0x01da, 23, 6, 0},
	{0x00e5, 25, 7, 0}, {0x006f, 28, 8, 0}, {0x0036, 30, 9, 0}, {0x001a, 33, 10, 0}, {0x000d, 35, 11, 0}, {0x0006, 9, 12, 0},
	{0x0003, 10, 13, 0}, {0x0001, 12, 13, 0}, {0x5a7f, 15, 15, 1}, {0x3f25, 36, 16, 0}, {0x2cf2, 38, 17, 0}, {0x207c, 39, 18, 0},
	{0x17b9, 40, 19, 0}, {0x1182, 42, 20, 0}, {0x0cef, 43, 21, 0}, {0x09a1, 45, 22, 0}, {0x072f, 46, 23, 0}, {0x055c, 48, 24, 0},
	{0x0406, 49, 25, 0}, {0x0303, 51, 26, 0}, {0x0240, 52, 27, 0}, {0x01b1, 54, 28, 0}, {0x0144, 56, 29, 0}, {0x00f5, 57, 30, 0},
	{0x00b7, 59, 31, 0}, {0x008a, 60, 32, 0}, {0x0068, 62, 33, 0}, {0x004e, 63, 34, 0}, {0x003b, 32, 35, 0}, {0x002c, 33, 9, 0},
	{0x5ae1, 37, 37, 1}, {0x484c, 64, 38, 0}, {0x3a0d, 65, 39, 0}, {0x2ef1, 67, 40, 0}, {0x261f, 68, 41, 0}, {0x1f33, 69, 42, 0},
	{0x19a8, 70, 43, 0}, {0x1518, 72, 44, 0}, {0x1177, 73, 45, 0}, {0x0e74, 74, 46, 0}, {0x0bfb, 75, 47, 0}, {0x09f8, 77, 48, 0},
	{0x0861, 78, 49, 0}, {0x0706, 79, 50, 0}, {0x05cd, 48, 51, 0}, {0x04de, 50, 52, 0}, {0x040f, 50, 53, 0}, {0x0363, 51, 54, 0},
	{0x02d4, 52, 55, 0}, {0x025c, 53, 56, 0}, {0x01f8, 54, 57, 0}, {0x01a4, 55, 58, 0}, {0x0160, 56, 59, 0}, {0x0125, 57, 60, 0},
	{0x00f6, 58, 61, 0}, {0x00cb, 59, 62, 0}, {0x00ab, 61, 63, 0}, {0x008f, 61, 32, 0}, {0x5b12, 65, 65, 1}, {0x4d04, 80, 66, 0},
	{0x412c, 81, 67, 0}, {0x37d8, 82, 68, 0}, {0x2fe8, 83, 69, 0}, {0x293c, 84, 70, 0}, {0x2379, 86, 71, 0}, {0x1edf, 87, 72, 0},
	{0x1aa9, 87, 73, 0}, {0x174e, 72, 74, 0}, {0x1424, 72, 75, 0}, {0x119c, 74, 76, 0}, {0x0f6b, 74, 77, 0}, {0x0d51, 75, 78, 0},
	{0x0bb6, 77, 79, 0}, {0x0a40, 77, 48, 0}, {0x5832, 80, 81, 1}, {0x4d1c, 88, 82, 0}, {0x438e, 89, 83, 0}, {0x3bdd, 90, 84, 0},
	{0x34ee, 91, 85, 0}, {0x2eae, 92, 86, 0}, {0x299a, 93, 87, 0}, {0x2516, 86, 71, 0}, {0x5570, 88, 89, 1}, {0x4ca9, 95, 90, 0},
	{0x44d9, 96, 91, 0}, {0x3e22, 97, 92, 0}, {0x3824, 99, 93, 0}, {0x32b4, 99, 94, 0}, {0x2e17, 93, 86, 0}, {0x56a8, 95, 96, 1},
	{0x4f46, 101, 97, 0}, {0x47e5, 102, 98, 0}, {0x41cf, 103, 99, 0}, {0x3c3d, 104, 100, 0}, {0x375e, 99, 93, 0}, {0x5231, 105, 102, 0},
	{0x4c0f, 106, 103, 0}, {0x4639, 107, 104, 0}, {0x415e, 103, 99, 0}, {0x5627, 105, 106, 1}, {0x50e7, 108, 107, 0}, {0x4b85, 109, 103, 0},
	{0x5597, 110, 109, 0}, {0x504f, 111, 107, 0}, {0x5a10, 110, 111, 1}, {0x5522, 112, 109, 0}, {0x59eb, 112, 111, 1},
	{0x5a1d, even, even, 0},
}

// arithmetic is what is known of an image's arithmetic codes.
type arithmetic struct {
	low, high [4]uint // of DC: which differences are small
	split     [4]int  // of AC: up to where magnitudes are coded as low frequencies
	// Of each table, a state for each decision, and in bit 7 the symbol that is more
	// probable.
	dc [4][64]uint8
	ac [4][256]uint8

	interval uint32 // its size
	code     uint32 // where in it the data are, in the upper 16 bits
	unread   int    // bits of a byte that are still in code
}

var errMagnitude = errors.New("it is damaged: a coefficient has more than 15 bits")

func (a *arithmetic) reset() {
	for i := range a.low {
		a.low[i], a.high[i], a.split[i] = 0, 1, 5
	}
}

// parse reads a segment of conditioning (B.2.4.3).
func (a *arithmetic) parse(b []byte) error {
	for ; len(b) >= 2; b = b[2:] {
		class, id, v := b[0]>>4, b[0]&15, b[1]
		if class > 1 || id > 3 || class == 0 && v&15 > v>>4 {
			return fmt.Errorf("segment DAC is damaged: table %02x, value %02x", b[0], v)
		}
		if class == 0 {
			a.low[id], a.high[id] = uint(v&15), uint(v>>4)
		} else {
			a.split[id] = int(v)
		}
	}
	return nil
}

// restart begins an interval of a scan.
func (a *arithmetic) restart(s *scan, b *bitReader) {
	for _, c := range s.components {
		c.context = 0
		clear(a.dc[c.dcTable][:])
		clear(a.ac[c.acTable][:])
	}
	a.interval, a.unread = 1<<16, 0
	a.code = uint32(b.nextByte())<<24 | uint32(b.nextByte())<<16
}

// nextByte takes a byte: zeros after the data, as arithmetic coders leave them out.
func (b *bitReader) nextByte() byte {
	v := b.in[b.at]
	b.at = min(b.at+1, b.limit)
	return v
}

// decide decodes a decision (D.2) that has the given state.
func (a *arithmetic) decide(b *bitReader, state *uint8) int {
	s := *state
	c := &chances[s&127]
	a.interval -= c.size
	less := false // the less probable symbol
	if a.code>>16 < a.interval {
		if a.interval >= 1<<15 {
			return int(s >> 7)
		}
		less = a.interval < c.size
	} else {
		a.code -= a.interval << 16
		less = a.interval >= c.size
		a.interval = c.size
	}
	symbol := s >> 7
	if less {
		*state = c.ifLess | s&128 ^ c.switches<<7
		symbol ^= 1
	} else {
		*state = c.ifMore | s&128
	}
	for {
		if a.unread == 0 {
			a.code |= uint32(b.nextByte()) << 8
			a.unread = 8
		}
		a.interval <<= 1
		a.code <<= 1
		a.unread--
		if a.interval >= 1<<15 {
			return int(symbol)
		}
	}
}

// decideEven decodes a decision of which nothing is known.
func (a *arithmetic) decideEven(b *bitReader) int {
	state := uint8(even)
	return a.decide(b, &state)
}

// magnitude decodes the rest of a value of which the size is 1<<n or more, n counted
// from states[at] on: it returns the value less 1 (F.1.4.3).
func (a *arithmetic) magnitude(b *bitReader, states []uint8, at, m int) (v, top int, err error) {
	for a.decide(b, &states[at]) == 1 {
		if m <<= 1; m == 1<<15 {
			return 0, 0, errMagnitude
		}
		at++
	}
	return a.pattern(b, states, at, m), m, nil
}

// pattern decodes the bits below m of a value less 1.
func (a *arithmetic) pattern(b *bitReader, states []uint8, at, m int) int {
	v := m
	for m >>= 1; m > 0; m >>= 1 {
		if a.decide(b, &states[at+14]) == 1 {
			v |= m
		}
	}
	return v
}

// difference decodes a DC coefficient, which is left in c.pred (F.1.4.4.1).
func (a *arithmetic) difference(b *bitReader, c *component) error {
	states := a.dc[c.dcTable][:]
	at := c.context
	if c.context = 0; a.decide(b, &states[at]) == 0 {
		return nil
	}
	sign := a.decide(b, &states[at+1])
	v, m := 0, 0
	if at += 2 + sign; a.decide(b, &states[at]) == 1 {
		var err error
		if v, m, err = a.magnitude(b, states, 20, 1); err != nil {
			return err
		}
	}
	switch {
	case m < 1<<a.low[c.dcTable]>>1:
	case m > 1<<a.high[c.dcTable]>>1:
		c.context = 12 + 4*sign
	default:
		c.context = 4 + 4*sign
	}
	if v++; sign == 1 {
		v = -v
	}
	c.pred = int32(int16(c.pred + int32(v)))
	return nil
}

// coefficients decodes a band of a block's AC coefficients (F.1.4.4.2).
func (a *arithmetic) coefficients(b *bitReader, c *component, block *[64]int16, first, last int, low uint) error {
	states := a.ac[c.acTable][:]
	for k := first; k <= last; k++ {
		at := 3 * (k - 1)
		if a.decide(b, &states[at]) == 1 { // the end of the block
			break
		}
		for a.decide(b, &states[at+1]) == 0 {
			at += 3
			if k++; k > last {
				return errBlock
			}
		}
		sign := a.decideEven(b)
		v := 0
		if a.decide(b, &states[at+2]) == 1 {
			v = 1
			if a.decide(b, &states[at+2]) == 1 {
				from := 217
				if k <= a.split[c.acTable] {
					from = 189
				}
				var err error
				if v, _, err = a.magnitude(b, states, from, 2); err != nil {
					return err
				}
			}
		}
		if v++; sign == 1 {
			v = -v
		}
		block[zigzag[k]] = int16(v << low)
	}
	return nil
}

// refine decodes one more bit of a band of a block (G.1.3.3).
func (a *arithmetic) refine(b *bitReader, c *component, block *[64]int16, s *scan) error {
	states, bit := a.ac[c.acTable][:], int16(1)<<s.low
	before := s.last // where the block ended before this scan
	for before > 0 && block[zigzag[before]] == 0 {
		before--
	}
	for k := s.first; k <= s.last; k++ {
		at := 3 * (k - 1)
		if k > before && a.decide(b, &states[at]) == 1 {
			break
		}
		for {
			p := &block[zigzag[k]]
			if *p != 0 {
				if a.decide(b, &states[at+2]) == 1 {
					if *p < 0 {
						*p -= bit
					} else {
						*p += bit
					}
				}
				break
			}
			if a.decide(b, &states[at+1]) == 1 {
				if *p = bit; a.decideEven(b) == 1 {
					*p = -bit
				}
				break
			}
			at += 3
			if k++; k > s.last {
				return errBlock
			}
		}
	}
	return nil
}

// arithmeticBlock decodes a block's part in a scan.
func (d *Decoder) arithmeticBlock(s *scan, c *component, block *[64]int16) error {
	a, b := &d.tables.arithmetic, &d.bits
	switch {
	case s.first == 0 && s.high > 0:
		block[0] |= int16(a.decideEven(b) << s.low)
		return nil
	case s.first > 0 && s.high > 0:
		return a.refine(b, c, block, s)
	case s.first == 0:
		if err := a.difference(b, c); err != nil {
			return err
		}
		block[0] = int16(c.pred << s.low)
	}
	return a.coefficients(b, c, block, max(s.first, 1), s.last, s.low)
}
