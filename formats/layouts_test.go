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

// looksAlike are layouts whose folders are others', too: these have to be named.
var looksAlike = map[string][]string{
	"carla":        {"carla", "carla-0.9.13"},
	"carla-0.9.13": {"carla", "carla-0.9.13"},
	"potsdam":      {"potsdam", "vaihingen"},
	"vaihingen":    {"potsdam", "vaihingen"},
	"mapillary-v2": {"mapillary", "mapillary-v2"},
}

// TestEveryLayoutIsWhole fails where a layout that ships is not said to be licensed,
// is taken for another, is missing in docs/datasets-supported.md, or does not read what
// lies as it says.
func TestEveryLayoutIsWhole(t *testing.T) {
	dir := t.TempDir()
	if err := fixtures.Write(t.Context(), dir, fixtures.Options{Width: 32, Layouts: formats.Layouts()}); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join("..", "docs", "datasets-supported.md"))
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
			if l.License == "" || !strings.HasPrefix(l.URL, "https://") || len(l.Classes) == 0 {
				t.Errorf("license %q, URL %q, classes %q: want all of them", l.License, l.URL, l.Classes)
			}
			if !bytes.Contains(page, []byte("| `"+l.Name+"` |")) {
				t.Error("docs/datasets-supported.md does not have it: pipa formats --markdown > docs/datasets-supported.md")
			}
			place, err := formats.Locate(filepath.Join(dir, l.Name))
			var alike *formats.RecognizeError
			switch {
			case len(l.Folders) == 0: // it has to be named
			case looksAlike[l.Name] != nil:
				if !errors.As(err, &alike) || !slices.Equal(alike.Fits, looksAlike[l.Name]) {
					t.Errorf("recognized as %q, %v, want an error that says %q", place.Layout.Name, err, looksAlike[l.Name])
				}
			case err != nil || !place.Recognized || !reflect.DeepEqual(place.Layout, l):
				t.Errorf("recognized as %q, %v", place.Layout.Name, err)
			}
			for _, s := range l.Splits {
				for i, labels := range s.Labels {
					one := l
					one.Splits = []formats.Split{s}
					one.Splits[0].Labels = []formats.Labels{labels}
					reads(t, one, filepath.Join(dir, l.Name), fmt.Sprint(s.Name, i))
				}
				if !s.Labeled() {
					one := l
					one.Splits = []formats.Split{s}
					reads(t, one, filepath.Join(dir, l.Name), s.Name)
				}
			}
		})
	}
}

// reads checks what a layout's one split reads.
func reads(t *testing.T, l formats.Layout, dir, what string) {
	t.Helper()
	s := l.Splits[0]
	d, err := formats.Open(l, dir, formats.Options{Split: s.Name})
	if err != nil {
		t.Errorf("%s: %v", what, err)
		return
	}
	counts, err := d.Check(t.Context(), 2, func(p formats.Problem) { t.Errorf("%s: problem: %v", what, p) }, nil)
	if err != nil || counts.Samples == 0 {
		t.Errorf("%s: %+v, %v", what, counts, err)
	}
	if !s.Labeled() {
		return
	}
	means := map[byte]bool{}
	for i := range d.Len() {
		label, err := d.Label(t.Context(), i)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			return
		}
		for _, v := range label.Pix() {
			means[v] = true
		}
	}
	if delete(means, 255); len(means) < 3 {
		t.Errorf("%s: %d classes are in its labels", what, len(means))
	}
}

// TestWhatValuesMean has values of labels and the classes that they are, of every
// layout, as the datasets' own tables have them. Red, green and blue are one number.
func TestWhatValuesMean(t *testing.T) {
	const ignored = ""
	cityscapesIDs := map[int]string{7: "road", 8: "sidewalk", 11: "building", 19: "traffic light", 20: "traffic sign", 26: "car", 33: "bicycle", 0: ignored, 9: ignored}
	trainIDs := map[int]string{0: "road", 6: "traffic light", 7: "traffic sign", 13: "car", 18: "bicycle", 255: ignored}
	synthia := map[int]string{1: "sky", 2: "building", 3: "road", 12: "motorcycle", 15: "traffic light", 21: "wall", 22: ignored, 0: ignored}
	old := map[int]string{1: "building", 4: "person", 6: "road", 7: "road", 8: "sidewalk", 10: "car", 12: "traffic sign", 18: "traffic light", 22: "terrain", 0: ignored, 14: ignored}
	values := map[string]map[int]string{
		"gta": cityscapesIDs, "synthia": synthia, "cityscapes": trainIDs, "synthia-mapped": synthia, "synscapes": cityscapesIDs,
		"synthia-seqs":      {3: "road", 8: "car", 12: "road", 11: "bicycle", 15: "traffic light", 13: ignored},
		"urbansyn":          {0: "road", 18: "bicycle", 19: ignored},
		"viper":             {0x804080: "road", 0xf423e8: "sidewalk", 0x57b623: "vegetation", 0x238e23: "vegetation", 0x00008e: "car", 0x000046: "truck", 0x005064: ignored, 0: ignored, 0x999999: ignored},
		"shift":             old,
		"carla-0.9.13":      old,
		"carla":             {1: "road", 2: "sidewalk", 3: "building", 12: "person", 13: "rider", 14: "car", 19: "bicycle", 24: "road", 0: ignored, 20: ignored, 28: ignored},
		"acdc":              trainIDs,
		"darkzurich":        trainIDs,
		"muses":             trainIDs,
		"bdd100k":           trainIDs,
		"idd":               trainIDs,
		"kitti360":          {7: "road", 26: "car", 34: "building", 35: "fence", 37: "pole", 38: ignored, 43: ignored},
		"wilddash2":         {7: "road", 26: "car", 35: ignored, 100: ignored},
		"mapillary":         {0: "Bird", 13: "Road", 19: "Person", 46: "Traffic Sign Frame", 55: "Car", 64: "Ego Vehicle", 65: ignored},
		"mapillary-19":      {13: "road", 41: "road", 2: "sidewalk", 24: "road", 8: ignored, 46: ignored, 44: ignored, 50: "traffic sign", 55: "car", 65: ignored},
		"mapillary-19-rein": {13: "road", 41: ignored, 2: "sidewalk", 9: "sidewalk", 11: "sidewalk", 8: "road", 46: "traffic sign", 49: "traffic sign", 44: "pole", 55: "car", 65: ignored},
		"mapillary-v2":      {21: "construction--flat--road", 30: "human--person--individual", 100: "object--traffic-sign--front", 123: ignored},
		"mapillary-v2-19":   {21: "road", 30: "person", 100: "traffic sign", 96: ignored, 123: ignored},
		"a2d2":              {0xff0000: "Car", 0x800000: "Car", 0xef59bf: "Pedestrian", 0xff00ff: "RD normal street"},
		"a2d2-19":           {0xff0000: "car", 0xef59bf: "person", 0xff00ff: "road", 0x00c800: "motorcycle", 0xffff00: ignored},
		"camvid":            {0: "sky", 3: "road", 10: "bicyclist", 11: ignored},
		"camvid-19":         {0: "sky", 3: "road", 4: "sidewalk", 10: "rider", 11: ignored},
		"camvid-32":         {0x804080: "Road", 0x800000: "Building", 0x404000: "Pedestrian", 0: ignored},
		"camvid-32-19":      {0x804080: "road", 0x8000c0: "road", 0xc08040: "person", 0xc080c0: ignored, 0: ignored},
		"rugd":              {0x006600: "grass", 0x404040: "asphalt", 0x00ff00: "tree", 0: ignored},
		"rellis":            {3: "grass", 4: "tree", 23: "concrete", 34: "rubble", 0: ignored},
		"loveda":            {1: "background", 2: "building", 7: "agricultural", 0: ignored},
		"potsdam":           {1: "impervious surface", 5: "car", 6: "clutter", 0: ignored},
		"vaihingen":         {1: "impervious surface", 5: "car", 6: "clutter", 0: ignored},
	}
	others := map[string]map[int]string{ // of the second of a layout's kinds of labels
		"cityscapes": cityscapesIDs, "muses": cityscapesIDs,
		"idd": {0: "road", 1: ignored, 3: "sidewalk", 5: "terrain", 11: ignored, 12: "car", 24: "traffic sign", 25: "traffic light", 29: "building", 33: "sky"},
	}
	for name := range values {
		if _, err := formats.Named(name); err != nil {
			t.Error(err)
		}
	}
	check := func(t *testing.T, l formats.Layout, kind int, want map[int]string) {
		t.Helper()
		for _, s := range l.Splits {
			if len(s.Labels) <= kind {
				continue
			}
			e := s.Labels[kind].Encoding
			for v, class := range want {
				train, ok := e.OfID(v)
				if e.Codec == labels.Colors {
					train, ok = e.OfColor([3]uint8{uint8(v >> 16), uint8(v >> 8), uint8(v)})
				}
				got := ignored
				if ok && train != raster.Ignore {
					got = l.Classes[train]
				}
				if !ok || got != class {
					t.Errorf("%s: %#x is %q, %v, want %q", s.Name, v, got, ok, class)
				}
			}
		}
	}
	for _, l := range formats.Layouts() {
		t.Run(l.Name, func(t *testing.T) {
			if len(values[l.Name]) == 0 {
				t.Fatal("the table has no values of it")
			}
			check(t, l, 0, values[l.Name])
			check(t, l, 1, others[l.Name])
		})
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
				if _, err := os.Stat(filepath.Join(dir, l.Name)); err != nil {
					t.Skip("the benchmark's datasets are enough")
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
	more := t.TempDir() // GTA's folders, and BDD100K's below them
	for _, name := range []string{"images/10k", "labels/sem_seg/masks"} {
		if err := os.MkdirAll(filepath.Join(more, name), 0o755); err != nil {
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
		{"a folder with more below than another's", more, "bdd100k", more, true, ""},
		{"a folder of two layouts", both, "", "", false, both + " looks like gta and like cityscapes: say which it is, as in gta:" + both},
		{"a folder of none", filepath.Join(both, "empty"), "", "", false, "does not look like a dataset that is known: want images/ and labels/ for gta, RGB/ and GT/LABELS/ for synthia, leftImg8bit/ for cityscapes, or the folders of another"},
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
