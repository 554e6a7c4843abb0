package formats

import (
	"bytes"
	"image"
	"image/jpeg"
	"path/filepath"
	"testing"

	"github.com/pipa-uda/pipa/fixtures"
	"github.com/pipa-uda/pipa/formats/png"
)

// FuzzDecode reads damaged images and labels of every layout, PNG and JPEG: each
// gives an error or a sample whose label fits its image and holds train IDs.
func FuzzDecode(f *testing.F) {
	dir := f.TempDir()
	if err := fixtures.Write(f.Context(), dir, fixtures.Options{Seed: 3, GTA: 1, SYNTHIA: 1, Train: 1, Val: 1, Width: 64}); err != nil {
		f.Fatal(err)
	}
	var sets []*Dataset
	for i, l := range []Layout{GTA(), SYNTHIA(), Cityscapes()} { // of which there are fixtures
		d, err := Open(l, filepath.Join(dir, l.Name), Options{Split: "train", MaxPixels: 1 << 16})
		if err != nil {
			f.Fatal(err)
		}
		e, err := d.Load(f.Context(), 0)
		if err != nil {
			f.Fatal(err)
		}
		sets = append(sets, d)
		f.Add(byte(i), e.ImageBytes, e.LabelBytes)
		f.Add(byte(i), e.LabelBytes, e.LabelBytes)
		f.Add(byte(i), []byte("\xff\xd8\xff\xe0\x00\x10JFIF\x00"), e.LabelBytes)
	}
	f.Fuzz(func(t *testing.T, which byte, image, label []byte) {
		d := sets[int(which)%len(sets)]
		e := Encoded{Entry: d.Entries[0], ImageBytes: image, LabelBytes: label}
		s, err := d.Decode(e)
		if err != nil {
			return
		}
		if !s.Label.SameSize(s.Image) || s.Image.Channels() != 3 || s.Label.Channels() != 1 {
			t.Fatalf("a %dx%d label of a %dx%d image", s.Label.Width(), s.Label.Height(), s.Image.Width(), s.Image.Height())
		}
		for _, id := range s.Label.Pix() {
			if id != 255 && int(id) >= len(d.Classes) {
				t.Fatalf("label %d of %d classes", id, len(d.Classes))
			}
		}
	})
}

// FuzzJPEG compares the rasters of JPEGs with what image/jpeg's pixels say, and
// refuses what declares more than the limit.
func FuzzJPEG(f *testing.F) {
	gray, color := image.NewGray(image.Rect(0, 0, 9, 5)), image.NewYCbCr(image.Rect(0, 0, 9, 5), image.YCbCrSubsampleRatio420)
	for i := range gray.Pix {
		gray.Pix[i], color.Y[i] = byte(i*5), byte(i*5)
	}
	for _, m := range []image.Image{gray, color} {
		var data bytes.Buffer
		if err := jpeg.Encode(&data, m, nil); err != nil {
			f.Fatal(err)
		}
		f.Add(data.Bytes())
		at := bytes.Index(data.Bytes(), []byte{0xFF, 0xC0}) // SOF0: length, precision, height, width
		huge := bytes.Clone(data.Bytes())
		copy(huge[at+5:], []byte{255, 255, 255, 255})
		f.Add(huge)
	}
	f.Add(progressive(2))
	f.Add(progressive(maxScans + 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		const limit = 1 << 14
		if !isJPEG(data) {
			return
		}
		m, err := openImage("image.jpg", data, limit)
		if err != nil {
			return
		}
		got, err := m.decode(nil, nil, png.Rows{})
		if err != nil {
			return
		}
		if got.Height()*got.Width() > limit {
			t.Fatalf("%dx%d pixels, the limit is %d", got.Width(), got.Height(), limit)
		}
		want, err := jpeg.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		for i := range got.Height() * got.Width() {
			r, g, b, _ := want.At(want.Bounds().Min.X+i%got.Width(), want.Bounds().Min.Y+i/got.Width()).RGBA()
			if p := got.Pix()[3*i:]; p[0] != byte(r>>8) || p[1] != byte(g>>8) || p[2] != byte(b>>8) {
				t.Fatalf("pixel %d is %v, want %d %d %d", i, p[:3], r>>8, g>>8, b>>8)
			}
		}
	})
}
