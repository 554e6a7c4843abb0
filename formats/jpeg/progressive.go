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

// acRefinePlain decodes one more bit of a band of AC coefficients (G.1.2.3).
func (d *Decoder) acRefinePlain(s *scan, x, y, n int) error {
	c, b := s.components[0], &d.bits
	for end := x + n; x < end; x++ {
		at := y*c.perRow + x
		todo, nonzero := s.band(), c.nonzero[at]
		block := (*[64]int16)(c.coefficients[64*at : 64*at+64])
		for s.eobRun == 0 && todo != 0 {
			e, value, ok := b.symbol(c.ac)
			if !ok {
				return errSymbol
			}
			run := int(e>>24 - 1)
			if e>>8&15 == 0 && run < 15 {
				s.eobRun = b.endOfBand(e)
				break
			}
			// The run is of coefficients that are still zero; the others before its end
			// get their bit.
			zeros := todo &^ nonzero
			for ; run > 0; run-- {
				zeros &= zeros - 1
			}
			last := zeros & -zeros // the place of the value, 0 where the run leaves the band
			b.refine(block, todo&(last-1)&nonzero, s.low)
			todo &^= last - 1 | last
			if value == 0 || last == 0 {
				continue
			}
			c.nonzero[at] |= last
			p := &block[zigzag[bits.TrailingZeros64(last)]]
			if *p = 1 << s.low; value < 0 {
				*p = -*p
			}
		}
		if s.eobRun > 0 {
			s.eobRun--
			b.refine(block, todo&nonzero, s.low)
		}
	}
	return nil
}

// band is a bit for each coefficient of the scan.
func (s *scan) band() uint64 { return ^uint64(0) << s.first & (^uint64(0) >> (63 - s.last)) }

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
