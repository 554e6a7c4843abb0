package folder

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

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

func mapFiles(names ...string) fstest.MapFS {
	m := fstest.MapFS{}
	for _, n := range names {
		m[n] = &fstest.MapFile{}
	}
	return m
}

func TestList(t *testing.T) {
	for _, c := range []struct {
		name, images, labels string
		files                []string
		want                 []string // stem image label, with a ? before a label that is missing
		strays               []string
		fails                string
	}{
		{name: "two folders", images: "train/*.png", labels: "annot/{stem}.png",
			files: []string{"train/1.png", "train/2.png", "train/.3.png", "train/4.txt", "train/d/5.png", "annot/1.png", "annot/3.png"},
			want:  []string{"1 train/1.png annot/1.png", "2 train/2.png ?annot/2.png"}, strays: []string{"annot/3.png"}},
		{name: "one folder", images: "*.jpg", labels: "{stem}_label.png", files: []string{"a.jpg", "a_label.png"}, want: []string{"a a.jpg a_label.png"}},
		{name: "wildcards by number", images: "img/*/*_left.png", labels: "gt/{1}/{2}_ids.png",
			files: []string{"img/ulm/7_left.png", "img/bonn/7_left.png", "img/README", "gt/ulm/7_ids.png", "gt/bonn/7_ids.png"},
			want:  []string{"bonn/7_left img/bonn/7_left.png gt/bonn/7_ids.png", "ulm/7_left img/ulm/7_left.png gt/ulm/7_ids.png"}},
		{name: "a wildcard twice", images: "*/*.png", labels: "{1}/{1}_{2}.gt", files: []string{"a_b/c.png", "a_b/a_b_c.gt"}, want: []string{"a_b/c a_b/c.png a_b/a_b_c.gt"}},
		{name: "any folders", images: "img/**/*.png", labels: "gt/{1}/{2}.png",
			files: []string{"img/0.png", "img/a/1.png", "img/a/b/2.png", "img/.a/3.png", "gt/0.png", "gt/a/b/2.png", "gt/a/b/9.png"},
			want:  []string{"0 img/0.png gt/0.png", "a/1 img/a/1.png ?gt/a/1.png", "a/b/2 img/a/b/2.png gt/a/b/2.png"}, strays: []string{"gt/a/b/9.png"}},
		{name: "an extension of any kind", images: "p/*.*", labels: "l/{1}.png", files: []string{"p/1.jpg", "p/2.png", "l/1.png", "l/2.png"}, want: []string{"1 p/1.jpg l/1.png", "2 p/2.png l/2.png"}},
		{name: "a folder in some folders", images: "*/img/*.png", labels: "{1}/gt/{2}.png", files: []string{"a/img/1.png", "a/gt/1.png", "b/img/2.png", "c/d/3.png"},
			want: []string{"a/img/1 a/img/1.png a/gt/1.png", "b/img/2 b/img/2.png ?b/gt/2.png"}},
		{name: "no labels", images: "*.png", files: []string{"1.png"}, want: []string{"1 1.png "}},
		{name: "one name twice", images: "*.*", files: []string{"1.jpg", "1.png"}, fails: "1.jpg and 1.png have the same name"},
		{name: "one label twice", images: "*/*.png", labels: "l/{stem}.gt", files: []string{"a/1.png", "b/1.png", "l/1.gt"}, fails: "have the same label, l/1.gt"},
		{name: "a folder that is not there", images: "train/*.png", files: []string{"1.png"}, fails: "images train/*.png: "},
		{name: "labels' folder that is not there", images: "*.png", labels: "l/{stem}.png", files: []string{"1.png"}, fails: "labels l/{stem}.png: "},
		{name: "a name that would lead out", images: "x*y*.png", labels: "{1}{2}/{stem}", files: []string{"x.y..png"}, fails: "leads out of the folder"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &Map{Name: "m", Root: ".", Splits: map[string]Split{"train": {c.images, c.labels}}}
			if err := m.names(); err != nil {
				t.Fatal(err)
			}
			pairs, strays, err := m.List(mapFiles(c.files...), "train", false)
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Fatalf("error %v, want %q", err, c.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range pairs {
				label := p.Label
				if p.Missing {
					label = "?" + label
				}
				got = append(got, p.Stem+" "+p.Image+" "+label)
			}
			slices.Sort(got)
			if !slices.Equal(got, c.want) || !slices.Equal(strays, c.strays) {
				t.Errorf("got %q, strays %q", got, strays)
			}
			// Unlabelled, no label is looked for.
			pairs, strays, err = m.List(mapFiles(c.files...), "train", true)
			if err != nil || len(strays) > 0 || len(pairs) != len(c.want) || slices.ContainsFunc(pairs, func(p Pair) bool { return p.Label != "" }) {
				t.Errorf("unlabelled: %v, %v, %v", pairs, strays, err)
			}
		})
	}
}

func TestUnknownSplit(t *testing.T) {
	if _, _, err := parse(t, small).List(mapFiles(), "trian", false); err == nil || !strings.Contains(err.Error(), `no split "trian": did you mean "train"? (all: target, train)`) {
		t.Errorf("error %v", err)
	}
}

// A folder with a secret beside it.
func yard(t *testing.T) (root string) {
	t.Helper()
	dir := t.TempDir()
	root = filepath.Join(dir, "yard")
	for _, d := range []string{"in", "real"} {
		if err := os.MkdirAll(filepath.Join(root, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"secret.png": "secret", "yard/real/1.png": "one"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{
		"in/out.png": "../../secret.png", "in/absolute.png": filepath.Join(dir, "secret.png"), "in/inside.png": "../real/1.png",
		"up": "..", "in/loop": "../in", "elsewhere": dir,
	} {
		if err := os.Symlink(to, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestNothingLeadsOutOfADir(t *testing.T) {
	root := yard(t)
	for _, name := range []string{"../secret.png", "in/../../secret.png", "/etc/passwd", "in/out.png", "in/absolute.png", "up/secret.png", "elsewhere/secret.png", ""} {
		if data, err := fs.ReadFile(Dir(root), name); err == nil {
			t.Errorf("%q was read: %q", name, data)
		}
	}
	for _, name := range []string{"up", "elsewhere", ".."} {
		if entries, err := fs.ReadDir(Dir(root), name); err == nil {
			t.Errorf("%q was listed: %v", name, entries)
		}
	}
	if _, err := Dir(root).Open("in/out.png"); err == nil || !strings.Contains(err.Error(), "a link leads out of "+root) {
		t.Errorf("error %v", err)
	}
	if data, err := fs.ReadFile(Dir(root), "in/inside.png"); err != nil || string(data) != "one" {
		t.Errorf("a link inside: %q, %v", data, err)
	}
}

func TestListingLeavesLinksToFoldersAlone(t *testing.T) {
	root := yard(t)
	m := &Map{Root: ".", Name: "m", Splits: map[string]Split{"all": {Images: "**/*.png"}, "up": {Images: "up/*.png"}}}
	pairs, _, err := m.List(Dir(root), "all", true)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range pairs {
		got = append(got, p.Image)
	}
	slices.Sort(got)
	// Links to files are listed: one that leads out is an error of its sample.
	if want := []string{"in/absolute.png", "in/inside.png", "in/out.png", "real/1.png"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, _, err := m.List(Dir(root), "up", true); err == nil || !strings.Contains(err.Error(), "a link leads out of") {
		t.Errorf("a folder above: %v", err)
	}
}

func TestRootStaysBelowTheMap(t *testing.T) {
	root := yard(t)
	file := filepath.Join(root, "yard.yaml")
	for _, c := range []struct{ root, given, want, fails string }{
		{".", "", root, ""},
		{"real", "", filepath.Join(root, "real"), ""},
		{"real", "/elsewhere", "/elsewhere", ""},
		{"up", "", "", "a link leads out"},
		{"elsewhere", "", "", "a link leads out"},
		{"missing", "", "", "no such file"},
	} {
		got, err := (&Map{Root: c.root}).RootOf(file, c.given)
		if got != c.want || (err == nil) != (c.fails == "") || err != nil && !strings.Contains(err.Error(), c.fails) {
			t.Errorf("root %q, given %q: %q, %v", c.root, c.given, got, err)
		}
	}
}

// A file where a wildcard's folder would have a folder is no match.
func TestFilesAreNoFolders(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"a/img/1.png", "b/img"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m := &Map{Root: ".", Name: "m", Splits: map[string]Split{"all": {Images: "*/img/*.png"}}}
	pairs, _, err := m.List(Dir(root), "all", true)
	if err != nil || len(pairs) != 1 || pairs[0].Image != "a/img/1.png" {
		t.Errorf("%v, %v", pairs, err)
	}
}
