package formats_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	stdpng "image/png"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/fixtures"
	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/formats/classmap"
	"github.com/pipa-uda/pipa/formats/labels"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// withoutFixtures are the layouts of which package fixtures draws no scenes.
var withoutFixtures = []string{}

// TestEveryLayoutIsWhole fails where a layout that ships is not said to be licensed,
// cannot be recognized, is missing in the README, or has no scenes to be tested by.
func TestEveryLayoutIsWhole(t *testing.T) {
	dir := tree(t)
	readme, err := os.ReadFile(filepath.Join("..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, l := range formats.Layouts() {
		t.Run(l.Name, func(t *testing.T) {
			if err := l.Validate(); err != nil {
				t.Error(err)
			}
			if seen[l.Name] {
				t.Error("its name comes twice")
			}
			seen[l.Name] = true
			if named, err := formats.Named(l.Name); err != nil || !reflect.DeepEqual(named, l) {
				t.Errorf("its name is another's: %v", err)
			}
			if l.License == "" || !strings.HasPrefix(l.URL, "https://") || len(l.Folders) == 0 || len(l.Classes) == 0 {
				t.Errorf("license %q, URL %q, folders %q, classes %q: want all of them", l.License, l.URL, l.Folders, l.Classes)
			}
			if !bytes.Contains(readme, []byte("| `"+l.Name+"` |")) {
				t.Error("the README's table of formats does not have it")
			}
			of := map[string]bool{}
			for _, d := range fixtures.Domains() {
				of[d.String()] = true
			}
			if drawn := of[l.Name]; drawn == slices.Contains(withoutFixtures, l.Name) {
				t.Fatalf("fixtures draw it: %v, withoutFixtures is %q", drawn, withoutFixtures)
			} else if !drawn {
				return
			}
			place, err := formats.Locate(filepath.Join(dir, l.Name))
			if err != nil || !place.Recognized || !reflect.DeepEqual(place.Layout, l) {
				t.Fatalf("recognized as %q, %v", place.Layout.Name, err)
			}
			d, err := formats.Open(place.Layout, place.Dir, formats.Options{Split: l.Splits[0].Name})
			if err != nil {
				t.Fatal(err)
			}
			counts, err := d.Check(context.Background(), 2, func(p formats.Problem) { t.Errorf("problem: %v", p) }, nil)
			if err != nil || counts.Samples == 0 {
				t.Errorf("%+v, %v", counts, err)
			}
		})
	}
	for _, name := range withoutFixtures {
		if !slices.Contains(formats.Names(), name) {
			t.Errorf("%s is no layout", name)
		}
	}
}

// asClassMap is a layout's split as a class map that reads labels by their ids, of
// these files.
func asClassMap(t *testing.T, l formats.Layout, split string, lb formats.Labels) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "name: %s\nlabels: ids\nclasses:\n", l.Name)
	ids := make([][]string, len(l.Classes))
	var ignored []string
	for id, train := range lb.Encoding.IDs {
		if train == raster.Ignore {
			ignored = append(ignored, fmt.Sprint(id))
		} else {
			ids[train] = append(ids[train], fmt.Sprint(id))
		}
	}
	for i, name := range l.Classes {
		c := l.Colors[i]
		fmt.Fprintf(&b, "  - {name: %q, ids: [%s], colour: [%d, %d, %d]}\n", name, strings.Join(ids[i], ", "), c[0], c[1], c[2])
	}
	s, err := l.Split(split)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(&b, "ignore: [%s]\nsplits:\n  %s: {images: %q, labels: %q}\n", strings.Join(ignored, ", "), split, s.Images, lb.Files)
	return b.String()
}

// grayOfRed rewrites SYNTHIA's labels as gray, which class maps read.
func grayOfRed(t *testing.T, dir string, lb formats.Labels) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, filepath.Dir(lb.Files), "*.png"))
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		m, err := stdpng.Decode(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		gray := image.NewGray(m.Bounds())
		for y := range m.Bounds().Dy() {
			for x := range m.Bounds().Dx() {
				red, _, _, _ := m.At(x, y).RGBA()
				gray.SetGray(x, y, color.Gray{Y: uint8(red)})
			}
		}
		if err := os.WriteFile(path, encode(t, gray), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestALayoutAsAClassMapIsTheSame: what ships and what YAML says go the same way to
// the same images, classes and train IDs.
func TestALayoutAsAClassMapIsTheSame(t *testing.T) {
	dir := tree(t)
	for _, l := range formats.Layouts() {
		for i, lb := range l.Splits[0].Labels {
			t.Run(fmt.Sprint(l.Name, i), func(t *testing.T) {
				if slices.Contains(withoutFixtures, l.Name) {
					t.Skip("there are no scenes")
				}
				split, dir := l.Splits[0].Name, filepath.Join(dir, l.Name)
				shipped := l
				shipped.Splits = slices.Clone(l.Splits)
				shipped.Splits[0].Labels = []formats.Labels{lb} // else the first are read
				a, err := formats.Open(shipped, dir, formats.Options{Split: split})
				if err != nil {
					t.Fatal(err)
				}
				var want []raster.Raster
				for k := range a.Len() {
					label, err := a.Label(context.Background(), k)
					if err != nil {
						t.Fatal(err)
					}
					want = append(want, label)
				}
				if lb.Encoding.Codec == labels.Red16 {
					grayOfRed(t, dir, lb)
				}
				m, err := classmap.Parse([]byte(asClassMap(t, l, split, lb)))
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(m.Classes, l.Classes) || !slices.Equal(m.Colors, l.Colors) {
					t.Errorf("classes %q in %v", m.Classes, m.Colors)
				}
				b, err := formats.Open(m, dir, formats.Options{Split: split})
				if err != nil || b.Len() != a.Len() {
					t.Fatalf("%v, %d samples of %d", err, b.Len(), a.Len())
				}
				for k := range a.Len() {
					s, err := b.Read(context.Background(), k)
					if err != nil {
						t.Fatal(err)
					}
					if !bytes.Equal(s.Label.Pix(), want[k].Pix()) || b.Entries[k].Image != a.Entries[k].Image {
						t.Errorf("%s: %s has other train IDs than %s", s.ID, b.Entries[k].Label, a.Entries[k].Label)
					}
				}
			})
		}
	}
}

// TestALayoutOfOnesOwn: a program passes a value, whose meaning is in the data's
// digest; a layout that ships is known by its name.
func TestALayoutOfOnesOwn(t *testing.T) {
	dir := filepath.Join(tree(t), "gta")
	digest := func(l formats.Layout) string {
		t.Helper()
		d, err := formats.Open(l, dir, formats.Options{})
		if err != nil {
			t.Fatal(err)
		}
		text, err := d.Digest()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	shipped := formats.GTA()
	changed := formats.GTA()
	changed.Splits[0].Labels[0].Encoding.IDs[7] = raster.Ignore
	if digest(shipped) != digest(formats.GTA()) || digest(changed) == digest(shipped) {
		t.Error("the digest of a changed layout is that of the one that ships")
	}
	d, err := formats.Open(changed, dir, formats.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range d.Len() {
		s, err := d.Read(context.Background(), i)
		if err != nil || bytes.Contains(s.Label.Pix(), []byte{0}) {
			t.Errorf("%s has road, which is ignored; %v", s.ID, err)
		}
	}
	changed.Splits[0].Images = "../*.png"
	if _, err := formats.Open(changed, dir, formats.Options{}); err == nil || !strings.Contains(err.Error(), "splits.train.images") {
		t.Errorf("a layout that is wrong: %v", err)
	}
}

func TestLocate(t *testing.T) {
	dir := tree(t)
	label := pngOf(t, gray8(0))
	mapFile := yard(t, byIDs, map[string][]byte{"photos/a.png": photo(t), "marks/a.png": label})
	both := t.TempDir()
	for _, name := range []string{"images", "labels", "leftImg8bit", "empty"} {
		if err := os.Mkdir(filepath.Join(both, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	in := func(name string) string { return filepath.Join(dir, name) }
	for _, c := range []struct {
		name, text, layout, dir string
		recognized              bool
		fails                   string
	}{
		{"a name and a folder", "gta:" + in("gta"), "gta", in("gta"), false, ""},
		{"a name and a URL", "cityscapes:s3://bucket/cityscapes", "cityscapes", "s3://bucket/cityscapes", false, ""},
		{"a folder", in("synthia"), "synthia", in("synthia"), true, ""},
		{"a map", mapFile, "yard", "", false, ""},
		{"a map and a folder", mapFile + ":data", "yard", "data", false, ""},
		{"a map with its prefix", "folder:" + mapFile, "yard", "", false, ""},
		{"a map with its prefix, and a URL", "folder:" + mapFile + ":gs://bucket/yard", "yard", "gs://bucket/yard", false, ""},
		{"a name without a folder", "gta:", "", "", false, "gta: is not a dataset's folder: the folder after the colon is missing"},
		{"a name alone", "synthia", "", "", false, "synthia is not a dataset's folder: it is the name of a format: say where the data lie too, as in synthia:DIR"},
		{"another name", "gtav:" + in("gta"), "", "", false, `no dataset format "gtav": did you mean "gta"?`},
		{"a map that is not there", "none.yaml:data", "", "", false, "class map none.yaml: stat none.yaml: no such file"},
		{"a prefix alone", "folder:", "", "", false, "needs a class map"},
		{"a folder that is not there", in("nowhere"), "", "", false, "nowhere is not a dataset's folder: stat "},
		{"a file", in("gta/images/00001.png"), "", "", false, "it is not a folder"},
		{"a URL alone", "s3://bucket/gta", "", "", false, "s3://bucket/gta is not a dataset's folder: the layout of a URL is not to be seen: say which it is, as in gta:s3://bucket/gta"},
		{"a folder of two layouts", both, "", "", false, both + " looks like gta and like cityscapes: say which it is, as in gta:" + both},
		{"a folder of none", filepath.Join(both, "empty"), "", "", false, "does not look like a dataset that is known: want images/ and labels/ for gta, RGB/ and GT/LABELS/ for synthia, leftImg8bit/ for cityscapes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, err := formats.Locate(c.text)
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Errorf("error %v, want %q", err, c.fails)
				}
				return
			}
			if err != nil || p.Layout.Name != c.layout || p.Dir != c.dir || p.Recognized != c.recognized {
				t.Errorf("%s in %q, recognized: %v; %v", p.Layout.Name, p.Dir, p.Recognized, err)
			}
			if again, err := formats.Named(p.Layout.Spelling()); err != nil || !reflect.DeepEqual(again, p.Layout) {
				t.Errorf("%s is another layout: %v", p.Layout.Spelling(), err)
			}
		})
	}
}

func TestNamed(t *testing.T) {
	var unknown *formats.UnknownError
	if _, err := formats.Named("gtav"); !errors.As(err, &unknown) || !strings.Contains(err.Error(), `no dataset format "gtav": did you mean "gta"? (all: `+strings.Join(formats.Names(), ", ")+")") {
		t.Errorf("another name: %v", err)
	}
	for _, text := range []string{"folder", "folder:"} {
		if _, err := formats.Named(text); err == nil || !strings.Contains(err.Error(), "the format folder needs a class map: folder:MAP.yaml") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
