package png

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

const magic = "\x89PNG\r\n\x1a\n"

// The chunks that are looked into, by their names as big-endian numbers.
const (
	nameIHDR = 'I'<<24 | 'H'<<16 | 'D'<<8 | 'R'
	namePLTE = 'P'<<24 | 'L'<<16 | 'T'<<8 | 'E'
	nameTRNS = 't'<<24 | 'R'<<16 | 'N'<<8 | 'S'
	nameIDAT = 'I'<<24 | 'D'<<16 | 'A'<<8 | 'T'
	nameIEND = 'I'<<24 | 'E'<<16 | 'N'<<8 | 'D'
)

// chunk is one chunk of a file, its CRC verified.
type chunk struct {
	name uint32
	at   int // offset of its length field in the file, bytes
	data []byte
}

func (c chunk) next() int { return c.at + 12 + len(c.data) }

func (c chunk) errorf(format string, args ...any) error {
	return fmt.Errorf("chunk %s at byte %d: %s", chunkName(c.name), c.at, fmt.Sprintf(format, args...))
}

// chunkName is printable whatever the file says.
func chunkName(n uint32) string {
	b := binary.BigEndian.AppendUint32(nil, n)
	for _, c := range b {
		if c < 'A' || c > 'z' || c > 'Z' && c < 'a' {
			return fmt.Sprintf("%q", b)
		}
	}
	return string(b)
}

// signature returns the offset of the first chunk.
func signature(data []byte) (int, error) {
	if len(data) < len(magic) || string(data[:len(magic)]) != magic {
		return 0, errors.New("not a PNG file: the signature is missing")
	}
	return len(magic), nil
}

// readChunk reads the chunk at byte at and verifies its CRC.
func readChunk(data []byte, at int) (chunk, error) {
	if len(data)-at < 12 {
		return chunk{}, fmt.Errorf("the file ends at byte %d, before IEND", len(data))
	}
	size := binary.BigEndian.Uint32(data[at:])
	c := chunk{name: binary.BigEndian.Uint32(data[at+4:]), at: at}
	if uint64(size) > uint64(len(data)-at-12) {
		return chunk{}, c.errorf("declares %d bytes, the file has %d more", size, len(data)-at-12)
	}
	end := at + 8 + int(size)
	c.data = data[at+8 : end : end]
	if crc32.ChecksumIEEE(data[at+4:end]) != binary.BigEndian.Uint32(data[end:]) {
		return chunk{}, c.errorf("CRC mismatch")
	}
	return c, nil
}

// parts are what decoding needs of a file.
type parts struct {
	Header
	palette [3 * 256]byte // RGB; black where PLTE has no entry, as libpng and image/png do
	colors  int           // how many PLTE has, of a palette image
	idat    []byte        // the zlib stream
	gather  []byte        // idat's bytes when they come from several chunks
}

// stage is how far the walk through the chunks has come.
type stage int

const (
	afterIHDR stage = iota
	afterPLTE
	afterTRNS
	inIDAT    // the chunk before was IDAT
	afterIDAT // the run of IDAT chunks is over
)

// parse walks all chunks from the one after IHDR up to IEND, verifying CRCs and
// order. What follows IEND is not looked at. p.idat refers to the file or to
// p.gather.
func (p *parts) parse(f File) error {
	p.Header, p.idat, p.colors = f.Header, nil, 0
	clear(p.palette[:])
	for st, at := afterIHDR, f.body; ; {
		c, err := readChunk(f.data, at)
		if err != nil {
			return err
		}
		if c.name == nameIEND {
			if st < inIDAT {
				return c.errorf("comes before IDAT")
			}
			if len(c.data) != 0 {
				return c.errorf("is %d bytes, not 0", len(c.data))
			}
			return nil
		}
		if st, err = p.take(c, st); err != nil {
			return err
		}
		at = c.next()
	}
}

// take reads one chunk that is neither IHDR nor IEND.
func (p *parts) take(c chunk, st stage) (stage, error) {
	switch c.name {
	case nameIHDR:
		return st, c.errorf("comes twice")
	case namePLTE:
		if st != afterIHDR {
			return st, c.errorf("is out of order")
		}
		return afterPLTE, p.takePLTE(c)
	case nameTRNS:
		if st != afterPLTE && (st != afterIHDR || p.Color == Palette) {
			return st, c.errorf("is out of order")
		}
		return afterTRNS, p.checkTRNS(c)
	case nameIDAT:
		switch {
		case st == afterIHDR && p.Color == Palette:
			return st, c.errorf("is out of order")
		case st == inIDAT:
			// The first chunk of several is copied when the second comes.
			if len(p.idat) > 0 && len(p.gather) == 0 {
				p.gather = append(p.gather, p.idat...)
			}
			p.gather = append(p.gather, c.data...)
			p.idat = p.gather
		case st < inIDAT:
			p.idat, p.gather = c.data, p.gather[:0]
		default: // IDAT after another chunk: not part of the picture
			return st, nil
		}
		return inIDAT, nil
	}
	if st == inIDAT {
		st = afterIDAT
	}
	return st, nil
}

func (p *parts) takePLTE(c chunk) error {
	n := len(c.data)
	if n == 0 || n%3 != 0 || n > 3*256 || n > 3<<p.BitDepth {
		return c.errorf("is %d bytes for a bit depth of %d", n, p.BitDepth)
	}
	switch p.Color {
	case Palette:
		p.colors = copy(p.palette[:], c.data) / 3
	case Gray, GrayAlpha:
		return c.errorf("in an image that is %v", p.Color)
	}
	return nil // a suggested palette of an RGB image
}

// checkTRNS validates a transparency chunk, whose content is not used.
func (p *parts) checkTRNS(c chunk) error {
	n, ok := len(c.data), false
	switch p.Color {
	case Gray:
		ok = n == 2
	case RGB:
		ok = n == 6
	case Palette:
		ok = n <= 256
	}
	if !ok {
		return c.errorf("is %d bytes in an image that is %v", n, p.Color)
	}
	return nil
}
