package png

import "math/bits"

const (
	maxCodeLen = 15
	litBits    = 11 // index width of the literal/length table
	distBits   = 9  // index width of the distance table

	// Codes longer than the index width continue in second tables of
	// 2^(15-width) entries at most. Every such table holds at least two of the
	// codes, and a prefix of a complete code leaves at most so many.
	litEntries  = 1<<litBits + (286/2)<<(maxCodeLen-litBits)
	distEntries = 1<<distBits + (30/2)<<(maxCodeLen-distBits)
)

// A table entry says what the next bits of the stream are.
//
//	bits 0-4   how many bits the entry is, with the extra bits of a length or distance
//	bits 6-7   the number of literals, 1 to 3, or 0
//	bits 8-31  the literals, the first one lowest; or, without literals,
//	bits 8-11  the bits of the code alone
//	bit  12    a special entry: see below
//	bits 16-31 the length or distance without its extra bits
//
// Entries of up to three literals are the reason that noisy images inflate
// fast: their codes are short, and one look-up gives what otherwise takes three.
// Special entries are the end of the block (entryEnd), bits that are no
// code (entryInvalid), or a link: the code continues in a second table that
// starts at bits 16-31 and has 2^(bits 8-11) entries.
//
// A shift takes its count modulo 64, so an entry is shifted by as it is: bit 5
// is 0, and bits 6 and 7 are not seen. The assembly relies on that.
const (
	entryBits    = 31
	entryLit     = 1 << 6
	entryLits    = 3 << 6
	entrySpecial = 1 << 12
	entryEnd     = entrySpecial | 1<<13
	entryInvalid = entrySpecial | 1<<14
	entryKind    = entrySpecial | 3<<13 // of these bits a link has only entrySpecial
)

// The lengths of RFC 1951, 3.2.5: codes 257 to 285.
var (
	lengthBase  = [29]uint16{3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258}
	lengthExtra = [29]uint8{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0}
	distBase    = [30]uint16{1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577}
	distExtra   = [30]uint8{0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13}
)

// litEntry is the table entry of a literal or length symbol with a code of n bits.
func litEntry(symbol uint16, n uint32) uint32 {
	switch {
	case symbol < 256:
		return uint32(symbol)<<8 | entryLit | n
	case symbol == 256:
		return entryEnd | n
	case symbol < 286:
		return uint32(lengthBase[symbol-257])<<16 | n<<8 | n + uint32(lengthExtra[symbol-257])
	}
	return entryInvalid | n
}

// distEntry is the table entry of a distance symbol with a code of n bits.
func distEntry(symbol uint16, n uint32) uint32 {
	if symbol < 30 {
		return uint32(distBase[symbol])<<16 | n<<8 | n + uint32(distExtra[symbol])
	}
	return entryInvalid | n
}

// code is a canonical Huffman code: its symbols in the order of their codes.
type code struct {
	symbol [288]uint16
	bits   [288]uint16         // of each, as they come in the stream: first bit lowest
	start  [maxCodeLen + 2]int // symbols of n bits are start[n] to start[n+1]
	max    int                 // the longest code, bits; 0 when there is none
}

// assign gives the symbols their codes by RFC 1951, 3.2.2. It reports false for
// lengths that are not a code: more codes than fit, or fewer, save for one code of
// one bit and for none, as compress/flate and zlib have it.
func (c *code) assign(lengths []uint8) bool {
	var count, next [maxCodeLen + 2]int
	for _, n := range lengths {
		count[n]++
	}
	count[0] = 0
	c.max = 0
	first, used := 0, 0
	for n := 1; n <= maxCodeLen; n++ {
		c.start[n] = used
		next[n] = used
		used += count[n]
		if count[n] > 0 {
			c.max = n
		}
	}
	c.start[maxCodeLen+1] = used
	if c.max == 0 {
		return true
	}
	for symbol, n := range lengths {
		if n > 0 {
			c.symbol[next[n]] = uint16(symbol)
			next[n]++
		}
	}
	for n := 1; n <= c.max; n++ {
		first <<= 1
		for i := range count[n] {
			c.bits[c.start[n]+i] = bits.Reverse16(uint16(first+i)) >> (16 - n)
		}
		first += count[n]
	}
	return first == 1<<c.max || first == 1 && c.max == 1
}

// fill builds a table with an index of width bits. The table grows by doubling:
// what is known after n bits holds whatever the bit after them is. pairs adds
// entries of two and three literals.
func (c *code) fill(table []uint32, width int, entry func(uint16, uint32) uint32, pairs bool) {
	table[0] = entryInvalid
	var lits litList
	if pairs {
		lits.take(c, width)
	}
	for n := 1; n <= width; n++ {
		size := 1 << (n - 1)
		copy(table[size:2*size], table[:size])
		for i := c.start[n]; i < c.start[n+1]; i++ {
			table[c.bits[i]] = entry(c.symbol[i], uint32(n))
		}
		if pairs {
			lits.combine(table, n)
		}
	}
	free := 1 << width
	for i := c.start[width+1]; i < c.start[maxCodeLen+1]; i++ {
		low := c.bits[i] & (1<<width - 1)
		if table[low] == entryInvalid {
			table[low] = entrySpecial | uint32(c.max-width)<<8 | uint32(free)<<16 | uint32(width)
			free += 1 << (c.max - width)
		}
	}
	for n := width + 1; n <= c.max; n++ {
		for i := c.start[n]; i < c.start[n+1]; i++ {
			from := int(table[c.bits[i]&(1<<width-1)] >> 16)
			e := entry(c.symbol[i], uint32(n))
			for k := int(c.bits[i]) >> width; k < 1<<(c.max-width); k += 1 << (n - width) {
				table[from+k] = e
			}
		}
	}
}

// litList holds the literals of a code with at most litBits bits, by length.
type litList struct {
	lit   [256]uint32 // bits<<8 | symbol
	start [litBits + 2]int
}

func (l *litList) take(c *code, width int) {
	k := 0
	for n := 1; n <= width; n++ {
		l.start[n] = k
		for i := c.start[n]; i < c.start[n+1] && c.symbol[i] < 256; i++ {
			l.lit[k] = uint32(c.bits[i])<<8 | uint32(c.symbol[i])
			k++
		}
	}
	l.start[width+1] = k
}

// of returns the literals with codes of n bits.
func (l *litList) of(n int) []uint32 { return l.lit[l.start[n]:l.start[n+1]] }

// combine enters all twos and threes of literals whose codes are n bits
// together into a table of 2^n entries.
func (l *litList) combine(table []uint32, n int) {
	for na := 1; na < n; na++ {
		for _, a := range l.of(na) {
			ca, pa := a>>8, a&255<<8
			for _, b := range l.of(n - na) {
				table[ca|b>>8<<na] = pa | b&255<<16 | 2*entryLit | uint32(n)
			}
			for nb := 1; nb < n-na; nb++ {
				third := l.of(n - na - nb)
				if len(third) == 0 {
					continue
				}
				for _, b := range l.of(nb) {
					cb, pb := ca|b>>8<<na, pa|b&255<<16
					for _, c := range third {
						table[cb|c>>8<<(na+nb)] = pb | c&255<<24 | 3*entryLit | uint32(n)
					}
				}
			}
		}
	}
}
