package formats

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/pipeline/raster"
)

// TestJPEGImages: what image/jpeg decodes is what comes, gray as RGB.
func TestJPEGImages(t *testing.T) {
	rgb := image.NewRGBA(image.Rect(0, 0, 37, 23))
	gray := image.NewGray(rgb.Bounds())
	for y := range 23 {
		for x := range 37 {
			rgb.Set(x, y, color.RGBA{uint8(6 * x), uint8(11 * y), uint8(3 * (x + y)), 255})
			gray.Set(x, y, color.Gray{uint8(5*x + y)})
		}
	}
	for name, m := range map[string]image.Image{"color": rgb, "gray": gray} {
		var file bytes.Buffer
		if err := jpeg.Encode(&file, m, nil); err != nil {
			t.Fatal(err)
		}
		want, err := jpeg.Decode(bytes.NewReader(file.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), name+".jpg")
		if err := os.WriteFile(path, file.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := ReadImage(path, raster.MaxPixels)
		if err != nil {
			t.Fatal(err)
		}
		for y := range 23 {
			for x := range 37 {
				r, g, b, _ := want.At(x, y).RGBA()
				if p := got.Row(y)[3*x : 3*x+3]; p[0] != byte(r>>8) || p[1] != byte(g>>8) || p[2] != byte(b>>8) {
					t.Fatalf("%s: pixel x %d y %d is %v", name, x, y, p)
				}
			}
		}
		if _, err := ReadImage(path, 100); err == nil || !strings.Contains(err.Error(), "the limit is 100") {
			t.Errorf("%s: too large: %v", name, err)
		}
		if err := os.WriteFile(path, file.Bytes()[:len(file.Bytes())/2], 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadImage(path, raster.MaxPixels); err == nil {
			t.Errorf("%s: half a file is decoded", name)
		}
	}
}

// progressive is a gray JPEG of 8x8 pixels that a number of scans go over.
func progressive(scans int) []byte {
	segment := func(marker byte, data ...byte) []byte {
		return append([]byte{0xFF, marker, 0, byte(len(data) + 2)}, data...)
	}
	table := func(class, symbol byte) []byte { // one code, of one bit
		return segment(0xC4, append(append([]byte{class, 1}, make([]byte, 15)...), symbol)...)
	}
	out := slices.Concat([]byte{0xFF, 0xD8}, segment(0xDB, append([]byte{0}, bytes.Repeat([]byte{1}, 64)...)...),
		segment(0xC2, 8, 0, 8, 0, 8, 1, 1, 0x11, 0), table(0x00, 0), table(0x10, 0))
	for range scans { // bands 1 to 63, each block of which ends at once
		out = append(append(out, segment(0xDA, 1, 1, 0, 1, 63, 0x01)...), 0x7F)
	}
	return append(out, 0xFF, 0xD9)
}

// TestAJPEGOfManyScansIsRefused: a scan of some bytes costs a pass over the image.
func TestAJPEGOfManyScansIsRefused(t *testing.T) {
	for _, c := range []struct {
		scans int
		fails string
	}{{10, ""}, {maxScans, ""}, {maxScans + 1, "it has 65 scans, at most 64 are read"}} {
		r, err := decodeJPEG("a.jpg", progressive(c.scans))
		if c.fails == "" && (err != nil || r.Height() != 8) || c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)) {
			t.Errorf("%d scans: %v, want %q", c.scans, err, c.fails)
		}
	}
}
