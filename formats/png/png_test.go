package png

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	stdpng "image/png"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// headers is every color type and depth of the specification.
func headers() []Header {
	var all []Header
	for _, c := range []ColorType{Gray, RGB, Palette, GrayAlpha, RGBA} {
		for _, depth := range []int{1, 2, 4, 8, 16} {
			for _, interlaced := range []bool{false, true} {
				if c.allows(depth) {
					all = append(all, Header{BitDepth: depth, Color: c, Interlaced: interlaced})
				}
			}
		}
	}
	return all
}

func (h Header) testName() string {
	if h.Interlaced {
		return h.String() + " interlaced"
	}
	return h.String()
}

// wantRGB is image/png's picture.
func wantRGB(t *testing.T, data []byte) []byte {
	t.Helper()
	m, err := stdpng.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("image/png: %v", err)
	}
	return rgbOf(m)
}

// channel is one channel of the sample, as bytes.
func (s *sample) channel(c int) []byte {
	var out []byte
	for i := c; i < len(s.values); i += s.Color.channels() {
		out = append(out, byte(s.values[i]))
	}
	return out
}

// TestDecode: every kind of file, in sizes from one pixel on, one Decoder for
// all, gives image/png's colors and the samples that were encoded.
func TestDecode(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var d bytesDecoder
	for _, h := range headers() {
		t.Run(h.testName(), func(t *testing.T) {
			for _, size := range [][2]int{{1, 1}, {2, 3}, {3, 1}, {5, 9}, {8, 8}, {13, 40}, {64, 5}, {77, 31}, {301, 22}} {
				h.Width, h.Height = size[0], size[1]
				s := random(r, h)
				s.split = r.IntN(200) * r.IntN(2)
				data := s.encode()
				got, err := d.AppendRGB(nil, data, Rows{})
				if err != nil {
					t.Fatalf("%v: %v", size, err)
				}
				if !bytes.Equal(got, wantRGB(t, data)) {
					t.Fatalf("%v: the RGB pixels differ", size)
				}
				ids, err := d.AppendIndices([]byte("x"), data, Rows{})
				if can := h.Color.channels() == 1 && h.BitDepth <= 8; can != (err == nil) {
					t.Fatalf("%v: indices: %v", size, err)
				} else if can && !bytes.Equal(ids, append([]byte("x"), s.channel(0)...)) {
					t.Fatalf("%v: the indices differ", size)
				}
			}
		})
	}
}

// TestGray16: all of 16-bit gray's samples, in whole or in part, and nothing
// else's.
func TestGray16(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	var d bytesDecoder
	for _, h := range headers() {
		t.Run(h.testName(), func(t *testing.T) {
			h.Width, h.Height = 37, 23
			s := random(r, h)
			got, err := d.AppendGray16(nil, s.encode(), Rows{})
			if h.Color != Gray || h.BitDepth != 16 {
				if err == nil || !strings.Contains(err.Error(), h.String()) {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var want []byte
			for _, v := range s.values {
				want = binary.BigEndian.AppendUint16(want, uint16(v))
			}
			if !bytes.Equal(got, want) {
				t.Error("the samples differ")
			}
			got, err = d.AppendGray16([]byte("x"), s.encode(), Rows{First: 18, Count: 3})
			if err != nil || !bytes.Equal(got, append([]byte("x"), want[18*37*2:21*37*2]...)) {
				t.Errorf("three rows: %v", err)
			}
		})
	}
}

// TestPalette: the palette that image/png sees.
func TestPalette(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for _, h := range headers() {
		t.Run(h.testName(), func(t *testing.T) {
			h.Width, h.Height = 9, 5
			s := random(r, h)
			data := s.encode()
			var d bytesDecoder
			_, err := d.AppendRGB(nil, data, Rows{})
			got := d.Palette()
			m, stdErr := stdpng.Decode(bytes.NewReader(data))
			if stdErr != nil {
				t.Fatal(stdErr)
			}
			p, ok := m.(*image.Paletted)
			if !ok {
				if len(got) > 0 {
					t.Errorf("%d colors", len(got))
				}
				return
			}
			at := bytes.Index(data, []byte("PLTE"))
			if n := int(binary.BigEndian.Uint32(data[at-4:])) / 3; err != nil || len(got) != n {
				t.Fatalf("%d colors, want %d: %v", len(got), n, err) // image/png's go on to the depth's limit
			}
			for i, c := range got {
				if want := color.NRGBAModel.Convert(p.Palette[i]).(color.NRGBA); c != [3]uint8{want.R, want.G, want.B} {
					t.Errorf("color %d is %v, want %v", i, c, want)
				}
			}
		})
	}
}

// TestChannel16: a channel of a 16-bit image, and where it does not fit.
func TestChannel16(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	var d bytesDecoder
	for _, h := range headers() {
		if h.BitDepth != 16 {
			continue
		}
		t.Run(h.testName(), func(t *testing.T) {
			h.Width, h.Height = 61, 43
			for c := range h.Color.channels() {
				s := random(r, h)
				for i := range s.values {
					if i%h.Color.channels() == c {
						s.values[i] &= 0xff
					}
				}
				got, err := d.AppendChannel16(nil, s.encode(), c, Rows{})
				if err != nil || !bytes.Equal(got, s.channel(c)) {
					t.Fatalf("channel %d: %v, or its values differ", c, err)
				}
				s.values[(17*h.Width+9)*h.Color.channels()+c] = 300
				_, err = d.AppendChannel16(nil, s.encode(), c, Rows{})
				var v *ValueError
				if !errors.As(err, &v) || *v != (ValueError{X: 9, Y: 17, Value: 300}) {
					t.Fatalf("channel %d: %v, want pixel x 9 y 17 value 300", c, err)
				}
				got, err = d.AppendChannel16(nil, s.encode(), c, Rows{First: 18, Count: 3})
				if err != nil || !bytes.Equal(got, s.channel(c)[18*h.Width:21*h.Width]) {
					t.Fatalf("channel %d: rows that do not have the value: %v", c, err)
				}
			}
			s := random(r, h)
			if _, err := d.AppendChannel16(nil, s.encode(), h.Color.channels(), Rows{}); err == nil {
				t.Error("a channel that does not exist was decoded")
			}
		})
	}
}

// TestTransparency: tRNS is read and changes no color.
func TestTransparency(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	var d bytesDecoder
	for _, h := range headers() {
		h.Width, h.Height = 20, 20
		s := random(r, h)
		switch h.Color {
		case Gray:
			s.trns = []byte{byte(s.values[5] >> 8), byte(s.values[5])}
		case RGB:
			for _, v := range s.values[3:6] {
				s.trns = append(s.trns, byte(v>>8), byte(v))
			}
		case Palette:
			s.trns = bytes.Repeat([]byte{7}, 1+r.IntN(1<<h.BitDepth))
		default:
			want := wantRGB(t, s.encode())
			s.trns = []byte{0, 0} // beside an alpha channel, which image/png refuses
			if got, err := d.AppendRGB(nil, s.encode(), Rows{}); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %v, or the pixels differ", h.testName(), err)
			}
			continue
		}
		got, err := d.AppendRGB(nil, s.encode(), Rows{})
		if err != nil || !bytes.Equal(got, wantRGB(t, s.encode())) {
			t.Errorf("%s: %v, or the pixels differ", h.testName(), err)
		}
	}
}

// TestRows: any span of rows is that part of the whole image.
func TestRows(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	var d bytesDecoder
	for _, h := range headers() {
		t.Run(h.testName(), func(t *testing.T) {
			h.Width, h.Height = 90, 33
			s := random(r, h)
			data := s.encode()
			whole, err := d.AppendRGB(nil, data, Rows{})
			if err != nil {
				t.Fatal(err)
			}
			for first := range h.Height {
				for count := range h.Height - first + 1 {
					n := count
					if n == 0 {
						n = h.Height - first
					}
					got, err := d.AppendRGB(nil, data, Rows{first, count})
					if err != nil || !bytes.Equal(got, whole[3*h.Width*first:3*h.Width*(first+n)]) {
						t.Fatalf("rows %d, %d of them: %v, or they differ", first, count, err)
					}
				}
			}
		})
	}
	h := Header{Width: 4, Height: 4, BitDepth: 8}
	s := random(r, h)
	for _, rows := range []Rows{{-1, 2}, {4, 0}, {0, 5}, {2, 3}, {0, -1}, {math.MaxInt, math.MaxInt}, {3, math.MaxInt}} {
		if _, err := d.AppendRGB(nil, s.encode(), rows); err == nil {
			t.Errorf("%+v of 4 rows was accepted", rows)
		}
	}
}

// TestLargeRows: scanlines longer than the band, and images of many bands.
func TestLargeRows(t *testing.T) {
	r := rand.New(rand.NewPCG(13, 14))
	var d bytesDecoder
	for _, h := range []Header{
		{Width: 70_000, Height: 3, BitDepth: 16, Color: RGBA},
		{Width: 900, Height: 700, BitDepth: 8, Color: RGB},
		{Width: 3, Height: 40_000, BitDepth: 8, Color: RGBA},
		{Width: 1000, Height: 700, BitDepth: 8, Color: Palette},
		{Width: 801, Height: 603, BitDepth: 8, Color: RGB, Interlaced: true},
	} {
		s := random(r, h)
		data := s.encode()
		got, err := d.AppendRGB(nil, data, Rows{})
		if err != nil || !bytes.Equal(got, wantRGB(t, data)) {
			t.Errorf("%s: %v, or the pixels differ", h.testName(), err)
		}
	}
}

// TestAllocations: a Decoder that has seen an image decodes another like it
// without allocating.
func TestAllocations(t *testing.T) {
	r := rand.New(rand.NewPCG(15, 16))
	for _, h := range headers() {
		h.Width, h.Height = 100, 60
		s := random(r, h)
		s.split = 500
		data := s.encode()
		var d bytesDecoder
		var dst []byte
		if n := testing.AllocsPerRun(10, func() {
			var err error
			if dst, err = d.AppendRGB(dst[:0], data, Rows{}); err != nil {
				t.Fatal(err)
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", h.testName(), n)
		}
	}
	h := Header{Width: 50, Height: 50, BitDepth: 16, Color: RGB}
	s := random(r, h)
	for i := range s.values {
		s.values[i] &= 0xff
	}
	data := s.encode()
	var d bytesDecoder
	var dst []byte
	if n := testing.AllocsPerRun(10, func() { dst, _ = d.AppendChannel16(dst[:0], data, 0, Rows{}) }); n != 0 {
		t.Errorf("channel: %v allocations", n)
	}
}

// TestPixelLimit: what a file declares is refused before it is allocated.
func TestPixelLimit(t *testing.T) {
	bomb := func(w, h int) []byte {
		hd := Header{Width: w, Height: h, BitDepth: 16, Color: RGBA}
		data := appendIHDR([]byte(magic), hd)
		data = appendChunk(data, "IDAT", deflated(make([]byte, 3000), 9))
		return appendChunk(data, "IEND", nil)
	}
	for _, c := range []struct {
		name  string
		data  []byte
		limit int
		want  string
	}{
		{"default", bomb(1<<31-1, 1<<31-1), 0, "it declares 2147483647x2147483647 pixels, the limit is 100000000"},
		{"highest", bomb(1<<31-1, 1<<31-1), math.MaxInt, "it declares 2147483647x2147483647 pixels"},
		{"too little data", bomb(10_000, 10_000), 0, "cannot hold"},
		{"given", bomb(11, 10), 109, "it declares 11x10 pixels, the limit is 109"},
		{"negative", bomb(1, 1), -1, "MaxPixels is negative"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := bytesDecoder{Decoder{MaxPixels: c.limit}}
			if n := testing.AllocsPerRun(1, func() {
				_, err := d.AppendRGB(nil, c.data, Rows{})
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%v, want %q", err, c.want)
				}
			}); n > 10 {
				t.Errorf("%v allocations", n)
			}
			if len(d.lines.buf)+cap(d.rows)+cap(d.zeros) > 0 {
				t.Error("it allocated scratch")
			}
		})
	}
}

func TestOpen(t *testing.T) {
	for _, h := range headers() {
		h.Width, h.Height = 19, 1<<31-1
		data := appendIHDR([]byte(magic), h)
		if got, err := Open(data); err != nil || got.Header != h {
			t.Errorf("%+v, %v, want %+v", got, err, h)
		}
	}
}

func ExampleDecoder() {
	s := sample{Header: Header{Width: 2, Height: 1, BitDepth: 4, Color: Palette}, values: []uint16{1, 0}, palette: []byte{10, 20, 30, 128, 64, 128}, filter: func(int) byte { return 0 }}
	label := s.encode()

	f, err := Open(label)
	fmt.Println(f.Width, f.Height, f, err)
	var d Decoder
	rgb, err := d.AppendRGB(nil, f, Rows{})
	fmt.Println(rgb, err)
	ids, err := d.AppendIndices(nil, f, Rows{})
	fmt.Println(ids, d.Palette(), err)
	// Output:
	// 2 1 4-bit palette <nil>
	// [128 64 128 10 20 30] <nil>
	// [1 0] [[10 20 30] [128 64 128]] <nil>
}
