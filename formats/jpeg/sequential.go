package jpeg

// sequentialPlain decodes MCUs whose blocks are whole.
func (d *Decoder) sequentialPlain(s *scan, x, y, n int) error {
	return d.eachBlock(s, x, y, n, d.block)
}

// block decodes all of a block (T.81, F.2.2).
func (d *Decoder) block(c *component, block *[64]int16) error {
	b := &d.bits
	_, diff, ok := b.symbol(c.dc)
	if !ok {
		return errSymbol
	}
	c.pred += int32(diff)
	block[0] = int16(c.pred)
	for k := 0; k < 63; {
		e, value, ok := b.symbol(c.ac)
		if !ok {
			return errSymbol
		}
		k += int(e >> 24)
		if e>>8&15 == 0 {
			if e>>24 == 16 {
				continue
			}
			break
		}
		if k > 63 {
			return errBlock
		}
		block[zigzag[k]] = int16(value)
	}
	return nil
}
