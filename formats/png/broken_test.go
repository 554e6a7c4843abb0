package png

import (
	"bytes"
	"encoding/binary"
	stdpng "image/png"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// lenient are errors of image/png about what makes no pixel, which libpng passes.
var lenient = []string{"too much pixel data", "tRNS", "PLTE", "chunk out of order", "bad IEND length"}

// compareDecode holds AppendRGB to image/png on any bytes: both fail, or both
// give the same pixels, or the file has what libpng passes.
func compareDecode(t *testing.T, d *bytesDecoder, data []byte) {
	t.Helper()
	got, err := d.AppendRGB(nil, data, Rows{})
	m, wantErr := stdpng.Decode(bytes.NewReader(data))
	switch {
	case wantErr == nil && err != nil:
		t.Fatalf("image/png reads it, we fail: %v", err)
	case wantErr != nil && err == nil:
		if d.lines.state != streamEnd { // whatever follows the last row
			return
		}
		if slices.ContainsFunc(lenient, func(text string) bool { return strings.Contains(wantErr.Error(), text) }) {
			return
		}
		t.Fatalf("image/png fails: %v; we read it", wantErr)
	case err == nil && !bytes.Equal(got, rgbOf(m)):
		t.Fatal("the pixels differ from image/png's")
	}
	if err != nil {
		return
	}
	wide, wideErr := d.AppendGray16(nil, data, Rows{})
	if h, _ := Open(data); (wideErr == nil) != (h.Color == Gray && h.BitDepth == 16) {
		t.Fatalf("16-bit samples of %v: %v", h, wideErr)
	}
	for i := range len(wide) / 2 {
		if wide[2*i] != got[3*i] {
			t.Fatalf("16-bit sample %d begins with %d, the picture has %d", i, wide[2*i], got[3*i])
		}
	}
}

// small is a file of a few hundred bytes of each kind.
func small() map[string][]byte {
	r := rand.New(rand.NewPCG(25, 26))
	files := map[string][]byte{}
	for _, h := range headers() {
		h.Width, h.Height = 9, 10
		s := random(r, h)
		s.split = 70
		files[h.testName()] = s.encode()
	}
	return files
}

// TestTruncated: no beginning of a file is a file.
func TestTruncated(t *testing.T) {
	var d bytesDecoder
	for name, data := range small() {
		for n := range data {
			if _, err := d.AppendRGB(nil, data[:n], Rows{}); err == nil {
				t.Errorf("%s: %d of %d bytes were decoded", name, n, len(data))
			}
		}
	}
}

// TestFlipped: a changed byte is an error or, with its CRC corrected, whatever
// image/png makes of it.
func TestFlipped(t *testing.T) {
	var d bytesDecoder
	for name, data := range small() {
		t.Run(name, func(t *testing.T) {
			for i := range data {
				for _, flip := range []byte{1, 0x80, 0xff} {
					bad := bytes.Clone(data)
					bad[i] ^= flip
					if _, err := d.AppendRGB(nil, bad, Rows{}); err == nil {
						t.Fatalf("byte %d changed: decoded", i)
					}
					if bad = fixCRCs(bad); len(bad) > 0 {
						if h, err := Open(bad); err != nil || h.Width*h.Height > 1<<20 {
							continue
						}
						compareDecode(t, &d, bad)
					}
				}
			}
		})
	}
}

// TestErrors: what is wrong with a file is said with the place.
func TestErrors(t *testing.T) {
	h := Header{Width: 8, Height: 64, BitDepth: 8, Color: Gray}
	r := rand.New(rand.NewPCG(27, 28))
	s := random(r, h)
	raw := s.scanlines()
	// of builds a file of chunks that are given by name and content.
	of := func(chunks ...any) []byte {
		data := appendIHDR([]byte(magic), h)
		for i := 0; i < len(chunks); i += 2 {
			data = appendChunk(data, chunks[i].(string), chunks[i+1].([]byte))
		}
		return data
	}
	none := []byte{}
	good := deflated(raw, 6)
	badSum := bytes.Clone(good)
	badSum[len(badSum)-1]++
	badFilter := bytes.Clone(raw)
	badFilter[9*17] = 9
	badCRC := of("IDAT", good, "IEND", none)
	badCRC[8+25+8+3]++
	huge := of("IDAT", good)
	binary.BigEndian.PutUint32(huge[8+25:], 1<<31)

	for _, c := range []struct {
		name string
		data []byte
		want string
	}{
		{"header only", of(), "the file ends at byte 33, before IEND"},
		{"no IDAT", of("IEND", none), "chunk IEND at byte 33: comes before IDAT"},
		{"no IEND", of("IDAT", good), "before IEND"},
		{"CRC", badCRC, "chunk IDAT at byte 33: CRC mismatch"},
		{"chunk length", huge, "chunk IDAT at byte 33: the file ends early: 2147483648 bytes are declared"},
		{"two headers", of("IHDR", badCRC[16:29]), "chunk IHDR at byte 33: comes twice"},
		{"no zlib header", of("IDAT", raw, "IEND", none), "IDAT: it does not begin with a zlib header"},
		{"short rows", of("IDAT", deflated(raw[:9*31+4], 6), "IEND", none), "IDAT: the deflate stream ends in row 31 of 64"},
		{"cut stream", of("IDAT", deflated(raw, 0)[:7+9*20+2], "IEND", none), "IDAT: the deflate stream ends in row 20 of 64"},
		{"stream in two runs", of("IDAT", good[:40], "tEXt", none, "IDAT", good[40:], "IEND", none), "IDAT: the deflate stream ends in row"},
		{"filter", of("IDAT", deflated(badFilter, 6), "IEND", none), "IDAT: row 17 of 64 has filter type 9"},
		{"Adler-32", of("IDAT", badSum, "IEND", none), "IDAT: Adler-32 mismatch"},
		{"no Adler-32", of("IDAT", good[:len(good)-2], "IEND", none), "IDAT: the stream ends before its Adler-32"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d bytesDecoder
			_, err := d.AppendRGB(nil, c.data, Rows{})
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// TestLenient: what image/png lets pass is let pass, and what libpng does of what
// makes no pixel.
func TestLenient(t *testing.T) {
	h := Header{Width: 8, Height: 64, BitDepth: 8, Color: Gray}
	s := random(rand.New(rand.NewPCG(29, 30)), h)
	raw := s.scanlines()
	stream := deflated(raw, 6)
	// damaged has a wrong CRC in its chunk after IHDR.
	damaged := func(data []byte) []byte {
		size := int(binary.BigEndian.Uint32(data[33:]))
		data[33+8+size]++
		return data
	}
	build := func(chunks ...any) []byte {
		data := []byte(magic)
		for i := 0; i < len(chunks); i += 2 {
			if chunks[i] == "IHDR" {
				data = appendIHDR(data, h)
				continue
			}
			data = appendChunk(data, chunks[i].(string), chunks[i+1].([]byte))
		}
		return data
	}
	none := []byte{}
	ends := append(bytes.Clone(stream), 0)
	for _, c := range []struct {
		name string
		data []byte
		std  bool // image/png decodes it too
	}{
		{"a chunk before IHDR", build("tEXt", none, "IHDR", none, "IDAT", stream, "IEND", none), true},
		{"unknown critical chunk", build("IHDR", none, "XXXX", []byte("?"), "IDAT", stream, "IEND", none), true},
		{"bytes after IEND", append(build("IHDR", none, "IDAT", stream, "IEND", none), "more"...), true},
		{"empty IDATs", build("IHDR", none, "IDAT", none, "IDAT", none, "IDAT", stream[:1], "IDAT", none, "IDAT", stream[1:], "IDAT", none, "IEND", none), true},
		{"IDAT after another chunk", build("IHDR", none, "IDAT", stream, "tEXt", none, "IDAT", []byte("?"), "IEND", none), true},
		{"a byte after the stream", build("IHDR", none, "IDAT", ends, "IEND", none), true},
		{"many bytes after the stream", build("IHDR", none, "IDAT", append(ends, make([]byte, 9999)...), "IEND", none), false},
		{"a row too many", build("IHDR", none, "IDAT", deflated(append(bytes.Clone(raw), make([]byte, 9)...), 6), "IEND", none), false},
		{"the rows twice", build("IHDR", none, "IDAT", deflated(append(bytes.Clone(raw), raw...), 6), "IEND", none), false},
		{"CRC of a text", damaged(build("IHDR", none, "tEXt", []byte("Comment\x00a"), "IDAT", stream, "IEND", none)), false},
		{"CRC of tRNS", damaged(build("IHDR", none, "tRNS", []byte{0, 1}, "IDAT", stream, "IEND", none)), false},
		{"PLTE in gray", build("IHDR", none, "PLTE", []byte{1, 2, 3}, "IDAT", stream, "IEND", none), false},
		{"CRC of PLTE in gray", damaged(build("IHDR", none, "PLTE", []byte{1, 2, 3}, "IDAT", stream, "IEND", none)), false},
		{"PLTE of 4 bytes in gray", build("IHDR", none, "PLTE", []byte{1, 2, 3, 4}, "IDAT", stream, "IEND", none), false},
		{"PLTE after IDAT", build("IHDR", none, "IDAT", stream, "PLTE", []byte{1, 2, 3}, "IEND", none), false},
		{"tRNS length", build("IHDR", none, "tRNS", []byte{1}, "IDAT", stream, "IEND", none), false},
		{"tRNS after IDAT", build("IHDR", none, "IDAT", stream, "tRNS", []byte{0, 1}, "IEND", none), false},
		{"IEND with content", build("IHDR", none, "IDAT", stream, "IEND", []byte{1}), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d bytesDecoder
			got, err := d.AppendRGB(nil, c.data, Rows{})
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range s.channel(0) {
				if got[3*i] != v {
					t.Fatalf("pixel %d is %d, want %d", i, got[3*i], v)
				}
			}
			if _, err := stdpng.Decode(bytes.NewReader(c.data)); (err == nil) != c.std {
				t.Errorf("image/png: %v", err)
			}
		})
	}
}

// TestPartialIsNotVerified: what lies behind the rows that are wanted is
// checked only as chunks.
func TestPartialIsNotVerified(t *testing.T) {
	h := Header{Width: 8, Height: 64, BitDepth: 8, Color: Gray}
	s := random(rand.New(rand.NewPCG(31, 32)), h)
	raw := s.scanlines()
	raw[9*40] = 77 // a filter that does not exist
	data := appendChunk(appendChunk(appendIHDR([]byte(magic), h), "IDAT", deflated(raw, 6)), "IEND", nil)
	var d bytesDecoder
	if got, err := d.AppendIndices(nil, data, Rows{Count: 40}); err != nil || !bytes.Equal(got, s.channel(0)[:8*40]) {
		t.Errorf("rows before the bad one: %v", err)
	}
	if _, err := d.AppendIndices(nil, data, Rows{Count: 41}); err == nil {
		t.Error("the bad row was decoded")
	}
	data[len(data)-1]++
	if _, err := d.AppendIndices(nil, data, Rows{Count: 1}); err == nil {
		t.Error("a bad CRC of IEND was not seen")
	}
}

// FuzzDecode compares whole files with image/png. With fix the CRCs are made
// good first, or hardly a change would get past them.
func FuzzDecode(f *testing.F) {
	for _, data := range small() {
		f.Add(data, true)
	}
	f.Fuzz(func(t *testing.T, data []byte, fix bool) {
		if fix {
			data = fixCRCs(data)
		}
		if h, err := Open(data); err == nil && h.Width*h.Height > 1<<18 {
			t.Skip()
		}
		compareDecode(t, new(bytesDecoder), data)
	})
}

// FuzzRows compares any scanlines, deflated for the fuzzer, with image/png.
func FuzzRows(f *testing.F) {
	for i := range headers() {
		f.Add(uint8(i), uint8(13), uint8(9), uint8(6), bytes.Repeat([]byte{4, 1, 2, 3, 200, 100, 0, 3}, 40))
	}
	f.Fuzz(func(t *testing.T, kind, width, height, level uint8, raw []byte) {
		h := headers()[int(kind)%len(headers())]
		h.Width, h.Height = int(width)+1, int(height)+1
		data := appendIHDR([]byte(magic), h)
		if h.Color == Palette {
			data = appendChunk(data, "PLTE", []byte{1, 2, 3, 4, 5, 6})
		}
		data = appendChunk(data, "IDAT", deflated(raw, int(level)%12-2))
		compareDecode(t, new(bytesDecoder), appendChunk(data, "IEND", nil))
	})
}
