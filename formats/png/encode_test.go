package png

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"math/rand/v2"
)

// sample is a picture to be encoded for a test, in forms that image/png's
// encoder does not write.
type sample struct {
	Header
	values  []uint16 // [H,W,channels]
	palette []byte   // PLTE
	trns    []byte   // tRNS
	filter  func(y int) byte
	level   int // of compress/zlib
	split   int // bytes of an IDAT chunk, 0 for one chunk
}

// random returns a picture of random samples with some structure, so that
// filters and matches have something to do.
func random(r *rand.Rand, h Header) sample {
	s := sample{Header: h, values: make([]uint16, h.Width*h.Height*h.Color.channels()), level: zlib.DefaultCompression}
	for i := range s.values {
		v := uint16(i*3) + uint16(r.IntN(1+r.IntN(300)))
		if h.BitDepth == 16 {
			v = v<<8 | uint16(r.IntN(256))
		}
		s.values[i] = v & uint16(1<<h.BitDepth-1)
	}
	if h.Color == Palette {
		s.palette = make([]byte, 3*(1+r.IntN(1<<h.BitDepth)))
		for i := range s.palette {
			s.palette[i] = byte(r.IntN(256))
		}
	}
	s.filter = func(y int) byte { return byte((y*7 + y/5) % 5) }
	return s
}

// pack writes the samples of the pixels x0, x0+dx, ... of row y as a scanline.
func (s *sample) pack(y, x0, dx int) []byte {
	var line []byte
	c, used := s.Color.channels(), 8
	for x := x0; x < s.Width; x += dx {
		for _, v := range s.values[(y*s.Width+x)*c : (y*s.Width+x+1)*c] {
			switch s.BitDepth {
			case 16:
				line = append(line, byte(v>>8), byte(v))
			case 8:
				line = append(line, byte(v))
			default:
				if used == 8 {
					line, used = append(line, 0), 0
				}
				used += s.BitDepth
				line[len(line)-1] |= byte(v) << (8 - used)
			}
		}
	}
	return line
}

// scanlines is the filtered rows of the whole image.
func (s *sample) scanlines() []byte {
	passes := []pass{{0, 0, 1, 1}}
	if s.Interlaced {
		passes = adam7[:]
	}
	var raw []byte
	for _, a := range passes {
		if a.x0 >= s.Width {
			continue
		}
		var prev []byte
		for y := a.y0; y < s.Height; y += a.dy {
			line := s.pack(y, a.x0, a.dx)
			if prev == nil {
				prev = make([]byte, len(line))
			}
			raw = append(raw, filtered(s.filter(y), line, prev, s.filterUnit())...)
			prev = line
		}
	}
	return raw
}

// filtered is a scanline with its filter byte.
func filtered(filter byte, line, prev []byte, unit int) []byte {
	out := []byte{filter}
	for i, v := range line {
		// What the reference makes of a row whose bytes up to i are zero is
		// the prediction for it.
		var a, c byte
		if i >= unit {
			a, c = line[i-unit], prev[i-unit]
		}
		switch filter {
		case filterSub:
			v -= a
		case filterUp:
			v -= prev[i]
		case filterAverage:
			v -= byte((int(a) + int(prev[i])) / 2)
		case filterPaeth:
			v -= paeth(a, prev[i], c)
		}
		out = append(out, v)
	}
	return out
}

func deflated(raw []byte, level int) []byte {
	var b bytes.Buffer
	w, err := zlib.NewWriterLevel(&b, level)
	if err != nil {
		panic(err)
	}
	w.Write(raw)
	w.Close()
	return b.Bytes()
}

func (s *sample) encode() []byte {
	data := appendIHDR([]byte(magic), s.Header)
	if s.palette != nil {
		data = appendChunk(data, "PLTE", s.palette)
	}
	if s.trns != nil {
		data = appendChunk(data, "tRNS", s.trns)
	}
	stream := deflated(s.scanlines(), s.level)
	for s.split > 0 && len(stream) > s.split {
		data = appendChunk(data, "IDAT", stream[:s.split])
		stream = stream[s.split:]
	}
	data = appendChunk(data, "IDAT", stream)
	return appendChunk(data, "IEND", nil)
}

func appendIHDR(data []byte, h Header) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(h.Width))
	b = binary.BigEndian.AppendUint32(b, uint32(h.Height))
	b = append(b, byte(h.BitDepth), byte(h.Color), 0, 0, 0)
	if h.Interlaced {
		b[12] = 1
	}
	return appendChunk(data, "IHDR", b)
}

func appendChunk(data []byte, name string, body []byte) []byte {
	data = binary.BigEndian.AppendUint32(data, uint32(len(body)))
	at := len(data)
	data = append(append(data, name...), body...)
	return binary.BigEndian.AppendUint32(data, crc32.ChecksumIEEE(data[at:]))
}

// fixCRCs makes the CRCs of a broken file agree with what is in its chunks.
func fixCRCs(data []byte) []byte {
	data = bytes.Clone(data)
	for at := len(magic); len(data)-at >= 12; {
		n := uint64(binary.BigEndian.Uint32(data[at:]))
		if n > uint64(len(data)-at-12) {
			break
		}
		end := at + 8 + int(n)
		binary.BigEndian.PutUint32(data[end:], crc32.ChecksumIEEE(data[at+4:end]))
		at = end + 4
	}
	return data
}

// rgbOf is what image/png decoded, as AppendRGB has it.
func rgbOf(m image.Image) []byte {
	var out []byte
	every := func(pix []byte, pixel, g, b int) {
		for i := 0; i < len(pix); i += pixel {
			out = append(out, pix[i], pix[i+g], pix[i+b])
		}
	}
	switch m := m.(type) {
	case *image.Gray:
		every(m.Pix, 1, 0, 0)
	case *image.Gray16:
		every(m.Pix, 2, 0, 0)
	case *image.RGBA:
		every(m.Pix, 4, 1, 2)
	case *image.NRGBA:
		every(m.Pix, 4, 1, 2)
	case *image.RGBA64:
		every(m.Pix, 8, 2, 4)
	case *image.NRGBA64:
		every(m.Pix, 8, 2, 4)
	case *image.Paletted:
		for _, i := range m.Pix {
			switch c := m.Palette[i].(type) {
			case color.RGBA:
				out = append(out, c.R, c.G, c.B)
			case color.NRGBA:
				out = append(out, c.R, c.G, c.B)
			}
		}
	}
	return out
}

// bytesDecoder decodes files that nothing has looked into before.
type bytesDecoder struct{ Decoder }

func (d *bytesDecoder) AppendRGB(dst, data []byte, rows Rows) ([]byte, error) {
	f, err := Open(data)
	if err != nil {
		return dst, err
	}
	return d.Decoder.AppendRGB(dst, f, rows)
}

func (d *bytesDecoder) AppendIndices(dst, data []byte, rows Rows) ([]byte, error) {
	f, err := Open(data)
	if err != nil {
		return dst, err
	}
	return d.Decoder.AppendIndices(dst, f, rows)
}

func (d *bytesDecoder) AppendChannel16(dst, data []byte, channel int, rows Rows) ([]byte, error) {
	f, err := Open(data)
	if err != nil {
		return dst, err
	}
	return d.Decoder.AppendChannel16(dst, f, channel, rows)
}

func (d *bytesDecoder) AppendGray16(dst, data []byte, rows Rows) ([]byte, error) {
	f, err := Open(data)
	if err != nil {
		return dst, err
	}
	return d.Decoder.AppendGray16(dst, f, rows)
}
