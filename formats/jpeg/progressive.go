package jpeg

import "math/bits"

// dcFirst decodes the DC coefficients but for their low bits (T.81, G.1.2.1).
func (d *Decoder) dcFirst(s *scan, x, y, n int) error {
	return d.eachBlock(s, x, y, n, func(c *component, block *[64]int16) error {
		_, diff, ok := d.bits.symbol(c.dc)
		if !ok {
			return errSymbol
		}
		c.pred += int32(diff)
		block[0] = int16(c.pred << s.low)
		return nil
	})
}

// dcRefine decodes one more bit of the DC coefficients.
func (d *Decoder) dcRefine(s *scan, x, y, n int) error {
	return d.eachBlock(s, x, y, n, func(_ *component, block *[64]int16) error {
		block[0] |= int16(d.bits.take(1) << s.low)
		return nil
	})
}

// acFirstPlain decodes a band of AC coefficients but for their low bits (G.1.2.2).
func (d *Decoder) acFirstPlain(s *scan, x, y, n int) error {
	c, b := s.components[0], &d.bits
	for end := x + n; x < end; x++ {
		if s.eobRun > 0 {
			skip := min(s.eobRun, end-x)
			s.eobRun -= skip
			x += skip - 1
			continue
		}
		at := y*c.perRow + x
		block := (*[64]int16)(c.coefficients[64*at : 64*at+64])
		for k := s.first - 1; k < s.last; {
			e, value, ok := b.symbol(c.ac)
			if !ok {
				return errSymbol
			}
			if e>>8&15 == 0 && e>>24 < 16 {
				s.eobRun = b.endOfBand(e) - 1
				break
			}
			if k += int(e >> 24); e>>8&15 == 0 {
				continue
			}
			if k > 63 {
				return errBlock
			}
			block[zigzag[k]] = int16(value << s.low)
			c.nonzero[at] |= 1 << k
		}
	}
	return nil
}

// endOfBand is the number of blocks, this one included, that have no more.
func (b *bitReader) endOfBand(e entry) int {
	run := uint64(e>>24 - 1)
	return 1<<run + b.take(run)
}

// acRefine decodes one more bit of a band of AC coefficients (G.1.2.3).
func (d *Decoder) acRefine(s *scan, x, y, n int) error {
	c, b := s.components[0], &d.bits
	band := ^uint64(0) << s.first & (^uint64(0) >> (63 - s.last))
	for end := x + n; x < end; x++ {
		at := y*c.perRow + x
		nonzero := &c.nonzero[at]
		rest := *nonzero & band // what is still to get its bit
		if s.eobRun > 0 && rest == 0 {
			s.eobRun--
			continue
		}
		block := (*[64]int16)(c.coefficients[64*at : 64*at+64])
		for k := s.first; s.eobRun == 0 && k <= s.last; k++ {
			e, value, ok := b.symbol(c.ac)
			if !ok {
				return errSymbol
			}
			size, run := e>>8&15, int(e>>24-1)
			if size == 0 && run < 15 {
				s.eobRun = b.endOfBand(e)
				break
			}
			// The run is of coefficients that are still zero; the others before its end
			// get their bit.
			old := rest
			for rest != 0 {
				next := bits.TrailingZeros64(rest)
				if k+run < next {
					break
				}
				run -= next - k
				k = next + 1
				rest &= rest - 1
			}
			b.refine(block, old&^rest, s.low)
			if k += run; k > s.last || size == 0 {
				continue
			}
			if value > 0 {
				block[zigzag[k]] = 1 << s.low
			} else {
				block[zigzag[k]] = -1 << s.low
			}
			*nonzero |= 1 << k
		}
		if s.eobRun > 0 {
			s.eobRun--
			b.refine(block, rest, s.low)
		}
	}
	return nil
}

// refine gives some coefficients, which are not zero, their next bit.
func (b *bitReader) refine(block *[64]int16, which uint64, low uint) {
	for which != 0 {
		b.refill()
		hold, n := b.hold, min(bits.OnesCount64(which), 56)
		for range n {
			p := &block[zigzag[bits.TrailingZeros64(which)]]
			which &= which - 1
			// 0 or 1 farther from zero, unless the bit is there.
			v := *p
			sign := v >> 15
			one := int16(hold>>63) << low &^ v
			*p = v + (one ^ sign) - sign
			hold <<= 1
		}
		b.hold = hold
		b.count -= uint64(n)
	}
}
