package formats

import (
	"bytes"
	"image"
	"image/color"
	stdjpeg "image/jpeg"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/formats/jpeg"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// photos are a JPEG in color, one in gray, and the first cut in half.
func photos(t testing.TB) map[string][]byte {
	t.Helper()
	rgb := image.NewRGBA(image.Rect(0, 0, 37, 43))
	gray := image.NewGray(rgb.Bounds())
	for y := range 43 {
		for x := range 37 {
			rgb.Set(x, y, color.RGBA{uint8(6 * x), uint8(5 * y), uint8(3 * (x + y)), 255})
			gray.Set(x, y, color.Gray{uint8(5*x + y)})
		}
	}
	files := map[string][]byte{}
	for name, m := range map[string]image.Image{"color": rgb, "gray": gray} {
		var file bytes.Buffer
		if err := stdjpeg.Encode(&file, m, nil); err != nil {
			t.Fatal(err)
		}
		files[name] = file.Bytes()
	}
	files["half"] = files["color"][:len(files["color"])/2]
	return files
}

// TestJPEGImages: what package jpeg decodes is what comes, grey as RGB, and as few
// rows of it as are asked for.
func TestJPEGImages(t *testing.T) {
	files, dir := photos(t), t.TempDir()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name+".jpg"), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"color", "gray"} {
		f, err := jpeg.Open(files[name])
		if err != nil {
			t.Fatal(err)
		}
		want, err := new(jpeg.Decoder).AppendRGB(nil, f, jpeg.Rows{})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name+".jpg")
		got, err := ReadImage(path, raster.MaxPixels)
		if err != nil || got.Height() != 43 || got.Width() != 37 || !bytes.Equal(got.Pix(), want) {
			t.Errorf("%s: %dx%d, %v", name, got.Width(), got.Height(), err)
		}
		if _, err := ReadImage(path, 100); err == nil || !strings.Contains(err.Error(), "the limit is 100") {
			t.Errorf("%s: too large: %v", name, err)
		}
		set, err := OpenImages([]string{path}, 0)
		if err != nil {
			t.Fatal(err)
		}
		r := set.NewReader()
		if _, h, w, err := r.Open(t.Context(), 0); err != nil || h != 43 || w != 37 {
			t.Fatalf("%s: %dx%d, %v", name, w, h, err)
		}
		some, err := r.Image(17, 30)
		if err != nil || some.Height() != 43 {
			t.Fatalf("%s: %d rows, %v", name, some.Height(), err)
		}
		if from, end := 17*37*3, 30*37*3; !bytes.Equal(some.Pix()[from:end], want[from:end]) {
			t.Errorf("%s: rows 17 to 30 differ", name)
		}
	}
	if _, err := ReadImage(filepath.Join(dir, "half.jpg"), raster.MaxPixels); err == nil || !strings.Contains(err.Error(), "the file ends early") {
		t.Errorf("half a file: %v", err)
	}
}
