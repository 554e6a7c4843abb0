package jpeg

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// zigzag is where in a block a coefficient lies by its place in the file.
var zigzag = [64]uint8{
	0, 1, 8, 16, 9, 2, 3, 10, 17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63,
}

// tables is what a file's segments set for the scans that follow them.
type tables struct {
	quant      [4][64]int16 // of each coefficient, row by row
	hasQuant   [4]bool
	huffman    [2][4]huffman // DC and AC
	arithmetic arithmetic
	interval   int // MCUs between restart markers, 0 where there are none

	jfif      bool
	adobe     bool
	transform byte // Adobe's: 0 for none, 1 for YCbCr, 2 for YCCK
}

func (t *tables) reset() {
	t.hasQuant = [4]bool{}
	for class := range t.huffman {
		for i := range t.huffman[class] {
			t.huffman[class][i].defined = false
		}
	}
	t.arithmetic.reset()
	t.interval, t.jfif, t.adobe, t.transform = 0, false, false, 0
}

// parse takes a segment that is neither a frame header nor a scan.
func (t *tables) parse(s segment) error {
	switch s.marker {
	case markerDQT:
		return t.parseQuant(s.body)
	case markerDHT:
		return t.parseHuffman(s.body)
	case markerDAC:
		return t.arithmetic.parse(s.body)
	case markerDRI:
		if len(s.body) != 2 {
			return fmt.Errorf("segment DRI is %d bytes long", len(s.body))
		}
		t.interval = int(binary.BigEndian.Uint16(s.body))
	case markerAPP0:
		t.jfif = t.jfif || len(s.body) >= 5 && bytes.HasPrefix(s.body, []byte("JFIF\x00"))
	case markerAPPE:
		if len(s.body) >= 12 && bytes.HasPrefix(s.body, []byte("Adobe")) {
			t.adobe, t.transform = true, s.body[11]
		}
	}
	return nil
}

func (t *tables) parseQuant(b []byte) error {
	for len(b) > 0 {
		wide, id := b[0]>>4, b[0]&15
		size := 64 << wide
		if wide > 1 || id > 3 || len(b) < 1+size {
			return fmt.Errorf("segment DQT is damaged: table %02x, %d bytes", b[0], len(b)-1)
		}
		for i, at := range zigzag {
			if wide == 0 {
				t.quant[id][at] = int16(b[1+i])
			} else {
				t.quant[id][at] = int16(binary.BigEndian.Uint16(b[1+2*i:]))
			}
		}
		t.hasQuant[id] = true
		b = b[1+size:]
	}
	return nil
}

func (t *tables) parseHuffman(b []byte) error {
	for len(b) > 0 {
		if len(b) < 17 {
			return errCode
		}
		class, id, counts, n := b[0]>>4, b[0]&15, b[1:17], 0
		for _, c := range counts {
			n += int(c)
		}
		if class > 1 || id > 3 || n > 256 || len(b) < 17+n {
			return errCode
		}
		if err := t.huffman[class][id].build(counts, b[17:17+n], int(class)); err != nil {
			return err
		}
		b = b[17+n:]
	}
	return nil
}

// code is a Huffman code by its class, 0 for DC and 1 for AC, and its number. One
// that the file leaves out is the standard's.
func (t *tables) code(class int, id byte) (*huffman, error) {
	if id > 3 {
		return nil, fmt.Errorf("it names Huffman table %d", id)
	}
	h := &t.huffman[class][id]
	if !h.defined {
		if id > 1 {
			return nil, fmt.Errorf("the Huffman table %d is missing", id)
		}
		s := standardCodes[class][id]
		if err := h.build([]byte(s.counts), []byte(s.symbols), class); err != nil {
			return nil, err
		}
	}
	return h, nil
}
