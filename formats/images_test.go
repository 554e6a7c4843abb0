package formats

import (
	"errors"
	"image"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// pictures writes small images into a folder, by their names.
func pictures(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i, name := range names {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		m := image.NewNRGBA(image.Rect(0, 0, 3+i, 2))
		if strings.HasSuffix(name, ".png") {
			err = png.Encode(f, m)
		} else {
			err = jpeg.Encode(f, m, nil)
		}
		if err := errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestOpenImages(t *testing.T) {
	dir := pictures(t, "a.png", "city/b_leftImg8bit.png", "city/c.JPG", ".hidden.png")
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	in := func(names ...string) (paths []string) {
		for _, n := range names {
			paths = append(paths, filepath.Join(dir, n))
		}
		return paths
	}
	for name, c := range map[string]struct {
		paths []string
		want  []string
		fails string
	}{
		"a file":                 {in("a.png"), []string{"images/test/a"}, ""},
		"a folder":               {in(""), []string{"images/test/a", "images/test/city/b_leftImg8bit", "images/test/city/c"}, ""},
		"a pattern":              {in("*/*_leftImg8bit.png"), []string{"images/test/b_leftImg8bit"}, ""},
		"several":                {in("city", "a.png"), []string{"images/test/a", "images/test/b_leftImg8bit", "images/test/c"}, ""},
		"one name twice":         {in("a.png", "a.png"), nil, "have the same name"},
		"a pattern of nothing":   {in("*.bmp"), nil, "no PNG or JPEG file is at"},
		"a file of another kind": {in("notes.txt"), nil, "notes.txt is not a .png"},
		"a missing file":         {in("b.png"), nil, "no PNG or JPEG file is at"},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := OpenImages(c.paths, 0)
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Fatalf("error %v, want one with %q", err, c.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for i, e := range d.Entries {
				got = append(got, e.ID)
				s, err := d.Read(t.Context(), i)
				if err != nil || s.Image.Height() != 2 || !s.Label.Empty() {
					t.Errorf("%s: %dx%d, %v", e.ID, s.Image.Width(), s.Image.Height(), err)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// TestLinksToImagesAreFollowed: a folder of links to images that lie elsewhere, to
// folders of some, and one that leads round.
func TestLinksToImagesAreFollowed(t *testing.T) {
	dir, elsewhere := pictures(t, "own/a.png"), pictures(t, "b.png", "deep/c.png")
	for link, to := range map[string]string{"b.png": filepath.Join(elsewhere, "b.png"), "folder": elsewhere, "own/round": "..", "twice": "own"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, link} {
		d, err := OpenImages([]string{path}, 0)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i, e := range d.Entries {
			got = append(got, strings.TrimPrefix(e.ID, "images/test/"))
			if _, err := d.Read(t.Context(), i); err != nil {
				t.Errorf("%s: %v", e.ID, err)
			}
		}
		if want := []string{"b", "folder/b", "folder/deep/c", "own/a", "twice/a"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestAnImageWhoseNameIsNotUTF8IsAProblem: of its sample, however it is named.
func TestAnImageWhoseNameIsNotUTF8IsAProblem(t *testing.T) {
	dir := pictures(t, "a.png", "caf\xe9.png", "b\xff/c.png")
	for name, c := range map[string]struct {
		paths    []string
		problems []string
	}{
		"in a folder":   {[]string{dir}, []string{`b\xff`, `caf\xe9`}},
		"by a pattern":  {[]string{filepath.Join(dir, "*.png")}, []string{`caf\xe9`}},
		"by its name":   {[]string{filepath.Join(dir, "caf\xe9.png")}, []string{`caf\xe9`}},
		"in its folder": {[]string{filepath.Join(dir, "b\xff")}, nil}, // whose name is not the sample's
	} {
		t.Run(name, func(t *testing.T) {
			d, err := OpenImages(c.paths, 0)
			if err != nil {
				t.Fatal(err)
			}
			var bad []string
			for i, e := range d.Entries {
				var p Problem
				if _, err := d.Read(t.Context(), i); errors.As(err, &p) && strings.Contains(err.Error(), "its name is not UTF-8: rename it") {
					bad = append(bad, strings.TrimPrefix(p.ID, "images/test/"))
				} else if err != nil {
					t.Errorf("%s: %v", e.ID, err)
				}
			}
			if !slices.Equal(bad, c.problems) {
				t.Errorf("problems of %q, want %q", bad, c.problems)
			}
		})
	}
}

func TestEndingsOfJPEGs(t *testing.T) {
	d, err := OpenImages([]string{pictures(t, "a.jpe", "b.jfif", "c.JPEG", "d.JFIF")}, 0)
	if err != nil || d.Len() != 4 {
		t.Fatalf("%+v, %v", d, err)
	}
	for i := range d.Len() {
		if _, err := d.Read(t.Context(), i); err != nil {
			t.Error(err)
		}
	}
}

func TestABrokenImageIsAProblemWithItsName(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x.png")
	if err := os.WriteFile(path, []byte("no image"), 0o644); err != nil {
		t.Fatal(err)
	}
	d, err := OpenImages([]string{dir}, 0)
	if err != nil {
		t.Fatal(err)
	}
	var p Problem
	if _, err := d.Read(t.Context(), 0); !errors.As(err, &p) || p.ID != "images/test/x" || p.File != path {
		t.Errorf("got %#v", err)
	}
}
