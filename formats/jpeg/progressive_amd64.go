//go:build !purego

package jpeg

// A bandState is what decodeBand and refineBand work on and leave behind.
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
	band    uint64
}

// decodeBand is acFirstPlain in assembly, for CPUs with BMI2. It ends as decodeMCUs
// does.
//
//go:noescape
func decodeBand(s *bandState) int

// refineBand is acRefinePlain in assembly, and ends as decodeBand does.
//
//go:noescape
func refineBand(s *bandState) int

func (d *Decoder) acFirst(s *scan, x, y, n int) error {
	if !fast {
		return d.acFirstPlain(s, x, y, n)
	}
	return d.band(false, s, x, y, n)
}

func (d *Decoder) acRefine(s *scan, x, y, n int) error {
	if !fast {
		return d.acRefinePlain(s, x, y, n)
	}
	return d.band(true, s, x, y, n)
}

// band calls one of the routines for n blocks.
func (d *Decoder) band(refine bool, s *scan, x, y, n int) error {
	c, b := s.components[0], &d.bits
	at := y*c.perRow + x
	_, _, _ = b.in[b.limit+7], c.coefficients[64*(at+n)-1], c.nonzero[at+n-1]
	m := bandState{
		&b.in[0], b.at, b.limit, b.hold, b.count, &zigzag[0], &c.ac.entries[0],
		&c.coefficients[64*at], &c.nonzero[at], n, s.eobRun, s.first, s.last, int(s.low), s.band(),
	}
	how := 0
	if refine {
		how = refineBand(&m)
	} else {
		how = decodeBand(&m)
	}
	b.at, b.hold, b.count, s.eobRun = m.at, m.hold, m.count, m.eobRun
	switch how {
	case mcusSymbol:
		return errSymbol
	case mcusBlock:
		return errBlock
	}
	return nil
}
