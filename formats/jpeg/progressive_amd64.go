//go:build !purego

package jpeg

// A bandState is what decodeBand works on and leaves behind.
type bandState struct {
	in      *byte
	at      int // next byte of in
	limit   int // at stays there
	hold    uint64
	count   uint64
	zigzag  *uint8
	ac      *entry
	block   *int16  // the next
	nonzero *uint64 // of it
	blocks  int     // to go
	eobRun  int
	first   int
	last    int
	low     int
}

// decodeBand is acFirstPlain in assembly, for CPUs with BMI2. It ends as decodeMCUs
// does.
//
//go:noescape
func decodeBand(s *bandState) int

func (d *Decoder) acFirst(s *scan, x, y, n int) error {
	if !fast {
		return d.acFirstPlain(s, x, y, n)
	}
	c, b := s.components[0], &d.bits
	at := y*c.perRow + x
	_, _, _ = b.in[b.limit+7], c.coefficients[64*(at+n)-1], c.nonzero[at+n-1]
	m := bandState{
		&b.in[0], b.at, b.limit, b.hold, b.count, &zigzag[0], &c.ac.entries[0],
		&c.coefficients[64*at], &c.nonzero[at], n, s.eobRun, s.first, s.last, int(s.low),
	}
	how := decodeBand(&m)
	b.at, b.hold, b.count, s.eobRun = m.at, m.hold, m.count, m.eobRun
	switch how {
	case mcusSymbol:
		return errSymbol
	case mcusBlock:
		return errBlock
	}
	return nil
}
