package jpeg

import (
	"bytes"
	"encoding/binary"
)

// A bitReader reads the entropy-coded data up to the next marker. Its bits are the
// high ones of hold; past the end of the data they are zeros, and overrun tells.
type bitReader struct {
	in    []byte // the data without stuffed bytes, then bitPadding zeros
	at    int    // next byte of in
	limit int    // at stays there: after the data
	hold  uint64
	count uint64 // bits in hold
}

// bitPadding is zeros after the data: as far as at may go beyond them, with a load
// of 8 bytes there.
const bitPadding = 24

// load takes the data at a place in the file and returns where they end: at the
// next marker, or at the end of the file.
func (b *bitReader) load(file []byte, from int) int {
	// The zeros that are stuffed after each 0xFF are left out.
	in, at := b.in[:0], from
	for {
		i := bytes.IndexByte(file[at:], 0xFF)
		if i < 0 {
			in = append(in, file[at:]...)
			at = len(file)
			break
		}
		in = append(in, file[at:at+i]...)
		at += i
		end := at + 1
		for end < len(file) && file[end] == 0xFF { // fill bytes
			end++
		}
		if end == len(file) {
			at = end
			break
		}
		if file[end] != 0 {
			break
		}
		in = append(in, 0xFF)
		at = end + 1
	}
	b.limit = len(in) + bitPadding - 8
	b.in = append(in, make([]byte, bitPadding)...)
	b.at, b.hold, b.count = 0, 0, 0
	return at
}

// overrun reports whether more bits were taken than there are.
func (b *bitReader) overrun() bool {
	return b.at*8-int(b.count) > b.end()*8
}

// end is the number of bytes of the data.
func (b *bitReader) end() int { return len(b.in) - bitPadding }

// refill fills hold to 56 bits or more. What is loaded above count is loaded again
// later, to the same bits.
func (b *bitReader) refill() {
	b.hold |= binary.BigEndian.Uint64(b.in[b.at:]) >> (b.count & 63)
	b.at = min(b.at+int(63-b.count)>>3, b.limit)
	b.count |= 56
}

// skip takes n bits of hold.
func (b *bitReader) skip(n uint64) {
	b.hold <<= n & 63
	b.count -= n
}

// take takes 0 to 16 bits.
func (b *bitReader) take(n uint64) int {
	b.refill()
	v := b.hold >> 1 >> (63 - n&63)
	b.skip(n)
	return int(v)
}

// symbol takes a code and the bits of its value; ok is false where there is no such
// code.
func (b *bitReader) symbol(h *huffman) (e entry, value int, ok bool) {
	b.refill()
	e = h.entries[b.hold>>(64-lookBits)]
	if e&63 == 0 {
		if e == 0 {
			return 0, 0, false
		}
		if e = h.entries[uint64(e>>8)+b.hold>>48&(1<<longBits-1)]; e == 0 {
			return 0, 0, false
		}
	}
	size := uint64(e >> 8 & 15)
	value = extend(b.hold>>(e>>16&63)&(1<<size-1), size)
	b.skip(uint64(e & 63))
	return e, value, true
}

// extend is the value that a code's size and bits stand for (T.81, F.2.2.1): those
// that begin with 0 are negative.
func extend(bits, size uint64) int {
	v := int(bits)
	if bits<<1>>size == 0 {
		v -= 1<<size - 1
	}
	return v
}
