package jpeg

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
)

// Markers (ITU-T T.81, table B.1): the byte after 0xFF.
const (
	markerSOF0 = 0xC0 // baseline
	markerSOF1 = 0xC1 // extended sequential, Huffman
	markerSOF2 = 0xC2 // progressive, Huffman
	markerDHT  = 0xC4
	markerSOF9 = 0xC9 // sequential, arithmetic
	markerSOFA = 0xCA // progressive, arithmetic
	markerDAC  = 0xCC
	markerRST0 = 0xD0
	markerRST7 = 0xD7
	markerSOI  = 0xD8
	markerEOI  = 0xD9
	markerSOS  = 0xDA
	markerDQT  = 0xDB
	markerDRI  = 0xDD
	markerAPP0 = 0xE0
	markerAPPE = 0xEE
	markerTEM  = 0x01
)

// errEarly is a file of which the end is missing.
var errEarly = errors.New("the file ends early: it was cut off, copy it anew")

// A segment is a marker with what belongs to it.
type segment struct {
	marker byte
	body   []byte
	next   int // where the segment ends in the file
}

// readSegment reads the segment at or after a place in the file. What lies before
// the next marker is passed over, as every reader does.
func readSegment(data []byte, at int) (segment, error) {
	for {
		i := bytes.IndexByte(data[at:], 0xFF)
		if i < 0 {
			return segment{}, errEarly
		}
		for at += i; at < len(data) && data[at] == 0xFF; at++ { // fill bytes
		}
		if at == len(data) {
			return segment{}, errEarly
		}
		if data[at] != 0 {
			break
		}
	}
	s := segment{marker: data[at], next: at + 1}
	if s.marker >= markerRST0 && s.marker <= markerEOI || s.marker == markerTEM {
		return s, nil
	}
	if at+3 > len(data) {
		return s, errEarly
	}
	size := int(binary.BigEndian.Uint16(data[at+1:]))
	if size < 2 {
		return s, fmt.Errorf("segment %02x is %d bytes long", s.marker, size)
	}
	if s.next = at + 1 + size; s.next > len(data) {
		return s, errEarly
	}
	s.body = data[at+3 : s.next]
	return s, nil
}

// A Header is what a JPEG says of itself in its frame header.
type Header struct {
	Width, Height int // pixels, both at least 1
	Components    int // 1: grey, 3: YCbCr or RGB, 4: CMYK or YCCK
	Progressive   bool
	Arithmetic    bool // coded by arithmetic, not by Huffman's codes
}

// A File is a JPEG file in memory whose header has been read: what a Decoder
// decodes. The bytes are the caller's and are to stay as they are.
type File struct {
	Header
	data []byte
}

// Open reads a file up to its frame header, so that a caller can refuse an image by
// its size before anything is allocated.
func Open(data []byte) (File, error) {
	if len(data) < 2 || data[0] != 0xFF || data[1] != markerSOI {
		return File{}, errors.New("not a JPEG file: it does not begin with FF D8")
	}
	for at := 2; ; {
		s, err := readSegment(data, at)
		if err != nil {
			return File{}, err
		}
		switch {
		case isFrame(s.marker):
			h, err := parseFrame(s)
			return File{h, data}, err
		case s.marker == markerSOS:
			return File{}, errors.New("a scan comes before the frame header")
		case s.marker == markerEOI:
			return File{}, errors.New("it has no frame header")
		}
		at = s.next
	}
}

// isFrame reports whether a marker is one of the frame headers SOF0 to SOF15.
func isFrame(marker byte) bool {
	return marker >= markerSOF0 && marker <= 0xCF && marker != markerDHT && marker != 0xC8 && marker != markerDAC
}

// parseFrame reads a frame header, of the kinds that are decoded.
func parseFrame(s segment) (h Header, err error) {
	switch s.marker {
	case markerSOF0, markerSOF1:
	case markerSOF2:
		h.Progressive = true
	case markerSOF9:
		h.Arithmetic = true
	case markerSOFA:
		h.Progressive, h.Arithmetic = true, true
	case 0xC3, 0xCB:
		return h, errors.New("lossless JPEG is not read: save it as PNG")
	default:
		return h, fmt.Errorf("frames of kind SOF%d are not read: save it as a baseline JPEG", s.marker-markerSOF0)
	}
	b := s.body
	if len(b) < 6 {
		return h, fmt.Errorf("the frame header is %d bytes long", len(b))
	}
	if b[0] != 8 {
		return h, fmt.Errorf("samples of %d bits are not read, only of 8", b[0])
	}
	h.Height, h.Width, h.Components = int(binary.BigEndian.Uint16(b[1:])), int(binary.BigEndian.Uint16(b[3:])), int(b[5])
	if h.Width == 0 || h.Height == 0 {
		return h, fmt.Errorf("the frame header declares %dx%d pixels", h.Width, h.Height)
	}
	if h.Components != 1 && h.Components != 3 && h.Components != 4 {
		return h, fmt.Errorf("images of %d components are not read, only of 1, 3 and 4", h.Components)
	}
	if len(b) != 6+3*h.Components {
		return h, fmt.Errorf("the frame header is %d bytes long for %d components", len(b), h.Components)
	}
	return h, nil
}
