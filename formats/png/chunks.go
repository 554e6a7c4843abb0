package png

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

const magic = "\x89PNG\r\n\x1a\n"

// The chunks that are looked into, by their names as big-endian numbers.
const (
	nameIHDR = 'I'<<24 | 'H'<<16 | 'D'<<8 | 'R'
	namePLTE = 'P'<<24 | 'L'<<16 | 'T'<<8 | 'E'
	nameIDAT = 'I'<<24 | 'D'<<16 | 'A'<<8 | 'T'
	nameIEND = 'I'<<24 | 'E'<<16 | 'N'<<8 | 'D'
)

// chunk is one chunk of a file.
type chunk struct {
	name   uint32
	at     int // offset of its length field in the file, bytes
	data   []byte
	intact bool // its CRC agrees
}

// ancillary reports whether a picture may do without the chunk: its name is of
// letters, the first a small one.
func (c chunk) ancillary() bool {
	const small = 0x20
	for shift := 0; shift < 32; shift += 8 {
		if b := uint8(c.name>>shift) &^ small; b < 'A' || b > 'Z' {
			return false
		}
	}
	return c.name>>24&small != 0
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
	if !bytes.HasPrefix(data, []byte(magic)) {
		return 0, &SignatureError{Found: whatIs(data)}
	}
	return len(magic), nil
}

// readChunk reads the chunk at byte at, whose CRC is the caller's to care for.
func readChunk(data []byte, at int) (chunk, error) {
	if len(data)-at < 12 {
		return chunk{}, fmt.Errorf("the file ends at byte %d, before IEND", len(data))
	}
	size := binary.BigEndian.Uint32(data[at:])
	c := chunk{name: binary.BigEndian.Uint32(data[at+4:]), at: at}
	if uint64(size) > uint64(len(data)-at-12) {
		return chunk{}, c.errorf("the file ends early: %d bytes are declared, and %d are there", size, len(data)-at-12)
	}
	end := at + 8 + int(size)
	c.data = data[at+8 : end : end]
	c.intact = crc32.ChecksumIEEE(data[at+4:end]) == binary.BigEndian.Uint32(data[end:])
	return c, nil
}

// verify is an error where the CRC of a chunk disagrees. Chunks that hold nothing of
// the picture are not verified, as in libpng.
func (c chunk) verify() error {
	if c.intact || c.ancillary() {
		return nil
	}
	return c.errorf("CRC mismatch")
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
	inIDAT    // the chunk before was IDAT
	afterIDAT // the run of IDAT chunks is over
)

// parse walks all chunks from the one after IHDR up to IEND, verifying the CRCs and
// the order of those that make the picture. What follows IEND is not looked at. p.idat refers to the file or to
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
			return c.verify()
		}
		if st, err = p.take(c, st); err != nil {
			return err
		}
		at = c.next()
	}
}

// take reads one chunk that is neither IHDR nor IEND.
func (p *parts) take(c chunk, st stage) (stage, error) {
	palette := c.name == namePLTE && p.Color == Palette
	if c.name != namePLTE || palette { // of other colors PLTE only suggests some
		if err := c.verify(); err != nil {
			return st, err
		}
	}
	switch {
	case c.name == nameIHDR:
		return st, c.errorf("comes twice")
	case palette:
		if st != afterIHDR {
			return st, c.errorf("is out of order")
		}
		return afterPLTE, p.takePLTE(c)
	case c.name == nameIDAT:
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

// takePLTE takes a palette's colors. Those beyond what the bit depth can name are of
// no pixel.
func (p *parts) takePLTE(c chunk) error {
	n := len(c.data)
	if n == 0 || n%3 != 0 || n > len(p.palette) {
		return c.errorf("is %d bytes, want 3 for each of 1 to 256 colors", n)
	}
	p.colors = copy(p.palette[:3<<p.BitDepth], c.data) / 3
	return nil
}
