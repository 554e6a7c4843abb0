package jpeg

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// images are files of every kind that libjpeg-turbo reads.
func images() []testImage {
	var all []testImage
	add := func(m testImage) {
		m.seed = uint64(len(all))
		all = append(all, m)
	}
	kinds := []testImage{
		{name: "baseline"},
		{name: "restarts", interval: 3},
		{name: "progressive", progressive: true},
		{name: "progressive restarts", progressive: true, interval: 4},
		{name: "separate scans", separate: true},
		{name: "separate scans restarts", separate: true, interval: 5},
	}
	samplings := [][]int{
		{0x11}, {0x22}, {0x11, 0x11, 0x11}, {0x21, 0x11, 0x11}, {0x12, 0x11, 0x11}, {0x22, 0x11, 0x11}, {0x41, 0x11, 0x11},
		{0x14, 0x11, 0x11}, {0x24, 0x11, 0x11}, {0x42, 0x11, 0x11}, {0x31, 0x11, 0x11}, {0x13, 0x11, 0x11}, {0x32, 0x11, 0x11}, {0x23, 0x11, 0x11},
		{0x22, 0x11, 0x22}, {0x22, 0x22, 0x11}, {0x22, 0x21, 0x12}, {0x11, 0x22, 0x22}, {0x21, 0x11, 0x21}, {0x41, 0x21, 0x11},
	}
	for _, s := range samplings {
		for _, size := range [][2]int{{37, 61}, {16, 32}, {1, 1}, {5, 3}, {50, 4}, {9, 130}} {
			for _, k := range kinds {
				k.name = fmt.Sprintf("%s %x %dx%d", k.name, s, size[1], size[0])
				k.sampling, k.height, k.width = s, size[0], size[1]
				add(k)
			}
		}
	}
	dense := testImage{name: "dense", sampling: []int{0x22, 0x11, 0x11}, height: 70, width: 90, density: 1000}
	add(dense)
	dense.progressive = true
	dense.name = "dense progressive"
	add(dense)
	named := testImage{sampling: []int{0x11, 0x11, 0x11}, height: 20, width: 30}
	for _, k := range []testImage{
		{name: "JFIF"}, {name: "JFIF of ids RGB", jfif: true, ids: []byte("RGB")}, {name: "ids RGB", ids: []byte("RGB")}, {name: "ids 0 1 2", ids: []byte{0, 1, 2}},
		{name: "Adobe RGB", adobe: 1}, {name: "Adobe YCbCr", adobe: 2, ids: []byte("RGB")}, {name: "Adobe 2", adobe: 3},
		{name: "no Huffman tables", noTables: true}, {name: "repeated ids", ids: []byte{1, 2, 2}},
	} {
		k.sampling, k.height, k.width = named.sampling, named.height, named.width
		add(k)
	}
	for _, s := range [][]int{{0x11, 0x11, 0x11, 0x11}, {0x22, 0x11, 0x11, 0x22}, {0x22, 0x11, 0x11, 0x11}} {
		for adobe := range 4 {
			for _, progressive := range []bool{false, true} {
				add(testImage{name: fmt.Sprintf("four %x Adobe %d progressive %v", s, adobe, progressive), sampling: s, height: 33, width: 45, adobe: adobe, progressive: progressive})
			}
		}
	}
	return all
}

// fileName is an image's name as a file.
func (m testImage) fileName() string { return strings.ReplaceAll(m.name, " ", "_") + ".jpg" }

func decodeAll(t testing.TB, data []byte, rows Rows) ([]byte, File) {
	t.Helper()
	f, err := Open(data)
	if err != nil {
		t.Fatal(err)
	}
	pix, err := new(Decoder).AppendRGB(nil, f, rows)
	if err != nil {
		t.Fatal(err)
	}
	return pix, f
}

var writeTo = flag.String("write", "", "write the files of TestGolden to a folder, for testdata/golden.py")

// TestGolden: the pixels are those that Pillow reads with libjpeg-turbo, by digests
// that testdata/golden.py took.
func TestGolden(t *testing.T) {
	golden, err := os.ReadFile("testdata/golden.txt")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for line := range strings.Lines(string(golden)) {
		digest, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		want[name] = digest
	}
	files := map[string][]byte{}
	for _, m := range images() {
		files[m.fileName()] = m.encode()
	}
	stored, err := filepath.Glob("testdata/*.jpg")
	if err != nil || len(stored) == 0 {
		t.Fatalf("testdata/*.jpg: %d files, %v", len(stored), err)
	}
	for _, name := range stored {
		if files[filepath.Base(name)], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	for name, data := range files {
		if *writeTo != "" {
			if err := os.WriteFile(filepath.Join(*writeTo, name), data, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		pix, f := decodeAll(t, data, Rows{})
		digest := sha256.Sum256(pix)
		if got := hex.EncodeToString(digest[:8]); got != want[name] {
			t.Errorf("%s: %dx%d pixels of digest %s, want %s", name, f.Width, f.Height, got, want[name])
		}
	}
	if len(want) != len(files) && *writeTo == "" {
		t.Errorf("%d digests for %d files", len(want), len(files))
	}
}

// TestRows: some rows are those rows of the whole image.
func TestRows(t *testing.T) {
	var d Decoder
	for _, m := range images() {
		data := m.encode()
		whole, f := decodeAll(t, data, Rows{})
		row := 3 * f.Width
		for _, rows := range []Rows{{First: 0, Count: 1}, {First: f.Height - 1}, {First: f.Height / 2}, {First: f.Height / 3, Count: f.Height - f.Height/3}, {First: min(15, f.Height-1), Count: 1}, {First: min(16, f.Height-1), Count: 1}, {First: min(17, f.Height-1), Count: 1}, {First: min(31, f.Height-1), Count: 1}} {
			first, end, err := rows.span(f.Height)
			if err != nil {
				t.Fatal(err)
			}
			got, err := d.AppendRGB([]byte("before"), f, rows)
			if err != nil {
				t.Fatalf("%s: rows %v: %v", m.name, rows, err)
			}
			if string(got[:6]) != "before" || !bytes.Equal(got[6:], whole[first*row:end*row]) {
				t.Errorf("%s: rows %v are not those of the whole image", m.name, rows)
			}
		}
		for _, rows := range []Rows{{First: -1}, {First: f.Height}, {Count: f.Height + 1}, {Count: -1}} {
			if _, err := d.AppendRGB(nil, f, rows); err == nil {
				t.Errorf("%s: rows %v of %d are decoded", m.name, rows, f.Height)
			}
		}
	}
}
