package png

import "encoding/binary"

// fastInput is how much input the fast loops want: two 8-byte loads.
const fastInput = 16

// symbol decodes one table entry with every check: up to three literals, a
// match or the end of the block. It serves the last bytes of the input.
func (z *inflater) symbol(out []byte, at int) (int, error) {
	z.refill()
	e := z.lit[z.hold&(1<<litBits-1)]
	if e&entryLits == 0 && e&entryKind == entrySpecial {
		e = z.lit[uint64(e>>16)+z.hold>>litBits&(1<<(e>>8&15)-1)]
	}
	if uint(e&entryBits) > z.count {
		return at, errTruncated
	}
	hold := z.hold
	switch {
	case e&entryLits != 0:
		z.drop(e & entryBits)
		binary.LittleEndian.PutUint32(out[at:], e>>8)
		return at + int(e&entryLits>>6), nil
	case e&entrySpecial != 0:
		z.drop(e & entryBits)
		if e&entryKind == entryEnd {
			z.state = betweenBlocks
			return at, nil
		}
		return at, errSymbol
	}
	z.drop(e & entryBits)
	return z.match(out, at, int(e>>16)+extraBits(hold, e))
}

// match reads the distance of a match and copies it.
func (z *inflater) match(out []byte, at, length int) (int, error) {
	z.refill()
	e := z.dist[z.hold&(1<<distBits-1)]
	if e&entryKind == entrySpecial {
		e = z.dist[uint64(e>>16)+z.hold>>distBits&(1<<(e>>8&15)-1)]
	}
	if uint(e&entryBits) > z.count {
		return at, errTruncated
	}
	if e&entrySpecial != 0 {
		return at, errSymbol
	}
	hold := z.hold
	z.drop(e & entryBits)
	distance := int(e>>16) + extraBits(hold, e)
	if distance > at {
		return at, errDistance
	}
	copyMatch(out, at, distance, length)
	return at + length, nil
}

// extraBits is the number in the extra bits that follow the code of entry e.
func extraBits(hold uint64, e uint32) int {
	return int(hold & (1<<(e&entryBits) - 1) >> (e >> 8 & 15))
}
