package jpeg

import "errors"

// lookBits is how many bits the first table of a Huffman code looks at. Few codes
// are longer, and two tables for coefficients stay in the first-level cache.
const lookBits = 10

// longBits is how many bits more the longest codes have.
const longBits = 16 - lookBits

// An entry says what the bits at the head of the stream are: a code, and the bits
// of a value that follow it.
//
//	bits 0 to 5    bits of code and value
//	bits 8 to 15   bits of the value
//	bits 16 to 21  64 less the bits of code and value, modulo 64
//	bits 24 to 31  1 more than the run of zeros before the value
//
// Where bits 0 to 7 are 0 the code is longer than lookBits: the rest is where its
// table of 1<<longBits entries begins. It is 0 where there is no such code.
type entry uint32

func makeEntry(length int, symbol byte, class int) entry {
	size, run := int(symbol&15), int(symbol>>4)
	if class == 0 {
		run = 0
	}
	total := length + size
	return entry(total | size<<8 | (64-total)&63<<16 | (run+1)<<24)
}

// A huffman is a Huffman code with its tables.
type huffman struct {
	entries []entry // the first 1<<lookBits of them, then those of long codes
	defined bool
}

var errCode = errors.New("a Huffman table is damaged")

// build makes the tables of a code by the numbers of codes of 1 to 16 bits and their
// symbols. class is 0 for DC, 1 for AC.
func (h *huffman) build(counts []byte, symbols []byte, class int) error {
	h.defined = false
	if cap(h.entries) < 1<<lookBits {
		h.entries = make([]entry, 1<<lookBits, 1<<lookBits+8<<longBits)
	}
	h.entries = h.entries[:1<<lookBits]
	clear(h.entries)
	code, at := 0, 0
	for length := 1; length <= 16; length++ {
		for range counts[length-1] {
			if code >= 1<<length {
				return errCode
			}
			symbol := symbols[at]
			if class == 0 && symbol > 15 {
				return errCode
			}
			at++
			h.put(code, length, makeEntry(length, symbol, class))
			code++
		}
		code <<= 1
	}
	h.defined = true
	return nil
}

// put enters a code at all places that begin with it.
func (h *huffman) put(code, length int, e entry) {
	if length <= lookBits {
		from := code << (lookBits - length)
		for i := range 1 << (lookBits - length) {
			h.entries[from+i] = e
		}
		return
	}
	first := &h.entries[code>>(length-lookBits)]
	if *first == 0 {
		n := len(h.entries)
		*first = entry(n << 8)
		h.entries = append(h.entries, make([]entry, 1<<longBits)...)
		first = &h.entries[code>>(length-lookBits)]
	}
	from := int(*first>>8) + code<<(16-length)&(1<<longBits-1)
	for i := range 1 << (16 - length) {
		h.entries[from+i] = e
	}
}

// The codes of Motion JPEG, whose frames leave them out (T.81, tables K.3 to K.6).
var standardCodes = [2][2]struct{ counts, symbols string }{
	{
		{"\x00\x01\x05\x01\x01\x01\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00", "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b"},
		{"\x00\x03\x01\x01\x01\x01\x01\x01\x01\x01\x01\x00\x00\x00\x00\x00", "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b"},
	}, {
		{"\x00\x02\x01\x03\x03\x02\x04\x03\x05\x05\x04\x04\x00\x00\x01\x7d",
			"\x01\x02\x03\x00\x04\x11\x05\x12\x21\x31\x41\x06\x13\x51\x61\x07\x22\x71\x14\x32\x81\x91\xa1\x08" +
				"\x23\x42\xb1\xc1\x15\x52\xd1\xf0\x24\x33\x62\x72\x82\x09\x0a\x16\x17\x18\x19\x1a\x25\x26\x27\x28" +
				"\x29\x2a\x34\x35\x36\x37\x38\x39\x3a\x43\x44\x45\x46\x47\x48\x49\x4a\x53\x54\x55\x56\x57\x58\x59" +
				"\x5a\x63\x64\x65\x66\x67\x68\x69\x6a\x73\x74\x75\x76\x77\x78\x79\x7a\x83\x84\x85\x86\x87\x88\x89" +
				"\x8a\x92\x93\x94\x95\x96\x97\x98\x99\x9a\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xb2\xb3\xb4\xb5\xb6" +
				"\xb7\xb8\xb9\xba\xc2\xc3\xc4\xc5\xc6\xc7\xc8\xc9\xca\xd2\xd3\xd4\xd5\xd6\xd7\xd8\xd9\xda\xe1\xe2" +
				"\xe3\xe4\xe5\xe6\xe7\xe8\xe9\xea\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\xfa"},
		{"\x00\x02\x01\x02\x04\x04\x03\x04\x07\x05\x04\x04\x00\x01\x02\x77",
			"\x00\x01\x02\x03\x11\x04\x05\x21\x31\x06\x12\x41\x51\x07\x61\x71\x13\x22\x32\x81\x08\x14\x42\x91" +
				"\xa1\xb1\xc1\x09\x23\x33\x52\xf0\x15\x62\x72\xd1\x0a\x16\x24\x34\xe1\x25\xf1\x17\x18\x19\x1a\x26" +
				"\x27\x28\x29\x2a\x35\x36\x37\x38\x39\x3a\x43\x44\x45\x46\x47\x48\x49\x4a\x53\x54\x55\x56\x57\x58" +
				"\x59\x5a\x63\x64\x65\x66\x67\x68\x69\x6a\x73\x74\x75\x76\x77\x78\x79\x7a\x82\x83\x84\x85\x86\x87" +
				"\x88\x89\x8a\x92\x93\x94\x95\x96\x97\x98\x99\x9a\xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xb2\xb3\xb4" +
				"\xb5\xb6\xb7\xb8\xb9\xba\xc2\xc3\xc4\xc5\xc6\xc7\xc8\xc9\xca\xd2\xd3\xd4\xd5\xd6\xd7\xd8\xd9\xda" +
				"\xe2\xe3\xe4\xe5\xe6\xe7\xe8\xe9\xea\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9\xfa"},
	},
}
