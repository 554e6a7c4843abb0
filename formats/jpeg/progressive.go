package jpeg

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

// acFirst decodes a band of AC coefficients but for their low bits (G.1.2.2).
func (d *Decoder) acFirst(s *scan, x, y, n int) error {
	c, b := s.components[0], &d.bits
	for end := x + n; x < end; x++ {
		if s.eobRun > 0 {
			skip := min(s.eobRun, end-x)
			s.eobRun -= skip
			x += skip - 1
			continue
		}
		at := (y*c.perRow + x) * 64
		block := (*[64]int16)(c.coefficients[at : at+64])
		for k := s.first - 1; k < s.last; {
			e, value, ok := b.symbol(c.ac)
			if !ok {
				return errSymbol
			}
			if e>>8&15 == 0 && e>>24 < 16 {
				run := uint64(e>>24 - 1)
				s.eobRun = 1<<run + b.take(run) - 1
				break
			}
			if k += int(e >> 24); e>>8&15 == 0 {
				continue
			}
			if k > 63 {
				return errBlock
			}
			block[zigzag[k]] = int16(value << s.low)
		}
	}
	return nil
}

// acRefine decodes one more bit of a band of AC coefficients (G.1.2.3).
func (d *Decoder) acRefine(s *scan, x, y, n int) error {
	c := s.components[0]
	for end := x + n; x < end; x++ {
		at := (y*c.perRow + x) * 64
		if err := d.refineBlock(s, c.ac, (*[64]int16)(c.coefficients[at:at+64])); err != nil {
			return err
		}
	}
	return nil
}

func (d *Decoder) refineBlock(s *scan, ac *huffman, block *[64]int16) error {
	b, bit := &d.bits, int16(1)<<s.low
	k := s.first
	for s.eobRun == 0 && k <= s.last {
		e, value, ok := b.symbol(ac)
		if !ok {
			return errSymbol
		}
		run, fresh := int(e>>24-1), int16(0)
		switch size := e >> 8 & 15; {
		case size > 0:
			if fresh = bit; value < 0 {
				fresh = -bit
			}
		case run < 15:
			s.eobRun = 1<<run + b.take(uint64(run))
			run = 64
		}
		if s.eobRun > 0 {
			break
		}
		// The run is of coefficients that are still zero; the others get their bit.
		for ; k <= s.last; k++ {
			if p := &block[zigzag[k]]; *p != 0 {
				b.refineOne(p, bit)
			} else if run--; run < 0 {
				*p = fresh
				k++
				break
			}
		}
	}
	if s.eobRun > 0 {
		s.eobRun--
		for ; k <= s.last; k++ {
			if p := &block[zigzag[k]]; *p != 0 {
				b.refineOne(p, bit)
			}
		}
	}
	return nil
}

// refineOne gives a coefficient that is not zero its next bit.
func (b *bitReader) refineOne(p *int16, bit int16) {
	if b.take(1) == 0 || *p&bit != 0 {
		return
	}
	if *p > 0 {
		*p += bit
	} else {
		*p -= bit
	}
}
