//go:build !purego

package png

import "golang.org/x/sys/cpu"

// fastState is what fastLoop works on and leaves behind.
type fastState struct {
	in, out   *byte
	lit, dist *uint32
	inAt      int // next byte of in
	inLimit   int // the last inAt from which two 8-byte loads are within in
	outAt     int // next byte of out
	outLimit  int // fastLoop stops at or past it
	hold      uint64
	count     uint64
}

// How fastLoop came to an end.
const (
	fastMargin   = 0 // at outLimit or past inLimit
	fastEnd      = 1 // of the block
	fastSymbol   = 2 // bits that are not a code
	fastDistance = 3 // a distance beyond the start of out
)

// fastLoop is fastPlain in assembly, for CPUs with BMI2 and AVX2.
//
//go:noescape
func fastLoop(s *fastState) int

// fast decodes symbols while there is input for whole loads and room for output.
func (z *inflater) fast(out []byte, at, limit int) (int, error) {
	if !cpu.X86.HasBMI2 || !cpu.X86.HasAVX2 {
		return z.fastPlain(out, at, limit)
	}
	_ = out[limit+slack-1]
	s := fastState{
		in: &z.in[0], out: &out[0], lit: &z.lit[0], dist: &z.dist[0],
		inAt: z.at, inLimit: len(z.in) - fastInput, outAt: at, outLimit: limit,
		hold: z.hold, count: uint64(z.count),
	}
	how := fastLoop(&s)
	z.at, z.hold, z.count = s.inAt, s.hold, uint(s.count)
	switch how {
	case fastEnd:
		z.state = betweenBlocks
	case fastSymbol:
		return s.outAt, errSymbol
	case fastDistance:
		return s.outAt, errDistance
	}
	return s.outAt, nil
}
