package png

import (
	"encoding/binary"
	"fmt"
)

// ColorType is the color type of a PNG (ISO/IEC 15948, 11.2.2).
type ColorType uint8

// The color types, by their values in the file.
const (
	Gray      ColorType = 0
	RGB       ColorType = 2
	Palette   ColorType = 3
	GrayAlpha ColorType = 4
	RGBA      ColorType = 6
)

func (c ColorType) String() string {
	switch c {
	case Gray:
		return "gray"
	case RGB:
		return "RGB"
	case Palette:
		return "palette"
	case GrayAlpha:
		return "gray with alpha"
	case RGBA:
		return "RGB with alpha"
	}
	return fmt.Sprintf("color type %d", uint8(c))
}

// channels is the number of samples of a pixel in the file, 0 for a color
// type that does not exist.
func (c ColorType) channels() int {
	switch c {
	case Gray, Palette:
		return 1
	case GrayAlpha:
		return 2
	case RGB:
		return 3
	case RGBA:
		return 4
	}
	return 0
}

// allows says whether the color type has samples of depth bits.
func (c ColorType) allows(depth int) bool {
	switch depth {
	case 1, 2, 4:
		return c == Gray || c == Palette
	case 8:
		return c.channels() > 0
	case 16:
		return c.channels() > 0 && c != Palette
	}
	return false
}

// Header is what a PNG says of itself in its IHDR chunk.
type Header struct {
	Width, Height int // pixels, both at least 1
	BitDepth      int // bits a sample: 1, 2, 4, 8 or 16
	Color         ColorType
	Interlaced    bool // Adam7
}

// String describes the samples: "16-bit RGB".
func (h Header) String() string { return fmt.Sprintf("%d-bit %v", h.BitDepth, h.Color) }

// pixelBits is the size of a pixel in the file, 1 to 64 bits.
func (h Header) pixelBits() int { return h.Color.channels() * h.BitDepth }

// filterUnit is the distance in bytes to what a filter takes for the pixel to
// the left: a pixel, and at least a byte.
func (h Header) filterUnit() int { return max(1, h.pixelBits()/8) }

// lineBytes is the size of width pixels as a scanline, without the filter byte.
func (h Header) lineBytes(width int) int { return (h.pixelBits()*width + 7) / 8 }

// A File is a PNG file in memory whose header has been read: what a Decoder
// decodes. The bytes are the caller's and are to stay as they are.
type File struct {
	Header
	data []byte
	body int // where the chunk after IHDR begins
}

// Open reads a file's header. It reads up to the end of IHDR and nothing after,
// so that a caller can refuse an image by its size before anything is allocated.
func Open(data []byte) (File, error) {
	at, err := signature(data)
	for err == nil {
		var c chunk
		if c, err = readChunk(data, at); err != nil {
			break
		}
		switch c.name {
		case nameIHDR:
			if err := c.verify(); err != nil {
				return File{}, err
			}
			h, err := parseIHDR(c)
			return File{h, data, c.next()}, err
		case namePLTE, nameIDAT, nameIEND:
			return File{}, c.errorf("comes before IHDR")
		}
		at = c.next()
	}
	return File{}, err
}

// parseIHDR reads a header from its chunk.
func parseIHDR(c chunk) (Header, error) {
	b := c.data
	if len(b) != 13 {
		return Header{}, c.errorf("is %d bytes, not 13", len(b))
	}
	w, h := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
	if w == 0 || h == 0 || w > 1<<31-1 || h > 1<<31-1 {
		return Header{}, c.errorf("declares %dx%d pixels", w, h)
	}
	hd := Header{Width: int(w), Height: int(h), BitDepth: int(b[8]), Color: ColorType(b[9]), Interlaced: b[12] == 1}
	if !hd.Color.allows(hd.BitDepth) {
		return Header{}, c.errorf("bit depth %d with %v", b[8], hd.Color)
	}
	if b[10] != 0 || b[11] != 0 || b[12] > 1 {
		return Header{}, c.errorf("compression method %d, filter method %d, interlace method %d", b[10], b[11], b[12])
	}
	return hd, nil
}
