package formats

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/pipeline"
)

// TestJPEGImages: what image/jpeg decodes is what comes, grey as RGB.
func TestJPEGImages(t *testing.T) {
	colour := image.NewRGBA(image.Rect(0, 0, 37, 23))
	gray := image.NewGray(colour.Bounds())
	for y := range 23 {
		for x := range 37 {
			colour.Set(x, y, color.RGBA{uint8(6 * x), uint8(11 * y), uint8(3 * (x + y)), 255})
			gray.Set(x, y, color.Gray{uint8(5*x + y)})
		}
	}
	for name, m := range map[string]image.Image{"colour": colour, "gray": gray} {
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
		got, err := ReadImage(path, pipeline.MaxPixels)
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
		if _, err := ReadImage(path, pipeline.MaxPixels); err == nil {
			t.Errorf("%s: half a file is decoded", name)
		}
	}
}
