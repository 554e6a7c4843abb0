package formats

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	stdpng "image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/pipeline/raster"
)

// tiffOf is the TIFF structure of an orientation, behind another tag.
func tiffOf(order binary.ByteOrder, o int) []byte {
	b := []byte("II*\x00")
	if order == binary.BigEndian {
		b = []byte("MM\x00*")
	}
	u16 := func(v int) []byte { x := make([]byte, 2); order.PutUint16(x, uint16(v)); return x }
	u32 := func(v int) []byte { x := make([]byte, 4); order.PutUint32(x, uint32(v)); return x }
	b = append(b, u32(8)...)
	b = append(b, u16(2)...)
	for tag, value := range map[int]int{0x0100: 7, 0x0112: o} {
		b = append(append(append(append(append(b, u16(tag)...), u16(3)...), u32(1)...), u16(value)...), 0, 0)
	}
	return append(b, u32(0)...)
}

// withExif puts the structure into a PNG after IHDR, or into a JPEG after SOI.
func withExif(data, tiff []byte) []byte {
	if isJPEG(data) {
		body := append([]byte("Exif\x00\x00"), tiff...)
		segment := binary.BigEndian.AppendUint16([]byte{0xFF, 0xE1}, uint16(2+len(body)))
		return bytes.Join([][]byte{data[:2], segment, body, data[2:]}, nil)
	}
	chunk := append([]byte("eXIf"), tiff...)
	size := binary.BigEndian.AppendUint32(nil, uint32(len(tiff)))
	crc := binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(chunk))
	return bytes.Join([][]byte{data[:33], size, chunk, crc, data[33:]}, nil)
}

// TestOrientation: a picture of six fields, whose colors tell where each has gone.
func TestOrientation(t *testing.T) {
	const side = 16    // JPEG's blocks keep their colors
	fields := "abcdef" // three in a row, two rows
	colors := map[byte]color.RGBA{'a': {255, 0, 0, 255}, 'b': {0, 255, 0, 255}, 'c': {0, 0, 255, 255}, 'd': {255, 255, 0, 255}, 'e': {0, 0, 0, 255}, 'f': {255, 255, 255, 255}}
	m := image.NewRGBA(image.Rect(0, 0, 3*side, 2*side))
	for y := range 2 * side {
		for x := range 3 * side {
			m.SetRGBA(x, y, colors[fields[y/side*3+x/side]])
		}
	}
	var asPNG, asJPEG bytes.Buffer
	if err := stdpng.Encode(&asPNG, m); err != nil {
		t.Fatal(err)
	}
	if err := jpeg.Encode(&asJPEG, m, &jpeg.Options{Quality: 100}); err != nil {
		t.Fatal(err)
	}
	// As the specification says where the file's first row and column are shown.
	want := map[int]string{0: "abc def", 1: "abc def", 2: "cba fed", 3: "fed cba", 4: "def abc", 5: "ad be cf", 6: "da eb fc", 7: "fc eb da", 8: "cf be ad", 9: "abc def"}
	path := filepath.Join(t.TempDir(), "image")
	for o, rows := range want {
		for _, order := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
			for _, data := range [][]byte{asPNG.Bytes(), asJPEG.Bytes()} {
				if err := os.WriteFile(path, withExif(data, tiffOf(order, o)), 0o644); err != nil {
					t.Fatal(err)
				}
				got, err := ReadImage(path, raster.MaxPixels)
				if err != nil {
					t.Fatal(err)
				}
				var shown []string
				for y := side / 2; y < got.Height(); y += side {
					row := ""
					for x := side / 2; x < got.Width(); x += side {
						for name, c := range colors {
							p := got.Row(y)[3*x:]
							if near(p[0], c.R) && near(p[1], c.G) && near(p[2], c.B) {
								row += string(name)
							}
						}
					}
					shown = append(shown, row)
				}
				if text := strings.Join(shown, " "); text != rows {
					t.Errorf("orientation %d, %v, JPEG: %v: shown as %q, want %q", o, order, isJPEG(data), text, rows)
				}
			}
		}
	}
}

func near(a, b uint8) bool { return max(a, b)-min(a, b) < 40 }

// TestLabelOfTheUnturnedImage: a label that fits the image as it lies in the file.
func TestLabelOfTheUnturnedImage(t *testing.T) {
	m := imageFile{height: 30, width: 20, orientation: 6}
	if err := sameSize(raster.New(30, 20, 1), m); err != nil {
		t.Error(err)
	}
	if err := sameSize(raster.New(20, 30, 1), m); err == nil || !strings.Contains(err.Error(), "EXIF orientation 6") {
		t.Errorf("%v, want the orientation", err)
	}
	if err := sameSize(raster.New(20, 31, 1), m); err == nil || strings.Contains(err.Error(), "EXIF") {
		t.Errorf("%v, and the orientation is not why", err)
	}
}

// TestOrientationAsLong: some writers give the value four bytes, and all readers take it.
func TestOrientationAsLong(t *testing.T) {
	for order, tiff := range map[binary.ByteOrder]string{
		binary.LittleEndian: "II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x04\x00\x01\x00\x00\x00\x06\x00\x00\x00",
		binary.BigEndian:    "MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x04\x00\x00\x00\x01\x00\x00\x00\x06",
	} {
		if o := orientationIn([]byte(tiff)); o != 6 {
			t.Errorf("%v: %d, want 6", order, o)
		}
	}
}

// TestBrokenExif: what is not understood turns nothing.
func TestBrokenExif(t *testing.T) {
	whole := tiffOf(binary.BigEndian, 6)
	for n := range whole {
		orientationIn(whole[:n])
	}
	for name, tiff := range map[string][]byte{"nothing": nil, "another order": []byte("XX*\x00\x00\x00\x00\x08"), "far away": []byte("II*\x00\xff\xff\xff\xff\x00")} {
		if o := orientationIn(tiff); o != 1 {
			t.Errorf("%s: %d", name, o)
		}
	}
}
