package formats

import (
	"path/filepath"
	"testing"

	"github.com/pipa-uda/pipa/fixtures"
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
		for _, photo := range photos(f) {
			f.Add(byte(i), photo, e.LabelBytes)
		}
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
