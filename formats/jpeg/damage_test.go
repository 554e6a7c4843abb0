package jpeg

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
)

// wantDecoded checks that a file gives the pixels of another, or an error.
func wantDecoded(t *testing.T, name string, data, want []byte, wantErr string) {
	t.Helper()
	f, err := Open(data)
	var pix []byte
	if err == nil {
		pix, err = new(Decoder).AppendRGB(nil, f, Rows{})
	}
	switch {
	case wantErr == "" && err != nil:
		t.Errorf("%s: %v", name, err)
	case wantErr == "" && !bytes.Equal(pix, want):
		t.Errorf("%s: the pixels are others", name)
	case wantErr != "" && (err == nil || !strings.Contains(err.Error(), wantErr)):
		t.Errorf("%s: error %v, want %q", name, err, wantErr)
	}
}

// scanAt is where the data of the first scan begin.
func scanAt(t testing.TB, data []byte) int {
	for at := 2; ; {
		s, err := readSegment(data, at)
		if err != nil {
			t.Fatal(err)
		}
		if at = s.next; s.marker == markerSOS {
			return at
		}
	}
}

// without returns the data without some of their bytes, and with others there.
func without(data []byte, from, n int, in ...byte) []byte {
	return bytes.Join([][]byte{data[:from], in, data[from+n:]}, nil)
}

// TestReadWhole: what is not as the standard has it, but whole, is read.
func TestReadWhole(t *testing.T) {
	m := testImage{sampling: []int{0x22, 0x11, 0x11}, height: 40, width: 50, seed: 7}
	data := m.encode()
	want, _ := decodeAll(t, data, Rows{})
	end := len(data) - 2
	dnl := []byte{0xFF, 0xDC, 0, 4, 0, byte(m.height)}
	for name, file := range map[string][]byte{
		"no EOI":                      data[:end],
		"zeros in place of EOI":       without(data, end, 2, make([]byte, 50)...),
		"data after EOI":              append(bytes.Clone(data), "more"...),
		"DNL that repeats the height": without(data, end, 0, dnl...),
		"bytes between segments":      without(data, 2, 0, 1, 2, 3),
		"fill bytes before a marker":  without(data, 2, 0, 0xFF, 0xFF, 0xFF),
		"fill bytes before EOI":       without(data, end, 0, 0xFF, 0xFF),
		"unknown segments":            without(data, 2, 0, 0xFF, 0xFE, 0, 5, 'a', 'b', 'c', 0xFF, 0xE7, 0, 2),
	} {
		wantDecoded(t, name, file, want, "")
	}
	m.progressive = true
	data = m.encode()
	want, _ = decodeAll(t, data, Rows{})
	wantDecoded(t, "progressive without EOI", data[:len(data)-2], want, "")
}

// TestCut: a file that was cut off is refused as that, wherever it was.
func TestCut(t *testing.T) {
	for _, m := range []testImage{
		{name: "baseline"}, {name: "restarts", interval: 2}, {name: "separate", separate: true}, {name: "progressive", progressive: true},
	} {
		m.sampling, m.height, m.width = []int{0x21, 0x11, 0x11}, 30, 40
		data := m.encode()
		for n := range len(data) - 2 {
			f, err := Open(data[:n])
			if err == nil {
				_, err = new(Decoder).AppendRGB(nil, f, Rows{})
			}
			// A byte may be the end of the data or, were more to come, not.
			if n >= len(data)-3 && err == nil {
				continue
			}
			if err == nil || n > 2 && !strings.Contains(err.Error(), errEarly.Error()) {
				t.Errorf("%s: %d of %d bytes: %v", m.name, n, len(data), err)
			}
		}
	}
	data, err := os.ReadFile("testdata/arithmetic.jpg")
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(data) - 4 { // the last bytes may decide nothing
		wantDecoded(t, fmt.Sprintf("arithmetic, %d bytes", n), data[:n], nil, " ")
	}
}

// TestDamaged: what is damaged is refused, in words that say so.
func TestDamaged(t *testing.T) {
	m := testImage{sampling: []int{0x22, 0x11, 0x11}, height: 70, width: 70, interval: 2, seed: 3}
	restarts := m.encode()
	m.interval = 0
	plain := m.encode()
	first := bytes.Index(restarts, []byte{0xFF, markerRST0})
	second := bytes.Index(restarts, []byte{0xFF, markerRST0 + 1})
	scan, frame := scanAt(t, plain), bytes.Index(plain, []byte{0xFF, markerSOF0})
	dqt, dht := bytes.Index(plain, []byte{0xFF, markerDQT}), bytes.Index(plain, []byte{0xFF, markerDHT})
	set := func(at int, v ...byte) []byte { return without(plain, at, len(v), v...) }
	huge := set(frame+5, 0xFF, 0xFF, 0xFF, 0xFF)
	for _, c := range []struct {
		name, err string
		data      []byte
	}{
		{"empty", "not a JPEG file", nil},
		{"a PNG", "not a JPEG file", []byte("\x89PNG\r\n\x1a\n")},
		{"an interval is lost", "a restart interval is missing", without(restarts, first, second-first)},
		{"a restart marker is lost", "a restart interval is missing", without(restarts, first, 2)},
		{"intervals after one are lost", "a restart interval is missing", without(restarts, first, len(restarts)-2-first)},
		{"the middle of the data is lost", "its data end at a marker d9", without(plain, scan+20, len(plain)-scan-40)},
		{"a marker in the data", "its data end at a marker e0", without(plain, scan+20, 0, 0xFF, 0xE0)},
		{"no code", "not a Huffman code", without(plain, scan, 8, 0xFF, 0, 0xFF, 0, 0xFF, 0, 0xFF, 0)},
		{"no quantization table", "quantization table 0 is missing", without(plain, dqt, 2*69)},
		{"a Huffman table with too many codes", "a Huffman table is damaged", set(dht+5, 3)},
		{"a Huffman table of another class", "a Huffman table is damaged", set(dht+4, 0x20)},
		{"a quantization table of another number", "segment DQT is damaged", set(dqt+4, 4)},
		{"lossless", "lossless JPEG is not read", set(frame+1, 0xC3)},
		{"hierarchical", "frames of kind SOF5 are not read", set(frame+1, 0xC5)},
		{"12 bits", "samples of 12 bits are not read", set(frame+4, 12)},
		{"no height", "declares 70x0 pixels", set(frame+5, 0, 0)},
		{"two components", "images of 2 components are not read", set(frame+9, 2)},
		{"sampling factor 0", "sampling factors 0x2", set(frame+11, 2)},
		{"sampling by 2/3", "fractions are not read", set(frame+11, 0x31, 0, 2, 0x21)},
		{"MCUs of more than 10 blocks", "at most 10 are allowed", set(frame+11, 0x44)},
		{"a component that is not there", "component 9 that the image does not have", set(scan-7, 9)},
		{"no such Huffman table", "Huffman table 2 is missing", set(scan-8, 0x20)},
		{"two frames", "two frame headers", without(plain, frame, 0, plain[frame:frame+19]...)},
		{"no frame", "a scan comes before the frame header", without(plain, frame, 19)},
		{"no scan", "it has no scan", without(plain, scan-14, len(plain)-2-scan+14)},
		{"a segment of no length", "segment db is 1 bytes long", set(dqt+2, 0, 1)},
		{"more pixels than there are bytes for", "cannot hold 65535x65535 pixels: the file ends early", huge},
	} {
		f, err := Open(c.data)
		if err == nil {
			_, err = (&Decoder{MaxPixels: math.MaxInt}).AppendRGB(nil, f, Rows{})
		}
		if err == nil || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.err)
		}
	}
	f, err := Open(without(restarts, first, second-first))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := new(Decoder).AppendRGB(nil, f, Rows{First: 60}); err == nil || !strings.Contains(err.Error(), errInterval.Error()) {
		t.Errorf("an interval before the wanted rows is lost: %v", err)
	}
	f, err = Open(huge)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := new(Decoder).AppendRGB(nil, f, Rows{}); err == nil || !strings.Contains(err.Error(), "the limit is 100000000") {
		t.Errorf("too large: %v", err)
	}
}

// progressiveOf is a grey progressive JPEG in which a number of scans go over bands
// that end at once.
func progressiveOf(width, height, scans int) []byte {
	segment := func(marker byte, data ...byte) []byte {
		return append([]byte{0xFF, marker, 0, byte(len(data) + 2)}, data...)
	}
	table := func(class, symbol byte) []byte { // one code, of one bit
		return segment(markerDHT, append(append([]byte{class, 1}, make([]byte, 15)...), symbol)...)
	}
	size := binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16([]byte{8}, uint16(height)), uint16(width))
	out := bytes.Join([][]byte{{0xFF, markerSOI}, segment(markerDQT, append([]byte{0}, bytes.Repeat([]byte{1}, 64)...)...),
		segment(markerSOF2, append(size, 1, 1, 0x11, 0)...), table(0x00, 0), table(0x10, 0xE0)}, nil)
	out = append(out, segment(markerSOS, 1, 1, 0, 0, 0, 0)...)
	out = append(out, make([]byte, ceil(width, 8)*ceil(height, 8)/8+1)...)
	for range scans - 1 {
		out = append(append(out, segment(markerSOS, 1, 1, 0, 1, 63, 0)...), make([]byte, ceil(width, 8)*ceil(height, 8)/8192+40)...)
	}
	return append(out, 0xFF, markerEOI)
}

// TestProgressiveBounds: each scan of some bytes costs a pass over the image, and
// coefficients are held until the last.
func TestProgressiveBounds(t *testing.T) {
	gray := bytes.Repeat([]byte{128}, 3*8*8)
	wantDecoded(t, "many scans", progressiveOf(8, 8, MaxScans), gray, "")
	wantDecoded(t, "too many scans", progressiveOf(8, 8, MaxScans+1), nil, "it has more than 64 scans")
	const width, height = 17000, 16000
	f, err := Open(progressiveOf(width, height, 2))
	if err != nil {
		t.Fatal(err)
	}
	_, err = (&Decoder{MaxPixels: width * height}).AppendRGB(nil, f, Rows{Count: 1})
	if err == nil || !strings.Contains(err.Error(), "takes 551 MiB, at most 512 are given") {
		t.Errorf("%dx%d: %v", width, height, err)
	}
}

// TestNothingIsAllocatedTwice: a decoder that has seen an image decodes it without an
// allocation, of any kind.
func TestNothingIsAllocatedTwice(t *testing.T) {
	for _, m := range []testImage{{}, {progressive: true}, {separate: true}, {interval: 3}} {
		m.sampling, m.height, m.width = []int{0x22, 0x11, 0x11}, 60, 80
		f, err := Open(m.encode())
		if err != nil {
			t.Fatal(err)
		}
		var d Decoder
		var pix []byte
		if n := testing.AllocsPerRun(5, func() {
			if pix, err = d.AppendRGB(pix[:0], f, Rows{}); err != nil {
				t.Fatal(err)
			}
		}); n > 0 {
			t.Errorf("progressive %v, separate %v: %v allocations", m.progressive, m.separate, n)
		}
	}
}
