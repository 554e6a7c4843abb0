//go:build !purego

package jpeg

// An mcuState is what decodeMCUs works on and leaves behind.
type mcuState struct {
	in     *byte
	at     int // next byte of in
	limit  int // at stays there
	hold   uint64
	count  uint64
	zigzag *uint8
	blocks *mcuBlock // those of an MCU
	end    *mcuBlock // the last of them
	mcus   int
}

// An mcuBlock is one block of each MCU.
type mcuBlock struct {
	block  *int16 // of the next MCU
	step   int    // bytes from there to that of the MCU after
	dc, ac *entry
	pred   *int32
}

// How decodeMCUs came to an end.
const (
	mcusDone   = 0
	mcusSymbol = 1 // bits that are not a code
	mcusBlock  = 2 // more than 64 coefficients
)

// decodeMCUs is sequentialPlain in assembly, for CPUs with BMI2.
//
//go:noescape
func decodeMCUs(s *mcuState) int

func (d *Decoder) sequential(s *scan, x, y, n int) error {
	if !fast {
		return d.sequentialPlain(s, x, y, n)
	}
	var blocks [10]mcuBlock
	used := 0
	for _, c := range s.components {
		h, v := c.h, c.v
		if s.alone {
			h, v = 1, 1
		}
		for j := range v {
			for i := range h {
				at := (j*c.perRow + x*h + i) * 64
				_ = c.coefficients[at+(n-1)*h*64+63]
				blocks[used] = mcuBlock{&c.coefficients[at], 128 * h, &c.dc.entries[0], &c.ac.entries[0], &c.pred}
				used++
			}
		}
	}
	b := &d.bits
	_ = b.in[b.limit+7]
	m := mcuState{&b.in[0], b.at, b.limit, b.hold, b.count, &zigzag[0], &blocks[0], &blocks[used-1], n}
	how := decodeMCUs(&m)
	b.at, b.hold, b.count = m.at, m.hold, m.count
	switch how {
	case mcusSymbol:
		return errSymbol
	case mcusBlock:
		return errBlock
	}
	return nil
}
