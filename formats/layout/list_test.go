package layout

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/pipa-uda/pipa/formats/labels"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

func mapFiles(names ...string) fstest.MapFS {
	m := fstest.MapFS{}
	for _, n := range names {
		m[n] = &fstest.MapFile{}
	}
	return m
}

// of is a layout of one split, train; without labels where that is empty.
func of(images, template string) Layout {
	l := Layout{Name: "m", Splits: []Split{{Name: "train", Images: images}}}
	if template != "" {
		l.Classes, l.Colors = []string{"lawn"}, [][3]uint8{{10, 200, 20}}
		l.Splits[0].Labels = []Labels{{Files: template, Encoding: labels.Encoding{Codec: labels.Bytes, IDs: map[int]raster.TrainID{1: 0}}}}
	}
	return l
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
			l := of(c.images, c.labels)
			if err := l.Validate(); err != nil {
				t.Fatal(err)
			}
			listing, err := l.List(mapFiles(c.files...), "train", false)
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
			for _, p := range listing.Pairs {
				label := p.Label
				if p.Missing {
					label = "?" + label
				}
				got = append(got, p.Sample+" "+p.Image+" "+label)
			}
			var strays []string
			for _, s := range listing.Strays {
				strays = append(strays, s.Sample)
			}
			slices.Sort(got)
			if !slices.Equal(got, c.want) || !slices.Equal(strays, c.strays) {
				t.Errorf("got %q, strays %q", got, strays)
			}
			// Unlabeled, no label is looked for.
			listing, err = l.List(mapFiles(c.files...), "train", true)
			if err != nil || len(listing.Strays) > 0 || len(listing.Pairs) != len(c.want) || slices.ContainsFunc(listing.Pairs, func(p Pair) bool { return p.Label != "" }) {
				t.Errorf("unlabelled: %+v, %v", listing, err)
			}
		})
	}
}

func TestUnknownSplit(t *testing.T) {
	l := of("*.png", "")
	l.Splits = append(l.Splits, Split{Name: "target", Images: "*.jpg"})
	_, err := l.List(mapFiles(), "trian", false)
	var unknown *SplitError
	if !errors.As(err, &unknown) || !strings.Contains(err.Error(), `no split "trian": did you mean "train"? (all: train, target)`) {
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

func TestNothingLeadsOutOfAClosedFolder(t *testing.T) {
	root := yard(t)
	for _, name := range []string{"../secret.png", "in/../../secret.png", "/etc/passwd", "in/out.png", "in/absolute.png", "up/secret.png", "elsewhere/secret.png", ""} {
		if data, err := fs.ReadFile(Closed(root), name); err == nil {
			t.Errorf("%q was read: %q", name, data)
		}
	}
	for _, name := range []string{"up", "elsewhere", ".."} {
		if entries, err := fs.ReadDir(Closed(root), name); err == nil {
			t.Errorf("%q was listed: %v", name, entries)
		}
	}
	if _, err := Closed(root).Open("in/out.png"); err == nil || !strings.Contains(err.Error(), "a link leads out of "+root) {
		t.Errorf("error %v", err)
	}
	if data, err := fs.ReadFile(Closed(root), "in/inside.png"); err != nil || string(data) != "one" {
		t.Errorf("a link inside: %q, %v", data, err)
	}
}

// TestLinkedFoldersInside: a closed folder's links to folders are followed, round in
// no circle and not out of it.
func TestLinkedFoldersInside(t *testing.T) {
	root := yard(t)
	for _, pattern := range []string{"*/*.png", "**/*.png"} {
		for _, out := range []string{"up", "elsewhere"} {
			if _, err := of(pattern, "").List(Closed(root), "train", true); err == nil || !strings.Contains(err.Error(), "a link leads out of "+root) {
				t.Errorf("%s: %v", pattern, err)
			}
			if err := os.Rename(filepath.Join(root, out), filepath.Join(root, ".hidden"+out)); err != nil {
				t.Fatal(err)
			}
		}
		listing, err := of(pattern, "").List(Closed(root), "train", true)
		var got []string
		for _, p := range listing.Pairs {
			got = append(got, p.Image)
		}
		slices.Sort(got)
		// Links to files are listed: one that leads out is an error of its sample.
		if want := []string{"in/absolute.png", "in/inside.png", "in/out.png", "real/1.png"}; err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q, %v", pattern, got, want, err)
		}
		if err := os.Symlink("real", filepath.Join(root, "linked")); err != nil {
			t.Fatal(err)
		}
		if listing, err = of(pattern, "").List(Closed(root), "train", true); err != nil || len(listing.Pairs) != 5 {
			t.Errorf("%s with a linked folder: %d images, %v", pattern, len(listing.Pairs), err)
		}
		root = yard(t)
	}
	if _, err := of("up/*.png", "").List(Closed(root), "train", true); err == nil || !strings.Contains(err.Error(), "a link leads out of") {
		t.Errorf("a folder above: %v", err)
	}
}

// A file where a wildcard's folder would have a folder is not a match.
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
	listing, err := of("*/img/*.png", "").List(Closed(root), "train", true)
	if err != nil || len(listing.Pairs) != 1 || listing.Pairs[0].Image != "a/img/1.png" {
		t.Errorf("%+v, %v", listing, err)
	}
}

// TestLinkedFolders: a linked layout follows links to folders where * stands for
// them, and misses those that lead nowhere.
func TestLinkedFolders(t *testing.T) {
	root := yard(t)
	l := of("*/*.png", "")
	l.FollowLinks = true
	listing, err := l.List(l.Open(root), "train", true)
	var got []string
	for _, p := range listing.Pairs {
		got = append(got, p.Image)
	}
	slices.Sort(got)
	if want := []string{"elsewhere/secret.png", "in/absolute.png", "in/inside.png", "in/out.png", "real/1.png", "up/secret.png"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, want %q, %v", got, want, err)
	}
	if err := os.Symlink("nowhere", filepath.Join(root, "away")); err != nil {
		t.Fatal(err)
	}
	if _, err := l.List(l.Open(root), "train", true); err == nil || !strings.Contains(err.Error(), "away: no such file") {
		t.Errorf("a folder that is away: %v", err)
	}
}

// TestSampleNames: a layout may name its samples by the images' wildcards; labels
// without an image are named alike where they say them.
func TestSampleNames(t *testing.T) {
	files := mapFiles("img/ulm/7_left.png", "img/bonn/8_left.png", "gt/ulm/7_ids.png", "gt/bonn/9_ids.png")
	for _, c := range []struct{ sample, template, want, stray string }{
		{"{2}", "gt/{1}/{2}_ids.png", "7 8", "9"},
		{"{1}_{2}", "gt/{1}/{2}_ids.png", "bonn_8 ulm_7", "bonn_9"},
		{"", "gt/{1}/{2}_ids.png", "bonn/8_left ulm/7_left", "gt/bonn/9_ids.png"},
	} {
		l := of("img/*/*_left.png", c.template)
		l.Splits[0].Sample = c.sample
		listing, err := l.List(files, "train", false)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range listing.Pairs {
			got = append(got, p.Sample)
		}
		slices.Sort(got)
		if strings.Join(got, " ") != c.want || len(listing.Strays) != 1 || listing.Strays[0] != (Stray{c.stray, "gt/bonn/9_ids.png"}) {
			t.Errorf("sample %q: %q, strays %v", c.sample, got, listing.Strays)
		}
	}
	l := of("img/*/*_left.png", "")
	l.Splits[0].Sample = "x"
	if _, err := l.List(files, "train", false); err == nil || !strings.Contains(err.Error(), "have the same name") {
		t.Errorf("two samples of one name: %v", err)
	}
}

// TestLabelsByPreference: the first kind that is there, for each sample.
func TestLabelsByPreference(t *testing.T) {
	l := of("*.png", "{1}.a")
	l.Splits[0].Labels = append(l.Splits[0].Labels, Labels{Files: "{1}.b", Encoding: labels.Encoding{Codec: labels.Red16, IDs: map[int]raster.TrainID{2: 0}}})
	for want, files := range map[string]fstest.MapFS{
		"1.a": mapFiles("1.png", "1.a", "1.b"),
		"1.b": mapFiles("1.png", "1.b", "2.a", "2.b"),
	} {
		listing, err := l.List(files, "train", false)
		if err != nil || len(listing.Pairs) != 1 || listing.Pairs[0].Label != want || listing.Pairs[0].Missing || listing.Pairs[0].Kind != int(want[2]-'a') {
			t.Errorf("%+v, %v, want %s", listing, err, want)
		}
	}
	if listing, err := l.List(mapFiles("1.png"), "train", false); err != nil || !listing.Pairs[0].Missing || listing.Pairs[0].Label != "1.b" {
		t.Errorf("no label: %+v, %v", listing, err)
	}
}

// TestStrays: what no image asks for is a stray, unless another split's does, or a
// converter has made it of a label that is there.
func TestStrays(t *testing.T) {
	converted := []string{"gt/1_labelTrainIds.png", "gt/1_trainIds.png", "gt/1_train_id.png", "gt/1_color.png", "gt/1-colours.png", "gt/1_gtFine_labelIds.png", "gt/1_instanceIds.png"}
	for _, c := range []struct {
		name  string
		files []string
		want  []string
	}{
		{"converted", append(converted, "gt/1.png"), nil},
		{"converted, without the label", converted[:1], []string{"gt/1_labelTrainIds.png"}},
		{"a name that goes on", []string{"gt/1.png", "gt/1_2.png", "gt/1_b.png", "gt/10.png", "gt/1_labelTrainIds.x.png"}, []string{"gt/10.png", "gt/1_2.png", "gt/1_b.png", "gt/1_labelTrainIds.x.png"}},
		{"hidden", []string{"gt/1.png", "gt/._1.png", "img/train/._1.png", "img/train/.ipynb_checkpoints/1.png", "gt/.ipynb_checkpoints/1-checkpoint.png"}, nil},
		{"another split's", []string{"gt/1.png", "gt/7.png", "img/val/7.png"}, nil},
		{"an image that has no split", []string{"gt/1.png", "gt/7.png", "img/test/7.png"}, []string{"gt/7.png"}},
	} {
		l := of("img/train/*.png", "gt/{stem}.png")
		val, away := l.Splits[0], l.Splits[0]
		val.Name, val.Images = "val", "img/val/*.png"
		away.Name, away.Images = "away", "img/away/*.png" // which cannot be listed
		l.Splits = append(l.Splits, away, val)
		listing, err := l.List(mapFiles(append(c.files, "img/train/1.png")...), "train", false)
		var got []string
		for _, s := range listing.Strays {
			got = append(got, s.Label)
		}
		if err != nil || len(listing.Pairs) != 1 || !slices.Equal(got, c.want) {
			t.Errorf("%s: %d pairs, strays %q, %v, want %q", c.name, len(listing.Pairs), got, err, c.want)
		}
	}
}

// TestSplitLists: of the files that may list a split's samples the first is read;
// without any, only an unlisted split has all.
func TestSplitLists(t *testing.T) {
	l := of("img/*.png", "gt/{1}.png")
	l.Splits[0].Sample, l.Splits[0].Lists = "{1}", []string{"splits/train.txt", "train.txt"}
	files := mapFiles("img/1.png", "img/2.png", "img/3.png", "gt/1.png", "gt/2.png", "gt/4.png", "gt/5.png")
	_, err := l.List(files, "train", false)
	var unknown *SplitError
	if !errors.As(err, &unknown) || !strings.Contains(err.Error(), "there is no splits/train.txt or train.txt") {
		t.Errorf("no list: %v", err)
	}
	files["train.txt"] = &fstest.MapFile{Data: []byte("img/2.png\n3\n")}
	listing, err := l.List(files, "train", false)
	if err != nil || len(listing.Pairs) != 2 || listing.Pairs[0].Sample != "2" || listing.Pairs[1].Sample != "3" || len(listing.Strays) != 0 {
		t.Errorf("train.txt: %+v, %v", listing, err)
	}
	files["splits/train.txt"] = &fstest.MapFile{Data: []byte("1")}
	if listing, err = l.List(files, "train", false); err != nil || len(listing.Pairs) != 1 || listing.Pairs[0].Sample != "1" {
		t.Errorf("splits/train.txt: %+v, %v", listing, err)
	}
	delete(files, "splits/train.txt")
	delete(files, "train.txt")
	l.Splits[0].Unlisted = true
	if listing, err = l.List(files, "train", false); err != nil || len(listing.Pairs) != 3 || len(listing.Strays) != 2 {
		t.Errorf("unlisted: %+v, %v", listing, err)
	}
}

// TestListedNames: what a list's lines may look like, and names that select nothing.
func TestListedNames(t *testing.T) {
	l := of("img/*.png", "")
	l.Splits[0].Sample, l.Splits[0].Lists = "{1}", []string{"train.txt"}
	for _, c := range []struct{ name, list, want string }{
		{"names", "1\n2", "1 2"},
		{"lines of Windows", "1\r\n2\r\n", "1 2"},
		{"lines of old Macs", "1\r2\r", "1 2"},
		{"a mark", "\ufeff1\n2", "1 2"},
		{"UTF-16", "\xff\xfe1\x00\r\x00\n\x002\x00", "1 2"},
		{"spaces", "a photo\n", "a photo"},
		{"spaces at the ends", " 1 \n\t2\n\n  \n", "1 2"},
		{"other endings", "1.jpg\n2.PNG\n", "1 2"},
		{"a dot in the name", "v1.2\n", "v1.2"},
		{"paths", "/data/img/1.png\nimg\\2.png", "1 2"},
		{"images and labels", "img/1.png gt/1.png\nimg/2.png\tgt/2_ids.png", "1 2"},
		{"not there", "1\n3\n4\n", "error: list train.txt has no image for 2 of its 3 names: 3, 4"},
		{"not there, with spaces", "1\nno photo\n", `error: list train.txt has no image for 1 of its 2 names: "no photo"`},
		{"twice", "1\n2\n1.png\n", "error: list train.txt has more than once 1 of its 3 names: 1"},
		{"in another Unicode form", "e\u0301\n1", "error: list train.txt writes in another Unicode form than the images' names (NFC and NFD look the same) 1 of its 2 names: "},
		{"empty", "\ufeff\n\n", "error: list train.txt: it has no names"},
		{"not a text", "1\x00\n\x00", "error: list train.txt: it is not a text in UTF-8"},
	} {
		files := mapFiles("img/1.png", "img/2.png", "img/a photo.png", "img/v1.2.png", "img/\u00e9.png")
		files["train.txt"] = &fstest.MapFile{Data: []byte(c.list)}
		listing, err := l.List(files, "train", false)
		var got []string
		for _, p := range listing.Pairs {
			got = append(got, p.Sample)
		}
		if text := strings.Join(got, " "); err == nil && text != c.want || err != nil && !strings.HasPrefix("error: "+err.Error(), c.want) {
			t.Errorf("%s: %q, %v, want %s", c.name, text, err, c.want)
		}
	}
	files := mapFiles("img/1.png")
	files["train.txt"] = &fstest.MapFile{Data: []byte(strings.Repeat("x\n", 1000))}
	if _, err := l.List(files, "train", false); err == nil || len(err.Error()) > 500 {
		t.Errorf("many names: %v", err)
	}
}

// TestEndingsInCapitals: cameras and Windows write them.
func TestEndingsInCapitals(t *testing.T) {
	l := of("img/*.png", "gt/{stem}.png")
	listing, err := l.List(mapFiles("img/1.PNG", "img/2.png", "img/3.Png", "gt/1.png", "gt/2.PNG", "gt/3.Png"), "train", false)
	if err != nil || len(listing.Pairs) != 3 || len(listing.Strays) != 0 {
		t.Fatalf("%+v, %v", listing, err)
	}
	for i, want := range []Pair{{Sample: "1", Image: "img/1.PNG", Label: "gt/1.png"}, {Sample: "2", Image: "img/2.png", Label: "gt/2.PNG"}, {Sample: "3", Image: "img/3.Png", Label: "gt/3.Png"}} {
		if listing.Pairs[i] != want {
			t.Errorf("%+v, want %+v", listing.Pairs[i], want)
		}
	}
	for name, files := range map[string]fstest.MapFS{
		"have the same name":           mapFiles("img/1.png", "img/1.PNG", "gt/1.png"),
		"differ in their ending alone": mapFiles("img/1.png", "gt/1.png", "gt/1.PNG"),
	} {
		if _, err := l.List(files, "train", false); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v, want %q", err, name)
		}
	}
}

func TestValidateNamesTheField(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Layout)
		want   string
	}{
		{"nothing", func(*Layout) {}, ""},
		{"a name", func(l *Layout) { l.Name = "a/b" }, `name is "a/b"`},
		{"colors", func(l *Layout) { l.Colors = nil }, "1 classes with 0 colors"},
		{"no split", func(l *Layout) { l.Splits = nil }, "splits is empty"},
		{"a split's name", func(l *Layout) { l.Splits[0].Name = "../x" }, `splits: the name "../x"`},
		{"a split twice", func(l *Layout) { l.Splits = append(l.Splits, l.Splits[0]) }, "splits: train comes twice"},
		{"images", func(l *Layout) { l.Splits[0].Images = "../*.png" }, "splits.train.images: "},
		{"a sample's name", func(l *Layout) { l.Splits[0].Sample = "{2}" }, "splits.train.sample: "},
		{"labels", func(l *Layout) { l.Splits[0].Labels[0].Files = "{name}" }, "splits.train.labels: "},
		{"a codec", func(l *Layout) { l.Splits[0].Labels[0].Encoding.Codec = "idz" }, `codec is "idz", want bytes, ids, colours, red or red16`},
		{"an id", func(l *Layout) { l.Splits[0].Labels[0].Encoding.IDs = map[int]raster.TrainID{256: 0} }, "id 256, want 0 to 255"},
		{"a class", func(l *Layout) { l.Splits[0].Labels[0].Encoding.IDs = map[int]raster.TrainID{1: 1} }, "1 means class 1, and there are 1"},
		{"no ids", func(l *Layout) { l.Splits[0].Labels[0].Encoding.IDs = nil }, "neither ids nor colors"},
		{"colors of ids", func(l *Layout) {
			l.Splits[0].Labels[0].Encoding.Colors = map[[3]uint8]raster.TrainID{{}: 0}
		}, "it has ids and colors"},
		{"a list", func(l *Layout) { l.Splits[0].Lists = []string{"../x"} }, `lists: "../x" leads out`},
	} {
		l := of("*.png", "l/{stem}.png")
		c.change(&l)
		if err := l.Validate(); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestImagesWithoutLabelsAreLeftOut where a split says so, as of videos.
func TestImagesWithoutLabelsAreLeftOut(t *testing.T) {
	l := of("img/*.png", "gt/{stem}.png")
	l.Splits[0].LabeledOnly = true
	listing, err := l.List(mapFiles("img/1.png", "img/2.png", "img/3.png", "gt/2.png"), "train", false)
	if err != nil || len(listing.Pairs) != 1 || listing.Pairs[0].Image != "img/2.png" || len(listing.Strays) != 0 {
		t.Errorf("%+v, %v", listing, err)
	}
	if listing, err = l.List(mapFiles("img/1.png", "img/2.png"), "train", true); err != nil || len(listing.Pairs) != 2 {
		t.Errorf("without labels: %+v, %v", listing, err)
	}
}

// TestNewFieldsLeaveDigestsAsTheyWere: runs of a program with a layout of its own hold
// them.
func TestNewFieldsLeaveDigestsAsTheyWere(t *testing.T) {
	if got := of("*.png", "l/{stem}.png").Digest(); got != "42e0d4842e9baabe" {
		t.Errorf("the digest is %s", got)
	}
}

// TestDigestIsOfWhatALayoutMeans, not of how it is shown, found and licensed.
func TestDigestIsOfWhatALayoutMeans(t *testing.T) {
	make := func(change func(*Layout)) string {
		l := of("*.png", "l/{stem}.png")
		change(&l)
		return l.Digest()
	}
	same := make(func(*Layout) {})
	for name, change := range map[string]func(*Layout){
		"colors": func(l *Layout) { l.Colors[0] = [3]uint8{1, 1, 1} },
		"license": func(l *Layout) {
			l.License, l.URL, l.Folders, l.Note, l.Commercial = "x", "y", []string{"z"}, "n", true
		},
	} {
		if make(change) != same {
			t.Errorf("%s change the digest", name)
		}
	}
	for name, change := range map[string]func(*Layout){
		"a class":  func(l *Layout) { l.Classes[0] = "grass" },
		"an id":    func(l *Layout) { l.Splits[0].Labels[0].Encoding.IDs[2] = 0 },
		"a codec":  func(l *Layout) { l.Splits[0].Labels[0].Encoding.Codec = labels.IDs },
		"others":   func(l *Layout) { l.Splits[0].Labels[0].Encoding.OthersIgnored = true },
		"images":   func(l *Layout) { l.Splits[0].Images = "*.jpg" },
		"a sample": func(l *Layout) { l.Splits[0].Sample = "{1}" },
		"a map":    func(l *Layout) { l.Map.Digest = "x" },
		"labels":   func(l *Layout) { l.Splits[0].LabeledOnly = true },
	} {
		if make(change) == same {
			t.Errorf("%s does not change the digest", name)
		}
	}
}
