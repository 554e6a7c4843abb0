package formats_test

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/pipa-uda/pipa/fixtures"
	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

var scenesDir string

// scenes are small fixtures in the layouts that package fixtures draws, rendered once.
var scenes = sync.OnceValues(func() (string, error) {
	var err error
	if scenesDir, err = os.MkdirTemp("", "pipa-formats"); err != nil {
		return "", err
	}
	return scenesDir, fixtures.Write(context.Background(), scenesDir, fixtures.Options{Seed: 3, GTA: 3, SYNTHIA: 3, Train: 3, Val: 2, Width: 128})
})

// tree is a copy of the scenes for a test to change.
func tree(t testing.TB) string {
	t.Helper()
	from, err := scenes()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestEveryFormatReads(t *testing.T) {
	dir := tree(t)
	for _, c := range []struct {
		format, split string
		unlabeled     bool
		samples       int
	}{{"gta", "", false, 3}, {"synthia", "train", false, 3}, {"cityscapes", "train", false, 3}, {"cityscapes", "val", false, 2}, {"cityscapes", "train", true, 3}} {
		t.Run(c.format+c.split, func(t *testing.T) {
			d, err := formats.Open(read(t, c.format), filepath.Join(dir, c.format), formats.Options{Split: c.split, Unlabeled: c.unlabeled})
			if err != nil {
				t.Fatal(err)
			}
			if d.Len() != c.samples {
				t.Fatalf("%d samples, want %d", d.Len(), c.samples)
			}
			for i := range d.Len() {
				s, err := d.Read(context.Background(), i)
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Validate(); err != nil {
					t.Fatal(err)
				}
				if s.Label.Empty() != c.unlabeled {
					t.Errorf("%s: label is empty: %v", s.ID, s.Label.Empty())
				}
				for _, id := range s.Label.Pix() {
					if id > 18 && id != 255 {
						t.Fatalf("%s has train ID %d", s.ID, id)
					}
				}
			}
			counts, err := d.Check(context.Background(), 2, func(p formats.Problem) { t.Errorf("problem: %v", p) }, nil)
			if err != nil || counts.Samples != c.samples {
				t.Errorf("%+v, %v", counts, err)
			}
		})
	}
}

// TestLinksAreFollowed: folders of a published dataset, cities, and files may lie
// on other disks.
func TestLinksAreFollowed(t *testing.T) {
	for _, moved := range []string{"leftImg8bit", "leftImg8bit/train", "leftImg8bit/train/*", "leftImg8bit/train/*/*.png", "gtFine/train/*"} {
		t.Run(moved, func(t *testing.T) {
			dir := filepath.Join(tree(t), "cityscapes")
			paths, err := filepath.Glob(filepath.Join(dir, moved))
			if err != nil || len(paths) == 0 {
				t.Fatal(paths, err)
			}
			disk := t.TempDir()
			for i, path := range paths {
				to := filepath.Join(disk, strconv.Itoa(i))
				if err := errors.Join(os.Rename(path, to), os.Symlink(to, path)); err != nil {
					t.Fatal(err)
				}
			}
			d, err := formats.Open(formats.Cityscapes(), dir, formats.Options{})
			if err != nil {
				t.Fatal(err)
			}
			counts, err := d.Check(context.Background(), 2, func(p formats.Problem) { t.Errorf("problem: %v", p) }, nil)
			if err != nil || counts.Samples != 3 {
				t.Errorf("%+v, %v", counts, err)
			}
		})
	}
}

// TestACityThatIsAwayIsMissed: the link of a disk that is not there is not a city
// less.
func TestACityThatIsAwayIsMissed(t *testing.T) {
	dir := filepath.Join(tree(t), "cityscapes")
	if err := os.Symlink("away", filepath.Join(dir, "leftImg8bit", "train", "zurich")); err != nil {
		t.Fatal(err)
	}
	if _, err := formats.Open(formats.Cityscapes(), dir, formats.Options{}); err == nil || !strings.Contains(err.Error(), "zurich: no such file") {
		t.Errorf("opened with %v", err)
	}
}

// TestBothEncodingsOfCityscapesLabelsAreOne: _labelIds, mapped, and _labelTrainIds
// of the fixtures, or of a copy of Cityscapes that PIPA_CITYSCAPES names.
func TestBothEncodingsOfCityscapesLabelsAreOne(t *testing.T) {
	dir, differing := os.Getenv("PIPA_CITYSCAPES"), 200 // one pixel in so many may
	if dir == "" {
		dir, differing = filepath.Join(tree(t), "cityscapes"), 1<<30
	}
	for _, split := range []string{"train", "val"} {
		byTrainID, err := formats.Open(formats.Cityscapes(), dir, formats.Options{Split: split})
		if err != nil {
			t.Fatal(err)
		}
		// A copy without _labelTrainIds is read by its _labelIds.
		copied := t.TempDir()
		for _, e := range byTrainID.Entries {
			for _, file := range []string{e.Image, strings.Replace(e.Label, "labelTrainIds", "labelIds", 1)} {
				rel, err := filepath.Rel(dir, file)
				if err != nil {
					t.Fatal(err)
				}
				to := filepath.Join(copied, rel)
				if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
					t.Fatal(err)
				}
				data, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(to, data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
		byID, err := formats.Open(formats.Cityscapes(), copied, formats.Options{Split: split})
		if err != nil {
			t.Fatal(err)
		}
		for i := range byTrainID.Len() {
			a, err := byTrainID.Read(context.Background(), i)
			if err != nil {
				t.Fatal(err)
			}
			b, err := byID.Read(context.Background(), i)
			if err != nil {
				t.Fatal(err)
			}
			// Copies that were scaled down, each kind of label on its own, differ
			// by a few pixels at borders.
			differ := 0
			for i, id := range a.Label.Pix() {
				if b.Label.Pix()[i] != id {
					differ++
				}
			}
			if differ > len(a.Label.Pix())/differing {
				t.Errorf("%s: _labelIds and _labelTrainIds disagree on %d pixels", a.ID, differ)
			}
		}
	}
}

// TestLabelsOfSomeCitiesAreConverted: which of a sample's labels is read is decided
// for each.
func TestLabelsOfSomeCitiesAreConverted(t *testing.T) {
	dir := filepath.Join(tree(t), "cityscapes")
	before, err := formats.Open(formats.Cityscapes(), dir, formats.Options{})
	if err != nil {
		t.Fatal(err)
	}
	label := before.Entries[1].Label
	ids := image.NewGray(image.Rect(0, 0, 128, 64))
	for i := range ids.Pix {
		ids.Pix[i] = 26 // car, which is train ID 13
	}
	if err := errors.Join(os.Remove(label), os.WriteFile(strings.Replace(label, "labelTrainIds", "labelIds", 1), encode(t, ids), 0o644)); err != nil {
		t.Fatal(err)
	}
	d, err := formats.Open(formats.Cityscapes(), dir, formats.Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := d.NewReader()
	for i := range d.Len() {
		want, err := before.Read(context.Background(), i)
		if i == 1 {
			want.Label = raster.New(64, 128, 1)
			for i := range want.Label.Pix() {
				want.Label.Pix()[i] = 13
			}
		} else if err != nil {
			t.Fatal(err)
		}
		got, err := d.Read(context.Background(), i)
		if err != nil || !bytes.Equal(got.Label.Pix(), want.Label.Pix()) {
			t.Errorf("sample %d: %v, or its label differs", i, err)
		}
		if got, _, _, err = r.Open(context.Background(), i); err != nil || !bytes.Equal(got.Label.Pix(), want.Label.Pix()) {
			t.Errorf("reader's sample %d: %v, or its label differs", i, err)
		}
	}
}

// TestNamesThatAreNotUTF8 are problems of their samples.
func TestNamesThatAreNotUTF8(t *testing.T) {
	dir := filepath.Join(tree(t), "gta")
	for _, sub := range []string{"images", "labels"} {
		if err := os.Rename(filepath.Join(dir, sub, first(t, dir, sub)), filepath.Join(dir, sub, "caf\xe9.png")); err != nil {
			t.Skip("the file system takes no such names:", err)
		}
	}
	d, err := formats.Open(formats.GTA(), dir, formats.Options{})
	if err != nil || d.Len() != 3 {
		t.Fatal(d.Len(), err)
	}
	var found []string
	counts, err := d.Check(context.Background(), 2, func(p formats.Problem) { found = append(found, p.Error()) }, nil)
	if err != nil || counts.Problems != 1 || !strings.Contains(found[0], `caf\xe9.png: its name is not UTF-8: rename it`) {
		t.Errorf("%+v, %q, %v", counts, found, err)
	}
	if _, err := d.Digest(); err != nil {
		t.Error(err)
	}
	bad := 0
	for i := range d.Len() {
		_, err := d.Read(context.Background(), i)
		_, labelErr := d.Label(context.Background(), i)
		var p formats.Problem
		if errors.As(err, &p) && errors.As(labelErr, &p) && strings.Contains(p.Error(), "UTF-8") {
			bad++
		}
	}
	if bad != 1 {
		t.Errorf("%d of the samples cannot be read, want 1", bad)
	}
}

// TestUnicodeTwins: names that look the same and are not are said to be that.
func TestUnicodeTwins(t *testing.T) {
	dir := filepath.Join(tree(t), "gta")
	for sub, name := range map[string]string{"images": "\u00e9.png", "labels": "e\u0301.png"} {
		if err := os.Rename(filepath.Join(dir, sub, first(t, dir, sub)), filepath.Join(dir, sub, name)); err != nil {
			t.Fatal(err)
		}
	}
	d, err := formats.Open(formats.GTA(), dir, formats.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if p := d.Unmatched(); len(p) != 1 || !strings.Contains(p[0].Error(), "another Unicode form") {
		t.Errorf("%v", p)
	}
}

func encode(t *testing.T, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestProblemsNameTheFileAndTheReason(t *testing.T) {
	const height = 70 // of a GTA frame 128 wide
	gray := func(w, h int, id uint8) *image.Gray {
		m := image.NewGray(image.Rect(0, 0, w, h))
		for i := range m.Pix {
			m.Pix[i] = id
		}
		return m
	}
	for _, c := range []struct {
		name, format string
		damage       func(t *testing.T, dir string) (file string)
		want         string
	}{
		{"missing label", "gta", func(t *testing.T, dir string) string {
			os.Remove(filepath.Join(dir, "labels", first(t, dir, "labels")))
			return first(t, dir, "images")
		}, "the image has no label"},
		{"missing image", "synthia", func(t *testing.T, dir string) string {
			name := first(t, dir, "RGB")
			os.Remove(filepath.Join(dir, "RGB", name))
			return name
		}, "the label has no image"},
		{"size", "gta", func(t *testing.T, dir string) string {
			return replace(t, dir, "labels", encode(t, image.NewPaletted(image.Rect(0, 0, 5, 4), color.Palette{color.Black})))
		}, "label is 5x4, image is 128x"},
		{"unknown id", "gta", func(t *testing.T, dir string) string {
			return replace(t, dir, "labels", encode(t, gray(128, height, 77)))
		}, "pixel x 0 y 0 has id 77, which is neither"},
		{"unknown 16-bit id", "synthia", func(t *testing.T, dir string) string {
			m := image.NewNRGBA64(image.Rect(0, 0, 128, 64))
			m.SetNRGBA64(3, 2, color.NRGBA64{R: 300, A: 0xffff})
			return replace(t, dir, filepath.Join("GT", "LABELS"), encode(t, m))
		}, "has id 300"},
		{"label of the wrong kind", "synthia", func(t *testing.T, dir string) string {
			return replace(t, dir, filepath.Join("GT", "LABELS"), encode(t, gray(128, 64, 1)))
		}, "labels of this format are 16-bit RGB"},
		{"truncated", "gta", func(t *testing.T, dir string) string {
			name := first(t, dir, "images")
			data, err := os.ReadFile(filepath.Join(dir, "images", name))
			if err != nil {
				t.Fatal(err)
			}
			return replace(t, dir, "images", data[:len(data)/2])
		}, "the file ends early"},
		{"no PNG", "gta", func(t *testing.T, dir string) string { return replace(t, dir, "images", []byte("hello")) }, "decode"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(tree(t), c.format)
			file := c.damage(t, dir)
			d, err := formats.Open(read(t, c.format), dir, formats.Options{})
			if err != nil {
				t.Fatal(err)
			}
			var found []string
			counts, err := d.Check(context.Background(), 2, func(p formats.Problem) { found = append(found, p.Error()) }, nil)
			if err != nil {
				t.Fatal(err)
			}
			if counts.Problems != 1 || len(found) != 1 || !strings.Contains(found[0], c.want) || !strings.Contains(found[0], file) {
				t.Errorf("%d problems, %q; want one that names %s and %q", counts.Problems, found, file, c.want)
			}
		})
	}
}

func first(t *testing.T, dir, sub string) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, sub))
	if err != nil || len(entries) == 0 {
		t.Fatalf("%v %v", entries, err)
	}
	return entries[0].Name()
}

func replace(t *testing.T, dir, sub string, data []byte) string {
	t.Helper()
	name := first(t, dir, sub)
	if err := os.WriteFile(filepath.Join(dir, sub, name), data, 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestOpenExplains(t *testing.T) {
	dir := tree(t)
	for _, c := range []struct{ name, format, dir, split, want string }{
		{"folder", "gta", filepath.Join(dir, "nowhere"), "", "no such file"},
		{"layout", "cityscapes", filepath.Join(dir, "gta"), "", "leftImg8bit"},
		{"split", "cityscapes", filepath.Join(dir, "cityscapes"), "trian", `did you mean "train"? (all: train, val, test, train_extra, `},
		{"split without a list", "gta", filepath.Join(dir, "gta"), "val", "splits/val.txt"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := formats.Open(read(t, c.format), c.dir, formats.Options{Split: c.split}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestSplitLists(t *testing.T) {
	dir := filepath.Join(tree(t), "gta")
	stem := strings.TrimSuffix(first(t, dir, "images"), ".png")
	if err := os.WriteFile(filepath.Join(dir, "val.txt"), []byte(stem+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	d, err := formats.Open(formats.GTA(), dir, formats.Options{Split: "val"})
	if err != nil {
		t.Fatal(err)
	}
	if d.Len() != 1 || d.Entries[0].ID != "gta/val/"+stem {
		t.Errorf("entries %v", d.Entries)
	}
}

func TestCityscapesIDsInvert(t *testing.T) {
	var ids []uint8
	for train := range 19 {
		ids = append(ids, formats.CityscapesID(raster.TrainID(train)))
	}
	if !slices.IsSorted(ids) || ids[0] != 7 || ids[18] != 33 || formats.CityscapesID(255) != 0 {
		t.Errorf("ids %v", ids)
	}
}
