package png

import (
	"encoding/binary"
	"errors"
)

// What can be wrong with a deflate stream.
var (
	errTruncated = errors.New("the deflate stream ends")
	errBlock     = errors.New("the deflate stream has a block of reserved type")
	errStored    = errors.New("the deflate stream has a stored block whose lengths disagree")
	errCode      = errors.New("the deflate stream has a bad Huffman code")
	errSymbol    = errors.New("the deflate stream has bits that are not a code")
	errDistance  = errors.New("the deflate stream refers to data before its start")
)

const (
	window = 32 << 10 // how far back deflate may refer, bytes (RFC 1951, 2)
	// slack is how far inflate may write past its limit: the last match, the
	// literals decoded with it and what copying in whole vectors adds.
	slack = 512
)

// inflater undoes deflate (RFC 1951) from a whole buffer.
type inflater struct {
	in    []byte
	at    int    // next byte of in to go into hold
	hold  uint64 // bits of the stream, the next one lowest
	count uint   // how many of hold's bits count as read from in; those above them are of in[at:] or 0

	state  blockState
	final  bool // the block is the last one
	stored int  // bytes of a stored block to come

	lit     [litEntries]uint32
	dist    [distEntries]uint32
	fixed   bool // lit and dist are the fixed codes
	code    code
	lengths [286 + 30]uint8
}

type blockState uint8

const (
	betweenBlocks blockState = iota
	inStored
	inHuffman
	streamEnd
)

func (z *inflater) reset(in []byte) {
	z.in, z.at, z.hold, z.count = in, 0, 0, 0
	z.state, z.final = betweenBlocks, false
}

// inflate continues the stream into out[at:] and returns the end of what it
// wrote: at or past limit, or before it when the stream is over or broken.
// out[:at] is what was written before, at least the last 32 KiB of it. It
// writes beyond limit and beyond the end of the data, but not beyond
// limit+slack, which must be within out.
func (z *inflater) inflate(out []byte, at, limit int) (int, error) {
	var err error
	for at < limit && err == nil {
		switch z.state {
		case betweenBlocks:
			if z.final {
				z.state = streamEnd
				continue
			}
			err = z.block()
		case inStored:
			at, err = z.copyStored(out, at, limit)
		case inHuffman:
			if len(z.in)-z.at >= fastInput {
				at, err = z.fast(out, at, limit)
			} else {
				at, err = z.symbol(out, at)
			}
		case streamEnd:
			return at, nil
		}
	}
	return at, err
}

// rest returns what follows the stream, from the next whole byte.
func (z *inflater) rest() []byte { return z.in[z.at-int(z.count/8):] }

// refill reads single bytes until hold has more than 56 bits or in ends.
func (z *inflater) refill() {
	for z.count <= 56 && z.at < len(z.in) {
		z.hold |= uint64(z.in[z.at]) << z.count
		z.at++
		z.count += 8
	}
}

// drop takes n bits off, which must be there.
func (z *inflater) drop(n uint32) {
	z.hold >>= n & 63
	z.count -= uint(n)
}

// take reads n <= 32 bits.
func (z *inflater) take(n uint32) (uint32, error) {
	if z.count < uint(n) {
		if z.refill(); z.count < uint(n) {
			return 0, errTruncated
		}
	}
	v := uint32(z.hold & (1<<n - 1))
	z.drop(n)
	return v, nil
}

// block reads the header of a block.
func (z *inflater) block() error {
	b, err := z.take(3)
	if err != nil {
		return err
	}
	z.final = b&1 == 1
	switch b >> 1 {
	case 0:
		return z.storedHeader()
	case 1:
		z.state = inHuffman
		if !z.fixed {
			z.fixed = true
			return z.fixedCodes()
		}
		return nil
	case 2:
		z.state = inHuffman
		z.fixed = false
		return z.dynamicCodes()
	}
	return errBlock
}

func (z *inflater) storedHeader() error {
	rest := z.rest()
	z.at = len(z.in) - len(rest)
	z.hold, z.count = 0, 0
	if len(rest) < 4 {
		return errTruncated
	}
	n := binary.LittleEndian.Uint16(rest)
	if n != ^binary.LittleEndian.Uint16(rest[2:]) {
		return errStored
	}
	z.at += 4
	z.stored = int(n)
	z.state = inStored
	return nil
}

func (z *inflater) copyStored(out []byte, at, limit int) (int, error) {
	n := copy(out[at:limit], z.in[z.at:min(z.at+z.stored, len(z.in))])
	z.at += n
	z.stored -= n
	switch {
	case z.stored == 0:
		z.state = betweenBlocks
	case z.at == len(z.in):
		return at + n, errTruncated
	}
	return at + n, nil
}

// fixedCodes builds the tables of RFC 1951, 3.2.6.
func (z *inflater) fixedCodes() error {
	var lengths [288]uint8
	for i := range lengths {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		default:
			lengths[i] = 8
		}
	}
	z.code.assign(lengths[:])
	z.code.fill(z.lit[:], litBits, litEntry, true)
	for i := range 32 {
		lengths[i] = 5
	}
	z.code.assign(lengths[:32])
	z.code.fill(z.dist[:], distBits, distEntry, false)
	return nil
}

// codeOrder is the order of the code length code's lengths (RFC 1951, 3.2.7).
var codeOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// dynamicCodes reads the codes of a block (RFC 1951, 3.2.7) and builds their tables.
func (z *inflater) dynamicCodes() error {
	b, err := z.take(14)
	if err != nil {
		return err
	}
	nlit, ndist, nlen := int(b&31)+257, int(b>>5&31)+1, int(b>>10)+4
	if nlit > 286 || ndist > 30 {
		return errCode
	}
	var lengths [19]uint8
	for _, i := range codeOrder[:nlen] {
		v, err := z.take(3)
		if err != nil {
			return err
		}
		lengths[i] = uint8(v)
	}
	var table [128]uint32
	if !z.code.assign(lengths[:]) {
		return errCode
	}
	z.code.fill(table[:], 7, func(symbol uint16, n uint32) uint32 { return uint32(symbol)<<16 | n }, false)
	if err := z.codeLengths(&table, z.lengths[:nlit+ndist]); err != nil {
		return err
	}
	if !z.code.assign(z.lengths[:nlit]) {
		return errCode
	}
	z.code.fill(z.lit[:], litBits, litEntry, true)
	if !z.code.assign(z.lengths[nlit : nlit+ndist]) {
		return errCode
	}
	z.code.fill(z.dist[:], distBits, distEntry, false)
	return nil
}

// codeLengths reads the run-length coded lengths of both codes.
func (z *inflater) codeLengths(table *[128]uint32, lengths []uint8) error {
	for i := 0; i < len(lengths); {
		z.refill()
		e := table[z.hold&127]
		if e == entryInvalid {
			if z.count < 1 {
				return errTruncated
			}
			return errSymbol
		}
		if uint(e&entryBits) > z.count {
			return errTruncated
		}
		z.drop(e & entryBits)
		symbol := uint8(e >> 16)
		if symbol < 16 {
			lengths[i] = symbol
			i++
			continue
		}
		extra, repeat, value := uint32(2), 3, uint8(0)
		switch symbol {
		case 16:
			if i == 0 {
				return errCode
			}
			value = lengths[i-1]
		case 17:
			extra = 3
		case 18:
			extra, repeat = 7, 11
		}
		v, err := z.take(extra)
		if err != nil {
			return err
		}
		if repeat += int(v); i+repeat > len(lengths) {
			return errCode
		}
		for range repeat {
			lengths[i] = value
			i++
		}
	}
	return nil
}
