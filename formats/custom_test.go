package formats_test

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/fixtures"
	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/formats/stats"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

const byIDs = `
name: yard
labels: ids
classes: [{name: lawn, ids: [0, 9], colour: [10, 200, 20]}, {name: kerb, id: 1, colour: [1, 1, 1]}, {name: far, id: 200}]
ignore: [255]
splits:
  train: {images: "photos/*.*", labels: "marks/{stem}.png"}
  target: {images: "photos/*.*"}
`

const byWideIDs = `
name: yard
labels: ids
classes: [{name: lawn, ids: [0, 9]}, {name: kerb, id: 300}, {name: far, id: 65535}]
ignore: [255]
splits: {train: {images: "photos/*.*", labels: "marks/{stem}.png"}}
`

const byColors = `
name: yard
labels: colours
classes: [{name: lawn, colours: [[10, 200, 20], [0, 0, 0]]}, {name: kerb, colour: [90, 90, 90]}, {name: far, colour: [1, 2, 3]}]
ignore: [[255, 255, 255]]
splits: {train: {images: "photos/*.*", labels: "marks/{stem}.png"}}
`

// yard writes a map and the files of one folder beside it.
func yard(t testing.TB, text string, files map[string][]byte) (mapFile string) {
	t.Helper()
	dir := t.TempDir()
	mapFile = filepath.Join(dir, "yard.yaml")
	for name, data := range files {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(mapFile, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return mapFile
}

// read is a layout by its spelling.
func read(t testing.TB, spelling string) formats.Layout {
	t.Helper()
	l, err := formats.Named(spelling)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func pngOf(t testing.TB, m image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// drawn is an image of width 4, for which a label's values come row by row.
func drawn[T any](m interface {
	image.Image
	Set(x, y int, c color.Color)
}, values []T, c func(T) color.Color) image.Image {
	for i, v := range values {
		m.Set(i%4, i/4, c(v))
	}
	return m
}

var twoRows = image.Rect(0, 0, 4, 2)

func gray8(values ...uint8) image.Image {
	return drawn(image.NewGray(twoRows), values, func(v uint8) color.Color { return color.Gray{Y: v} })
}

func gray16(values ...uint16) image.Image {
	return drawn(image.NewGray16(twoRows), values, func(v uint16) color.Color { return color.Gray16{Y: v} })
}

func rgb(values ...[3]uint8) image.Image {
	return drawn(image.NewNRGBA(twoRows), values, func(v [3]uint8) color.Color { return color.NRGBA{v[0], v[1], v[2], 255} })
}

func paletted(palette []color.Color, indices ...uint8) image.Image {
	m := image.NewPaletted(twoRows, palette)
	copy(m.Pix, indices)
	return m
}

func photo(t testing.TB) []byte {
	return pngOf(t, rgb([3]uint8{1, 2, 3}, [3]uint8{4, 5, 6}))
}

func jpegPhoto(t testing.TB) []byte {
	var b bytes.Buffer
	if err := jpeg.Encode(&b, rgb([3]uint8{100, 100, 100}), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestCustomLabels: from a class map to train IDs; package labels has the codecs.
func TestCustomLabels(t *testing.T) {
	lawn, black, kerb, far, white := [3]uint8{10, 200, 20}, [3]uint8{}, [3]uint8{90, 90, 90}, [3]uint8{1, 2, 3}, [3]uint8{255, 255, 255}
	// In the palette the colors stand in another order than the classes.
	palette := color.Palette{color.NRGBA{255, 255, 255, 255}, color.NRGBA{90, 90, 90, 255}, color.NRGBA{10, 200, 20, 255}, color.NRGBA{1, 2, 3, 255}, color.NRGBA{7, 7, 7, 255}}
	want := []uint8{0, 0, 1, 1, 255, 2, 0, 255}
	for _, c := range []struct {
		name, text string
		label      image.Image
		want       []uint8
		fails      string
	}{
		{"gray of 8 bits", byIDs, gray8(0, 9, 1, 1, 255, 200, 0, 255), want, ""},
		{"gray of 16 bits", byWideIDs, gray16(0, 9, 300, 300, 255, 65535, 0, 255), want, ""},
		{"RGB", byColors, rgb(lawn, black, kerb, kerb, white, far, black, white), want, ""},
		{"a palette's colors", byColors, paletted(palette, 2, 2, 1, 1, 0, 3, 2, 0), want, ""},
		{"an unknown id", byIDs, gray8(0, 9, 1, 1, 255, 2, 0, 255), nil, "pixel x 1 y 1 has id 2, which is neither a class's nor ignored"},
		{"another size", byIDs, image.NewGray(image.Rect(0, 0, 4, 3)), nil, "label is 4x3, image is 4x2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			mapFile := yard(t, c.text, map[string][]byte{"photos/a.png": photo(t), "marks/a.png": pngOf(t, c.label)})
			d, err := formats.Open(read(t, mapFile), "", formats.Options{})
			if err != nil {
				t.Fatal(err)
			}
			s, err := d.Read(context.Background(), 0)
			r := d.NewReader()
			reused, _, _, readerErr := r.Open(context.Background(), 0)
			if c.fails != "" {
				for _, err := range []error{err, readerErr} {
					if err == nil || !strings.Contains(err.Error(), c.fails) || !strings.Contains(err.Error(), filepath.Join("marks", "a.png")) {
						t.Errorf("error %v, want %q and the file", err, c.fails)
					}
				}
				return
			}
			if err != nil || readerErr != nil {
				t.Fatal(err, readerErr)
			}
			if !slices.Equal(s.Label.Pix(), c.want) || !slices.Equal(reused.Label.Pix(), c.want) {
				t.Errorf("read %v and %v, want %v", s.Label.Pix(), reused.Label.Pix(), c.want)
			}
			if s.ID != "yard/train/a" || s.Dataset != "yard" || s.Validate() != nil {
				t.Errorf("%s of %s: %v", s.ID, s.Dataset, s.Validate())
			}
		})
	}
}

func TestCustomDataset(t *testing.T) {
	label := pngOf(t, gray8(0, 0, 0, 1, 1, 255, 255, 255))
	mapFile := yard(t, byIDs, map[string][]byte{
		"photos/a.png": photo(t), "photos/b.jpg": jpegPhoto(t), "photos/c.png": photo(t),
		"marks/a.png": label, "marks/b.png": label, "marks/d.png": label,
	})
	d, err := formats.Open(read(t, mapFile), "", formats.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := d.Header()
	if !slices.Equal(h.Classes, []string{"lawn", "kerb", "far"}) || h.Colors[0] != [3]uint8{10, 200, 20} || len(h.Colors) != 3 || !h.Labeled || h.Validate() != nil {
		t.Errorf("header %+v", h)
	}
	var problems []string
	if _, err := d.Check(context.Background(), 2, func(p formats.Problem) { problems = append(problems, p.Error()) }, nil); err != nil {
		t.Fatal(err)
	}
	in := func(names ...string) string {
		return filepath.Join(append([]string{filepath.Dir(mapFile)}, names...)...)
	}
	if want := []string{in("marks", "d.png") + ": the label has no image", in("photos", "c.png") + ": the image has no label: " + in("marks", "c.png") + " is missing"}; !slices.Equal(problems, want) {
		t.Errorf("problems %q, want %q", problems, want)
	}

	// Statistics name the labels as they lie there.
	if _, err := stats.Count(context.Background(), d, 1, nil, nil); err == nil {
		t.Error("statistics of a dataset with a label missing")
	}
	for _, name := range []string{"photos/c.png", "marks/d.png"} {
		if err := os.Remove(filepath.Join(filepath.Dir(mapFile), name)); err != nil {
			t.Fatal(err)
		}
	}
	if d, err = formats.Open(read(t, mapFile), "", formats.Options{}); err != nil {
		t.Fatal(err)
	}
	counted, err := stats.Count(context.Background(), d, 1, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(counted) != 2 || counted[1].File != "marks/b.png" || counted[1].Pixels[0] != 3 || counted[1].Pixels[1] != 2 || len(counted[1].Pixels) != 2 {
		t.Errorf("statistics %+v", counted)
	}
	if _, err := stats.Align(d, counted); err != nil {
		t.Error(err)
	}
	counted[0].Pixels[raster.TrainID(3)] = 1
	if _, err := stats.Align(d, counted); err == nil || !strings.Contains(err.Error(), "class 3, and there are 3 classes") {
		t.Errorf("statistics of a class that is not there: %v", err)
	}
}

func TestCustomDatasetsLieAnywhere(t *testing.T) {
	label := pngOf(t, gray8(0, 0, 0, 1, 1, 255, 255, 255))
	mapFile := yard(t, byIDs, map[string][]byte{"photos/a.png": photo(t), "marks/a.png": label})
	empty := filepath.Dir(yard(t, byIDs, map[string][]byte{"photos/a": nil, "marks/a": nil}))
	far := formats.Options{Files: os.DirFS(filepath.Dir(mapFile))}
	for _, c := range []struct {
		name, format, dir string
		o                 formats.Options
		fails             string
	}{
		{"where the map lies", "folder:" + mapFile, "", formats.Options{}, ""},
		{"elsewhere", "folder:" + mapFile, filepath.Dir(mapFile), formats.Options{}, ""},
		{"in another store", "folder:" + mapFile, "s3://bucket/yard", far, ""},
		{"without labels", "folder:" + mapFile, "", formats.Options{Split: "target"}, ""},
		{"without a map", "folder", "data", formats.Options{}, "the format folder needs a class map: folder:MAP.yaml"},
		{"a map that is not there", "folder:none.yaml", "", formats.Options{}, "none.yaml"},
		{"a folder that is not there", "folder:" + mapFile, "none", formats.Options{}, "open yard dataset: stat none"},
		{"a folder without such images", "folder:" + mapFile, empty, formats.Options{}, "no images of split train: nothing under " + empty + " is photos/*.*"},
		{"another split", "folder:" + mapFile, "", formats.Options{Split: "test"}, `no split "test"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d *formats.Dataset
			l, err := formats.Named(c.format)
			if err == nil {
				d, err = formats.Open(l, c.dir, c.o)
			}
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Fatalf("error %v, want %q", err, c.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			s, err := d.Read(context.Background(), 0)
			if err != nil || d.Labeled() == s.Label.Empty() || s.Label.Empty() != (c.o.Split == "target") {
				t.Errorf("label is empty: %v, dataset is labeled: %v, %v", s.Label.Empty(), d.Labeled(), err)
			}
		})
	}
}

func TestNoLinkLeadsOutOfACustomDataset(t *testing.T) {
	label := pngOf(t, gray8(0))
	mapFile := yard(t, byIDs, map[string][]byte{"photos/a.png": photo(t), "marks/b.png": label})
	secret := filepath.Join(t.TempDir(), "a.png")
	if err := os.WriteFile(secret, label, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(filepath.Dir(mapFile), "marks", "a.png")); err != nil {
		t.Fatal(err)
	}
	d, err := formats.Open(read(t, mapFile), "", formats.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for name, read := range map[string]func() error{
		"Read":   func() error { _, err := d.Read(context.Background(), 0); return err },
		"Reader": func() error { _, _, _, err := d.NewReader().Open(context.Background(), 0); return err },
		"Digest": func() error { _, err := d.Digest(); return err },
	} {
		if err := read(); err == nil || !strings.Contains(err.Error(), "a link leads out of") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// BenchmarkLabels decodes labels of 2048x1024 by a class map, and as Cityscapes'
// are for comparison. MB are of train IDs.
func BenchmarkLabels(b *testing.B) {
	const height, width = 1024, 2048
	_, label := fixtures.Scene(fixtures.Cityscapes, 3, 0, height, width)
	palette, ids, colors := color.Palette{}, "", ""
	for i, c := range raster.CityscapesColors() {
		palette = append(palette, color.NRGBA{c[0], c[1], c[2], 255})
		ids += fmt.Sprintf("{name: c%d, id: %d}, ", i, i)
		colors += fmt.Sprintf("{name: c%d, colour: [%d, %d, %d]}, ", i, c[0], c[1], c[2])
	}
	text := func(labels, classes string) string {
		return "{name: city, labels: " + labels + ", classes: [" + classes + `], ignore: others, splits: {train: {images: "i/*.png", labels: "l/{stem}.png"}}}`
	}
	all := image.Rect(0, 0, width, height)
	gray, wide, indexed, rgb := image.NewGray(all), image.NewGray16(all), image.NewPaletted(all, append(palette, color.NRGBA{A: 255})), image.NewNRGBA(all)
	for p, t := range label.Pix() {
		i := min(int(t), len(palette))
		gray.Pix[p], wide.Pix[2*p+1], indexed.Pix[p] = t, t, uint8(i)
		c := indexed.Palette[i].(color.NRGBA)
		copy(rgb.Pix[4*p:], []byte{c.R, c.G, c.B, 255})
	}
	run := func(name string, d func() (*formats.Dataset, error)) {
		b.Run(name, func(b *testing.B) {
			set, err := d()
			if err != nil {
				b.Fatal(err)
			}
			r := set.NewReader()
			b.SetBytes(height * width)
			for b.Loop() {
				if _, _, _, err := r.Open(context.Background(), 0); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	tiny := pngOf(b, image.NewGray(all))
	custom := func(name, text string, label image.Image) {
		mapFile := yard(b, text, map[string][]byte{"i/a.png": tiny, "l/a.png": pngOf(b, label)})
		run(name, func() (*formats.Dataset, error) { return formats.Open(read(b, mapFile), "", formats.Options{}) })
	}
	city := filepath.Dir(yard(b, byIDs, map[string][]byte{"leftImg8bit/train/ulm/a_leftImg8bit.png": tiny, "gtFine/train/ulm/a_gtFine_labelTrainIds.png": pngOf(b, gray)}))
	run("cityscapes", func() (*formats.Dataset, error) { return formats.Open(formats.Cityscapes(), city, formats.Options{}) })
	custom("ids", text("ids", ids), gray)
	custom("ids of 16 bits", text("ids", ids), wide)
	custom("colors of a palette", text("colours", colors), indexed)
	custom("colors in RGB", text("colours", colors), rgb)
}

// TestRootStaysBelowTheMap: a class map may say where its data lie, but not above
// its own folder.
func TestRootStaysBelowTheMap(t *testing.T) {
	label := pngOf(t, gray8(0, 0, 0, 1, 1, 255, 255, 255))
	mapFile := yard(t, byIDs, map[string][]byte{"photos/a.png": photo(t), "marks/a.png": label, "real/photos/b.png": photo(t), "real/marks/b.png": label})
	base := filepath.Dir(mapFile)
	for link, to := range map[string]string{"up": "..", "elsewhere": t.TempDir()} {
		if err := os.Symlink(to, filepath.Join(base, link)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ root, given, want, fails string }{
		{".", "", base, ""},
		{"real", "", filepath.Join(base, "real"), ""},
		{"missing", filepath.Join(base, "real"), filepath.Join(base, "real"), ""},
		{"up", "", "", "a link leads out"},
		{"elsewhere", "", "", "a link leads out"},
		{"missing", "", "", "no such file"},
	} {
		l := read(t, mapFile)
		l.Map.Root = c.root
		d, err := formats.Open(l, c.given, formats.Options{})
		if c.fails != "" {
			if err == nil || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("root %q: %v, want %q", c.root, err, c.fails)
			}
		} else if err != nil || d.Dir() != c.want {
			t.Errorf("root %q, given %q: %v", c.root, c.given, err)
		}
	}
}
