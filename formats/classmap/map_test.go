package classmap

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pipa-uda/pipa/formats/layout"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

const small = `
name: yard
labels: ids
classes:
  - {name: lawn, id: 7, colour: [10, 200, 20]}
  - {name: kerb, ids: [0, 300]}
  - {name: road, id: 1}
ignore: [255, 65535]
splits:
  train: {images: "photos/*.jpg", labels: "marks/{stem}.png"}
  target: {images: "street/**/*.png"}
`

func parse(t testing.TB, text string) layout.Layout {
	t.Helper()
	m, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestMapOfIDs(t *testing.T) {
	m := parse(t, small)
	of := m.Splits[1].Labels[0].Encoding
	if !slices.Equal(m.Classes, []string{"lawn", "kerb", "road"}) || m.Name != "yard" || m.Map.Root != "." || m.Map.Text != small {
		t.Errorf("%+v", m)
	}
	for id, want := range map[int]raster.TrainID{7: 0, 0: 1, 300: 1, 1: 2, 255: 255, 65535: 255} {
		if got, ok := of.OfID(id); !ok || got != want {
			t.Errorf("id %d is %d, %v, want %d", id, got, ok, want)
		}
	}
	for _, id := range []int{2, 256, -1} {
		if got, ok := of.OfID(id); ok {
			t.Errorf("id %d, which is not in the map, is %d", id, got)
		}
	}
	// Classes without a color get one: Cityscapes' where it has the name.
	if m.Colors[0] != [3]uint8{10, 200, 20} || m.Colors[2] != [3]uint8{128, 64, 128} || m.Colors[1] == m.Colors[0] || m.Colors[1] == m.Colors[2] {
		t.Errorf("colours %v", m.Colors)
	}
	if !slices.Equal(m.SplitNames(), []string{"target", "train"}) || m.Splits[0].Labeled() {
		t.Errorf("splits %v", m.Splits)
	}
}

// TestMapOfWindows: a map as editors on Windows save it.
func TestMapOfWindows(t *testing.T) {
	want := parse(t, small)
	for name, text := range map[string]string{
		"a mark":        "\ufeff" + small,
		"ends of lines": strings.ReplaceAll(small, "\n", "\r\n"),
		"UTF-16":        "\xff\xfe" + strings.Join(strings.Split(small, ""), "\x00") + "\x00",
	} {
		if got := parse(t, text); got.Map.Digest != want.Map.Digest {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestMapOfColors(t *testing.T) {
	m := parse(t, `{name: yard, labels: colours, classes: [{name: a, colours: [[1, 2, 3], [4, 5, 6]]}, {name: b, colour: [0, 0, 0]}], ignore: [[9, 9, 9]], splits: {train: {images: "*.png", labels: "l/{1}.png"}}}`)
	for c, want := range map[[3]uint8]raster.TrainID{{1, 2, 3}: 0, {4, 5, 6}: 0, {0, 0, 0}: 1, {9, 9, 9}: 255} {
		if got, ok := m.Splits[0].Labels[0].Encoding.OfColor(c); !ok || got != want {
			t.Errorf("colour %v is %d, %v, want %d", c, got, ok, want)
		}
	}
	if _, ok := m.Splits[0].Labels[0].Encoding.OfColor([3]uint8{1, 2, 4}); ok {
		t.Error("a colour that is not in the map passed")
	}
	if !reflect.DeepEqual(m.Colors, [][3]uint8{{1, 2, 3}, {0, 0, 0}}) {
		t.Errorf("shown in %v", m.Colors)
	}
}

func TestOthersAreIgnoredWhereTheMapSaysSo(t *testing.T) {
	m := parse(t, strings.Replace(small, "ignore: [255, 65535]", "ignore: others", 1))
	if got, ok := m.Splits[1].Labels[0].Encoding.OfID(4711); !ok || got != raster.Ignore {
		t.Errorf("another id is %d, %v", got, ok)
	}
}

func TestUnlabeledMapsNeedNoClasses(t *testing.T) {
	if m := parse(t, `{name: street, splits: {train: {images: "*.jpg"}}}`); len(m.Classes) != 0 || m.Colors != nil {
		t.Errorf("%+v", m)
	}
}

func TestMapOf254Classes(t *testing.T) {
	many := func(n int) string {
		var b strings.Builder
		b.WriteString("name: many\nlabels: ids\nclasses:\n")
		for i := range n {
			fmt.Fprintf(&b, "  - {name: class %d, id: %d}\n", i, 3*i)
		}
		return b.String() + `splits: {train: {images: "*.png", labels: "l/{stem}.png"}}`
	}
	m := parse(t, many(254))
	if got, ok := m.Splits[0].Labels[0].Encoding.OfID(3 * 253); !ok || got != 253 {
		t.Errorf("the last class is %d, %v", got, ok)
	}
	seen := map[[3]uint8]bool{}
	for _, c := range m.Colors {
		if seen[c] {
			t.Errorf("colour %v comes twice", c)
		}
		seen[c] = true
	}
	if _, err := Parse([]byte(many(255))); err == nil || !strings.Contains(err.Error(), "lists 255, want at most 254") {
		t.Errorf("255 classes: %v", err)
	}
}

func TestMapsThatAreWrong(t *testing.T) {
	change := func(old, new string) string {
		if !strings.Contains(small, old) {
			t.Fatalf("the map has no %q", old)
		}
		return strings.Replace(small, old, new, 1)
	}
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "name is"},
		{"no YAML", "name: [", "[1:7] sequence end"},
		{"another key", change("colour: [10", "color: [10"), "line 5: unknown key color: did you mean colour?"},
		{"another key of a split", change("images: \"photos", "image: \"photos"), "unknown key image: did you mean images?"},
		{"too long", small + strings.Repeat("#", maxMapBytes), "the limit is"},
		{"nested brackets", strings.Repeat("[", maxNesting+1), "it nests more than 64"},
		{"nested dashes", strings.Repeat("- ", maxNesting+1), "it nests more than 64"},
		{"two documents", small + "---\nname: other\n", "2 YAML documents"},
		{"aliases", change("[255, 65535]", "&a [255]"), "write the value out"},
		{"a name with a slash", change("name: yard", "name: ../yard"), `name is "../yard"`},
		{"no labels key", change("labels: ids", ""), `labels is ""`},
		{"another labels", change("labels: ids", "labels: index"), `labels is "index", want ids`},
		{"no classes", `{name: a, splits: {train: {images: "*.png", labels: "l/{stem}.png"}}}`, "classes is empty"},
		{"ignore without classes", `{name: a, ignore: others, splits: {train: {images: "*.png"}}}`, "this one has none"},
		{"no splits", `{name: a}`, "splits is empty"},
		{"a class without id", change("id: 7, ", ""), "class lawn: it has no id"},
		{"a class without a name", change("name: lawn", `name: ""`), "name of number 0"},
		{"a name of two lines", change("name: lawn", `name: "a\nb"`), "one line"},
		{"a class twice", change("name: kerb", "name: lawn"), "lawn comes twice"},
		{"an id twice", change("id: 1}", "id: 300}"), "class road: id 300 is class kerb already"},
		{"an id that is ignored too", change("[255, 65535]", "[7]"), "ignore: id 7 is class lawn already"},
		{"an id out of range", change("id: 7", "id: 65536"), "id 65536, want 0 to 65535"},
		{"a negative id", change("id: 7", "id: -1"), "id -1"},
		{"id and ids", change("id: 7", "id: 7, ids: [8]"), "id and ids"},
		{"a colour of two", change("[10, 200, 20]", "[10, 200]"), "colour [10 200], want [red, green, blue]"},
		{"a colour out of range", change("[10, 200, 20]", "[10, 200, 256]"), "of 0 to 255"},
		{"an id that does not fit in red", change("labels: ids", "labels: red"), "id 300, want 0 to 255"},
		{"several colours of ids", change("colour: [10, 200, 20]", "colours: [[1, 2, 3], [4, 5, 6]]"), "the one that it is shown in"},
		{"ids where colours are meant", change("labels: ids", "labels: colours"), "ids, and labels is colours"},
		{"colours ignored among ids", change("[255, 65535]", "[[1, 2, 3]]"), "ignore: it lists colours"},
		{"another word for ignore", change("[255, 65535]", "rest"), `ignore is "rest", want a list`},
		{"a root above", change("name: yard", "name: yard\nroot: ../.."), `root is "../.."`},
		{"an absolute root", change("name: yard", "name: yard\nroot: /etc"), `root is "/etc"`},
		{"images above", change("photos/*", "../*"), "splits.train.images"},
		{"images that are absolute", change("photos/*", "/etc/*"), "splits.train.images"},
		{"images in the middle above", change("photos/*", "a/../../*"), "splits.train.images"},
		{"a backslash", change(`"photos/*.jpg"`, `'photos\..\*.jpg'`), "splits.train.images"},
		{"other wildcards", change("photos/*", "photos/[0-9]"), "no wildcards but"},
		{"labels above", change("marks/{stem}", "marks/../../{stem}"), "splits.train.labels"},
		{"labels with a wildcard", change("marks/{stem}", "marks/*"), "splits.train.labels"},
		{"another placeholder", change("{stem}", "{name}"), "{name}, want {stem}"},
		{"a wildcard that is not there", change("{stem}", "{2}"), "{2}, want {stem} or one of the images' 1 wildcards"},
		{"a split's name", change("  target:", "  ../x:"), `the name "../x"`},
		{"images without a name", change("photos/*.jpg", ""), "splits.train.images: it is empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := Parse([]byte(c.text)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestReadNamesTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "yard.yaml")
	var e *Error
	if _, err := Read(file); !errors.As(err, &e) || e.File != file || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing map: %v", err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(small, "ids", "idz", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a wrong map: %v", err)
	}
}

// TestDigestsStay: plans and runs hold the digests of maps.
func TestDigestsStay(t *testing.T) {
	const splits = `
ignore: others
splits:
  train: {images: "images/*.png", labels: "labels/{stem}.png"}
  val: {images: "images/*2.png", labels: "labels/{stem}.png"}
  target: {images: "images/*.png"}
`
	for text, want := range map[string]string{
		`name: streets
labels: ids
classes:
  - {name: road, ids: [7, 8], colour: [128, 64, 128]}
  - {name: building, ids: [11, 12, 13], colour: [70, 70, 70]}
  - {name: vegetation, ids: [21, 22]}
  - {name: sky, id: 23, colour: [70, 130, 180]}
  - {name: car, ids: [26, 27, 28]}`: "53d9a79732550682",
		`name: streets
labels: colours
classes:
  - {name: road, colours: [[128, 64, 128]]}
  - {name: building, colours: [[70, 70, 70]]}
  - {name: vegetation, colours: [[107, 142, 35], [152, 251, 152]]}
  - {name: sky, colours: [[70, 130, 180]]}
  - {name: car, colours: [[0, 0, 142], [0, 0, 70]]}`: "b827181600327bba",
	} {
		if got := parse(t, text+splits).Digest(); got != want {
			t.Errorf("digest %s, want %s, of %s", got, want, text)
		}
	}
}

func TestDigestIsOfWhatAMapMeans(t *testing.T) {
	same := parse(t, "# a comment\n"+strings.Replace(small, "[10, 200, 20]", "[1, 1, 1]", 1)).Digest()
	if got := parse(t, small).Digest(); got != same {
		t.Errorf("a comment and a colour change the digest: %s, %s", got, same)
	}
	for _, c := range [][2]string{{"id: 7", "id: 8"}, {"lawn", "grass"}, {"65535", "65534"}, {"marks", "mark"}, {"[255, 65535]", "others"}} {
		if got := parse(t, strings.Replace(small, c[0], c[1], 1)).Digest(); got == same {
			t.Errorf("%s instead of %s does not change the digest", c[1], c[0])
		}
	}
}

// watched is a tree whose every folder has the same awkward names, and which
// fails the test where a name leads out of it.
type watched struct{ t *testing.T }

func (w *watched) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		w.t.Fatalf("%q was opened", name)
	}
	return nil, fs.ErrNotExist
}

func (w *watched) ReadDir(name string) ([]fs.DirEntry, error) {
	if !fs.ValidPath(name) {
		w.t.Fatalf("%q was listed", name)
	}
	if strings.Count(name, "/") > 2 {
		return nil, nil
	}
	return fs.ReadDir(fstest.MapFS{"x..png": {}, "x.y.png": {}, "..x": {}, "a b": {}, "d/x": {}, "...d/x": {}}, ".")
}

// FuzzParse: no text makes a map that breaks its promises, or a panic.
func FuzzParse(f *testing.F) {
	f.Add([]byte(small))
	f.Add([]byte(`{name: a, labels: colours, classes: [{name: b, colours: [[1, 2, 3]]}], ignore: others, splits: {t: {images: "**/*_x.png", labels: "{1}/{2}{stem}.png"}}}`))
	f.Add([]byte(`{name: a, splits: {t: {images: "x*y*.png"}}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := Parse(text)
		if err != nil {
			return
		}
		if len(m.Classes) > layout.MaxClasses || len(m.Colors) != len(m.Classes) || !filepath.IsLocal(m.Map.Root) || m.FollowLinks {
			t.Fatalf("%d classes, %d colours, root %q, links are followed: %v", len(m.Classes), len(m.Colors), m.Map.Root, m.FollowLinks)
		}
		for _, s := range m.Splits {
			for _, l := range s.Labels {
				for id := range 300 {
					if c, ok := l.Encoding.OfID(id); ok && c != raster.Ignore && int(c) >= len(m.Classes) {
						t.Fatalf("id %d is class %d of %d", id, c, len(m.Classes))
					}
				}
			}
			listing, err := m.List(&watched{t}, s.Name, false)
			if err != nil {
				continue
			}
			for _, p := range listing.Pairs {
				if !fs.ValidPath(p.Image) || p.Label != "" && !fs.ValidPath(p.Label) {
					t.Fatalf("split %s names %q and %q", s.Name, p.Image, p.Label)
				}
			}
		}
	})
}
