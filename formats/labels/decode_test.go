package labels

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	stdpng "image/png"
	"slices"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/formats/png"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// The labels of the tests are 4 wide and 2 high.
var size = image.Rect(0, 0, 4, 2)

func encode(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := stdpng.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// draw sets an image's pixels, row by row; those without a value are zero.
func draw[T any](m interface {
	image.Image
	Set(x, y int, c color.Color)
}, of func(T) color.Color, values ...T) image.Image {
	for i, v := range append(values, make([]T, size.Dx()*size.Dy()-len(values))...) {
		m.Set(i%size.Dx(), i/size.Dx(), of(v))
	}
	return m
}

func gray(values ...uint8) image.Image {
	return draw(image.NewGray(size), func(v uint8) color.Color { return color.Gray{Y: v} }, values...)
}

func gray16(values ...uint16) image.Image {
	return draw(image.NewGray16(size), func(v uint16) color.Color { return color.Gray16{Y: v} }, values...)
}

func rgb(values ...[3]uint8) image.Image {
	return draw(image.NewNRGBA(size), func(v [3]uint8) color.Color { return color.NRGBA{v[0], v[1], v[2], 255} }, values...)
}

// red16 has something else in the other channels, as SYNTHIA's labels have.
func red16(values ...uint16) image.Image {
	return draw(image.NewNRGBA64(size), func(v uint16) color.Color { return color.NRGBA64{R: v, G: 777, B: 31, A: 0xffff} }, values...)
}

func indexed(palette [][3]uint8, indices ...uint8) image.Image {
	p := color.Palette{}
	for _, c := range palette {
		p = append(p, color.NRGBA{c[0], c[1], c[2], 255})
	}
	m := image.NewPaletted(size, p)
	copy(m.Pix, indices)
	return m
}

var (
	lawn, kerb, far, white, other = [3]uint8{10, 200, 20}, [3]uint8{90, 90, 90}, [3]uint8{1, 2, 3}, [3]uint8{255, 255, 255}, [3]uint8{7, 7, 7}

	byID = map[int]raster.TrainID{0: 0, 9: 0, 1: 1, 200: 2, 255: raster.Ignore}
	// In the palette the colors stand in another order than the classes.
	palette = [][3]uint8{white, kerb, lawn, far, other}
	byColor = map[[3]uint8]raster.TrainID{lawn: 0, {}: 0, kerb: 1, far: 2, white: raster.Ignore}
)

func TestDecode(t *testing.T) {
	wide := map[int]raster.TrainID{0: 0, 9: 0, 300: 1, 65535: 2, 255: raster.Ignore}
	want := []uint8{0, 0, 1, 1, 255, 2, 0, 255}
	for _, c := range []struct {
		name  string
		of    Encoding
		label image.Image
		want  []uint8
		fails string
	}{
		{"bytes: gray", Encoding{Codec: Bytes, IDs: byID}, gray(0, 9, 1, 1, 255, 200, 0, 255), want, ""},
		{"bytes: a palette's indices", Encoding{Codec: Bytes, IDs: map[int]raster.TrainID{0: 0, 1: 1, 2: 255}}, indexed(palette, 0, 0, 1, 1, 2, 2, 0, 1), []uint8{0, 0, 1, 1, 255, 255, 0, 1}, ""},
		{"bytes: a palette of one bit", Encoding{Codec: Bytes, IDs: byID}, indexed(palette[:2], 0, 1, 0, 0, 1), []uint8{0, 1, 0, 0, 1, 0, 0, 0}, ""},
		{"bytes: an unknown id", Encoding{Codec: Bytes, IDs: byID}, gray(0, 9, 1, 1, 255, 2), nil, "pixel x 1 y 1 has id 2, which is neither a class's nor ignored"},
		{"bytes: an unknown id among the last", Encoding{Codec: Bytes, IDs: byID}, gray(0, 0, 0, 0, 0, 0, 0, 77), nil, "pixel x 3 y 1 has id 77"},
		{"bytes: others ignored", Encoding{Codec: Bytes, IDs: byID, OthersIgnored: true}, gray(0, 9, 1, 1, 255, 77, 0, 255), []uint8{0, 0, 1, 1, 255, 255, 0, 255}, ""},
		{"bytes: gray of 16 bits", Encoding{Codec: Bytes, IDs: byID}, gray16(1), nil, "its pixels are 16-bit gray, labels of this format are palette or 8-bit gray"},
		{"bytes: RGB of equal channels", Encoding{Codec: Bytes, IDs: byID}, rgb(equal(0, 9, 1, 1, 255, 200, 0, 255)...), want, ""},
		{"bytes: RGB", Encoding{Codec: Bytes, IDs: byID}, rgb(equal(0, 1)[0], equal(1)[0], lawn), nil, "pixel x 2 y 0 has color [10 200 20] where an id is wanted, which is neither a class's nor ignored"},

		{"ids: gray", Encoding{Codec: IDs, IDs: byID}, gray(0, 9, 1, 1, 255, 200, 0, 255), want, ""},
		{"ids: gray of 16 bits", Encoding{Codec: IDs, IDs: wide}, gray16(0, 9, 300, 300, 255, 65535, 0, 255), want, ""},
		{"ids: a palette's indices", Encoding{Codec: IDs, IDs: byID}, indexed(palette, 0, 0, 1, 1, 1), []uint8{0, 0, 1, 1, 1, 0, 0, 0}, ""},
		{"ids: an unknown one of 16 bits", Encoding{Codec: IDs, IDs: wide}, gray16(0, 9, 301), nil, "pixel x 2 y 0 has id 301"},
		{"ids: others of 16 bits ignored", Encoding{Codec: IDs, IDs: wide, OthersIgnored: true}, gray16(0, 9, 301), []uint8{0, 0, 255, 0, 0, 0, 0, 0}, ""},
		{"ids: RGB of equal channels", Encoding{Codec: IDs, IDs: byID}, rgb(equal(0, 9, 1, 1, 255, 200, 0, 255)...), want, ""},
		{"ids: an unknown id of equal channels", Encoding{Codec: IDs, IDs: byID}, rgb(equal(0, 9, 77)...), nil, "pixel x 2 y 0 has id 77,"},
		{"ids: RGB", Encoding{Codec: IDs, IDs: byID}, rgb(lawn), nil, "pixel x 0 y 0 has color [10 200 20] where an id is wanted,"},
		{"ids: RGB of 16 bits", Encoding{Codec: IDs, IDs: byID}, red16(1), nil, "its pixels are 16-bit RGB, labels of this format are palette, or gray of at most 16 bits"},

		{"red: RGB of 8 bits", Encoding{Codec: Red, IDs: byID}, rgb([3]uint8{0, 5, 6}, [3]uint8{9}, [3]uint8{1, 1}, [3]uint8{1, 0, 2}, [3]uint8{255}, [3]uint8{200}, [3]uint8{}, white), want, ""},
		{"red: gray of 8 bits", Encoding{Codec: Red, IDs: byID}, gray(0, 9, 1, 1, 255, 200, 0, 255), want, ""},
		{"red: an unknown id of 8 bits", Encoding{Codec: Red, IDs: byID}, rgb([3]uint8{}, far, [3]uint8{77, 1, 1}), nil, "pixel x 2 y 0 has id 77,"},
		{"red: 16 bits, where there are 8", Encoding{Codec: Red, IDs: byID}, red16(1), nil, "its pixels are 16-bit RGB, labels of this format are 8-bit RGB or gray"},

		{"red: 16 bits", Encoding{Codec: Red16, IDs: byID}, red16(0, 9, 1, 1, 255, 200, 0, 255), want, ""},
		{"red: an unknown id", Encoding{Codec: Red16, IDs: byID}, red16(0, 9, 2), nil, "pixel x 2 y 0 has id 2,"},
		{"red: an id beyond a byte", Encoding{Codec: Red16, IDs: byID, OthersIgnored: true}, red16(0, 9, 1, 1, 300), nil, "pixel x 0 y 1 has id 300,"},
		{"red: 8 bits", Encoding{Codec: Red16, IDs: byID}, rgb(lawn), nil, "its pixels are 8-bit RGB, labels of this format are 16-bit RGB"},
		{"red: gray", Encoding{Codec: Red16, IDs: byID}, gray16(0), nil, "its pixels are 16-bit gray, labels of this format are 16-bit RGB"},

		{"colors: RGB", Encoding{Codec: Colors, Colors: byColor}, rgb(lawn, [3]uint8{}, kerb, kerb, white, far, [3]uint8{}, white), want, ""},
		{"colors: a palette's", Encoding{Codec: Colors, Colors: byColor}, indexed(palette, 2, 2, 1, 1, 0, 3, 2, 0), want, ""},
		{"colors: gray", Encoding{Codec: Colors, Colors: byColor}, gray(0, 0, 90, 90, 255, 0, 0, 255), []uint8{0, 0, 1, 1, 255, 0, 0, 255}, ""},
		{"colors: an unknown one", Encoding{Codec: Colors, Colors: byColor}, rgb(lawn, [3]uint8{10, 200, 21}), nil, "pixel x 1 y 0 has color [10 200 21],"},
		{"colors: an unknown one of a palette", Encoding{Codec: Colors, Colors: byColor}, indexed(palette, 1, 1, 1, 4), nil, "pixel x 3 y 0 has color [7 7 7],"},
		{"colors: others ignored", Encoding{Codec: Colors, Colors: byColor, OthersIgnored: true}, rgb(lawn, other), []uint8{0, 255, 0, 0, 0, 0, 0, 0}, ""},
		{"colors: others of a palette ignored", Encoding{Codec: Colors, Colors: byColor, OthersIgnored: true}, indexed(palette, 2, 4), []uint8{0, 255, 255, 255, 255, 255, 255, 255}, ""},
		{"colors: gray of 16 bits", Encoding{Codec: Colors, Colors: byColor}, gray16(0, 0, 90*257, 90*257, 65535, 0, 0, 65535), []uint8{0, 0, 1, 1, 255, 0, 0, 255}, ""},
		{"colors: an unknown one of 16 bits", Encoding{Codec: Colors, Colors: byColor}, gray16(0, 9*257), nil, "pixel x 1 y 0 has color [9 9 9],"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.of.Validate(3); err != nil {
				t.Fatal(err)
			}
			d, data, p := New(c.of), encode(t, c.label), new(png.Decoder)
			buf := make([]byte, 0, 100)
			for _, buf := range [][]byte{nil, buf} { // new memory, and what there is
				got, err := d.Decode(p, buf, data, raster.MaxPixels)
				if c.fails != "" {
					if err == nil || !strings.Contains(err.Error(), c.fails) {
						t.Fatalf("error %v, want %q", err, c.fails)
					}
					if unknown := (*UnknownError)(nil); errors.As(err, &unknown) != strings.HasPrefix(c.fails, "pixel") {
						t.Errorf("%T", err)
					}
					continue
				}
				if err != nil || got.Height() != 2 || got.Width() != 4 || !slices.Equal(got.Pix(), c.want) {
					t.Errorf("read %v, want %v, %v", got.Pix(), c.want, err)
				}
			}
		})
	}
}

// equal are grays as RGB.
func equal(values ...uint8) (out [][3]uint8) {
	for _, v := range values {
		out = append(out, [3]uint8{v, v, v})
	}
	return out
}

// file is a PNG of 4 by 2 pixels, of rows as the format packs them, made by hand: the
// standard library's encoder writes neither gray of few bits nor gray with alpha.
func file(depth, color byte, rows ...[]byte) []byte {
	out := []byte("\x89PNG\r\n\x1a\n")
	chunk := func(name string, data []byte) {
		out = binary.BigEndian.AppendUint32(out, uint32(len(data)))
		out = append(append(out, name...), data...)
		out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(append([]byte(name), data...)))
	}
	chunk("IHDR", []byte{0, 0, 0, 4, 0, 0, 0, 2, depth, color, 0, 0, 0})
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	for _, row := range rows {
		z.Write(append([]byte{0}, row...))
	}
	z.Close()
	chunk("IDAT", packed.Bytes())
	chunk("IEND", nil)
	return out
}

// TestOneLabelHoweverItIsStored: what a lossless optimizer, or a program that writes
// gray as RGB, makes of a label is the same label, by every codec.
func TestOneLabelHoweverItIsStored(t *testing.T) {
	ids, colors := map[int]raster.TrainID{}, map[[3]uint8]raster.TrainID{}
	for i, v := range []uint8{0, 17, 85, 170, 255} {
		ids[int(v)], colors[[3]uint8{v, v, v}] = raster.TrainID(i), raster.TrainID(i)
	}
	encodings := []Encoding{{Codec: Bytes, IDs: ids}, {Codec: IDs, IDs: ids}, {Codec: Colors, Colors: colors}}
	want := []uint8{0, 4, 0, 4, 4, 4, 0, 0}
	for name, data := range map[string][]byte{
		"8 bits":          file(8, 0, []byte{0, 255, 0, 255}, []byte{255, 255, 0, 0}),
		"4 bits":          file(4, 0, []byte{0x0f, 0x0f}, []byte{0xff, 0x00}),
		"2 bits":          file(2, 0, []byte{0b00110011}, []byte{0b11110000}),
		"1 bit":           file(1, 0, []byte{0b01010000}, []byte{0b11000000}),
		"gray with alpha": file(8, 4, []byte{0, 255, 255, 0, 0, 9, 255, 255}, []byte{255, 1, 255, 2, 0, 3, 0, 4}),
		"RGB":             encode(t, rgb(equal(0, 255, 0, 255, 255, 255, 0, 0)...)),
	} {
		for _, e := range encodings {
			got, err := New(e).Decode(new(png.Decoder), nil, data, 100)
			if err != nil || !slices.Equal(got.Pix(), want) {
				t.Errorf("%s as %s: %v, want %v, %v", name, e.Codec, got.Pix(), want, err)
			}
		}
	}
	for _, e := range encodings {
		got, err := New(e).Decode(new(png.Decoder), nil, file(2, 0, []byte{0b00011011}, []byte{0}), 100)
		if want := []uint8{0, 2, 3, 4, 0, 0, 0, 0}; err != nil || !slices.Equal(got.Pix(), want) {
			t.Errorf("all grays of 2 bits as %s: %v, want %v, %v", e.Codec, got.Pix(), want, err)
		}
	}
	// Who means 0 and 1 by one bit is told, even where other values are ignored.
	for _, others := range []bool{false, true} {
		e := Encoding{Codec: IDs, IDs: map[int]raster.TrainID{0: 0, 1: 1}, OthersIgnored: others}
		_, err := New(e).Decode(new(png.Decoder), nil, file(1, 0, []byte{0b01000000}, []byte{0}), 100)
		if err == nil || !strings.Contains(err.Error(), "pixel x 1 y 0 has id 255 (1 as gray of 1 bits stores it") {
			t.Errorf("others are ignored: %v: %v", others, err)
		}
	}
}

// TestIndexBeyondThePalette: a palette may be shorter than its pixels' indices. The
// file is made from a good one by hand.
func TestIndexBeyondThePalette(t *testing.T) {
	data := encode(t, indexed([][3]uint8{kerb, lawn, far}, 1, 0, 2))
	at := bytes.Index(data, []byte("PLTE"))
	chunk := append([]byte("PLTE"), data[at+4:at+10]...) // two colors of three
	short := binary.BigEndian.AppendUint32(data[:at-4:at-4], 6)
	short = binary.BigEndian.AppendUint32(append(short, chunk...), crc32.ChecksumIEEE(chunk))
	short = append(short, data[at+4+9+4:]...)
	for _, others := range []bool{false, true} {
		_, err := New(Encoding{Codec: Colors, Colors: byColor, OthersIgnored: others}).Decode(new(png.Decoder), nil, short, 100)
		if err == nil || !strings.Contains(err.Error(), "pixel x 2 y 0 has index 2 beyond its palette") {
			t.Errorf("others are ignored: %v: %v", others, err)
		}
	}
}

func TestDecodeRefuses(t *testing.T) {
	d, label := New(Encoding{Codec: Bytes, IDs: byID}), encode(t, gray(0))
	var large *raster.TooLargeError
	if _, err := d.Decode(new(png.Decoder), nil, label, 7); !errors.As(err, &large) || *large != (raster.TooLargeError{Width: 4, Height: 2, Limit: 7}) {
		t.Errorf("too large: %v", err)
	}
	for name, data := range map[string][]byte{"JPEG": []byte("\xff\xd8\xff\xe0\x00\x10JFIF\x00"), "HTML": []byte("<html>label"), "CRC": append(label[:len(label)-1:len(label)-1], 0)} {
		if _, err := d.Decode(new(png.Decoder), nil, data, 100); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestApply: the runs of eight that need no table are the same as the rest.
func TestApply(t *testing.T) {
	m := tableOf(Encoding{IDs: byID}.OfID)
	for n := range 40 {
		pix, want := make([]byte, n), make([]byte, n)
		ids, means := []byte{0, 1, 200, 255, 9}, []byte{0, 1, 2, 255, 0}
		for i := range pix {
			k := i / 9 % len(ids)
			pix[i], want[i] = ids[k], means[k]
		}
		if bad := m.apply(pix); bad >= 0 || !slices.Equal(pix, want) {
			t.Errorf("%d bytes: %v, want %v", n, pix, want)
		}
	}
}

// FuzzDecode decodes damaged labels by every codec: each gives an error, or train
// IDs of its declared size.
func FuzzDecode(f *testing.F) {
	const classes = 3
	var all []*Decoder
	for _, e := range []Encoding{
		{Codec: Bytes, IDs: byID},
		{Codec: IDs, IDs: map[int]raster.TrainID{3: 0, 4: 1, 65535: 1}, OthersIgnored: true},
		{Codec: Colors, Colors: map[[3]uint8]raster.TrainID{{1, 2, 3}: 0, {}: raster.Ignore}},
		{Codec: Red16, IDs: byID, OthersIgnored: true},
		{Codec: Red, IDs: byID, OthersIgnored: true},
	} {
		if err := e.Validate(classes); err != nil {
			f.Fatal(err)
		}
		all = append(all, New(e))
	}
	for i := range all {
		for _, m := range []image.Image{gray(3, 4, 9, 3), gray16(3, 65535), rgb(far, [3]uint8{}), indexed([][3]uint8{far, {}}, 0, 1), red16(1, 2)} {
			f.Add(byte(i), encode(f, m))
		}
	}
	f.Fuzz(func(t *testing.T, which byte, data []byte) {
		label, err := all[int(which)%len(all)].Decode(new(png.Decoder), nil, data, 1<<16)
		if err != nil {
			return
		}
		if h, err := png.Open(data); err != nil || h.Width != label.Width() || h.Height != label.Height() {
			t.Fatalf("a %dx%d label of a file of %dx%d, %v", label.Width(), label.Height(), h.Width, h.Height, err)
		}
		for _, id := range label.Pix() {
			if raster.TrainID(id) != raster.Ignore && id >= classes {
				t.Fatalf("label %d of %d classes", id, classes)
			}
		}
	})
}
