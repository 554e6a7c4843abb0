package parquet

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/pipeline/shards"
)

// tableBytes is a Parquet file of a case's first rows, changed by change after
// they were encoded.
func tableBytes(t testing.TB, h pipeline.Header, build func(b *pipeline.Builder, i int) error, rows int, change func(i int, r *row)) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := newTableWriter(&out, h, Options{}.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for b, err := range stream(h, build, rows).Batches {
		if err != nil {
			t.Fatal(err)
		}
		for i := range b.Len() {
			r, err := rowOf(b, i)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(r.derive(h), r.encode(w.columns)); err != nil {
				t.Fatal(err)
			}
			if change != nil {
				change(n, r)
			}
			if _, err := w.append(r); err != nil {
				t.Fatal(err)
			}
			n++
		}
	}
	if err := w.close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// readTable decodes every row of a file in memory.
func readTable(data []byte) error {
	t, err := openTable(data)
	if err != nil {
		return err
	}
	for _, err := range decoded(context.Background(), t.rows, t.header, 1) {
		if err != nil {
			return err
		}
	}
	return nil
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if err == nil || !strings.Contains(err.Error(), p) {
			t.Errorf("error %v, want one with %q", err, p)
		}
	}
}

// drain reads a folder to its end.
func drain(dir string) error {
	s, _, err := Read(context.Background(), dir, 2)
	if err != nil {
		return err
	}
	for _, err := range s.Batches {
		if err != nil {
			return err
		}
	}
	return nil
}

func flip(t testing.TB, path string, at int) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[at] ^= 0x10
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestFlippedByteNamesTheFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	m, err := Write(context.Background(), dir, stream(cases[0].h, cases[0].row, 8), Options{ShardBytes: 500})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range m.Files {
		for _, at := range []int64{0, 100, f.Bytes / 2, f.Bytes - 1} {
			flip(t, filepath.Join(dir, f.File), int(at))
			wantError(t, drain(dir), f.File, "it is damaged: its digest is")
			flip(t, filepath.Join(dir, f.File), int(at))
		}
	}
	if err := drain(dir); err != nil {
		t.Fatal(err)
	}
	verify := func() error { return Verify(context.Background(), dir, 2, nil) }
	if err := verify(); err != nil {
		t.Fatal(err)
	}
	first, last := m.Files[0], m.Files[len(m.Files)-1]
	flip(t, filepath.Join(dir, first.File), int(first.Bytes/2))
	flip(t, filepath.Join(dir, last.File), int(last.Bytes/2))
	wantError(t, verify(), first.File, last.File) // every damaged file, not the first alone
	text, err := os.ReadFile(filepath.Join(dir, ManifestFile))
	if err != nil {
		t.Fatal(err)
	}
	flip(t, filepath.Join(dir, ManifestFile), bytes.Index(text, []byte(`"rows":`))+8)
	wantError(t, drain(dir), ManifestFile)
}

// TestManifestsNameFilesOfTheirFolder: one that lies about where its files are,
// and whose digest is made right, is refused; and so is a link that leads out.
func TestManifestsNameFilesOfTheirFolder(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "out")
	m, err := Write(context.Background(), dir, stream(cases[0].h, cases[0].row, 2), Options{})
	if err != nil {
		t.Fatal(err)
	}
	part := m.Files[0].File
	if err := os.Rename(filepath.Join(dir, part), filepath.Join(parent, part)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../"+part, filepath.Join(dir, part)); err != nil {
		t.Fatal(err)
	}
	for name, reason := range map[string]string{
		filepath.Join(parent, part): "it names a file outside the folder",
		"../" + part:                "it names a file outside the folder",
		"deep/../../" + part:        "it names a file outside the folder",
		"./" + part:                 "it names a file outside the folder",
		"..":                        "it names a file outside the folder",
		".":                         "it names a file outside the folder",
		part:                        "a link leads out of " + dir,
	} {
		t.Run(name, func(t *testing.T) {
			m.Files[0].File = name
			if m.Digest, err = m.digest(); err != nil {
				t.Fatal(err)
			}
			if err := files.Write(filepath.Join(dir, ManifestFile), true, func(w io.Writer) error { return m.write(w, cases[0].h) }); err != nil {
				t.Fatal(err)
			}
			wantError(t, drain(dir), reason)
			wantError(t, Verify(context.Background(), dir, 2, nil), reason)
		})
	}
}

func TestShortFileAndStrayFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	wantError(t, drain(dir), "has no _pipa.parquet")
	if _, err := Write(context.Background(), dir, stream(cases[0].h, cases[0].row, 2), Options{}); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, "part-00000.parquet"), 100); err != nil {
		t.Fatal(err)
	}
	wantError(t, drain(dir), "part-00000.parquet", "it has 100 bytes")
	if _, err := shards.Write(context.Background(), dir, stream(cases[0].h, cases[0].row, 2), shards.WriteOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	wantError(t, drain(dir), "manifest.json", `"pipa-dataset/1"`)
}

func TestDamageBeforeTheReadBackIsCaught(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	o := Options{ShardBytes: 500, written: func(path string) {
		if strings.HasSuffix(path, "part-00001.parquet") {
			flip(t, path, 200)
		}
	}}
	_, err := Write(context.Background(), dir, stream(cases[0].h, cases[0].row, 8), o)
	wantError(t, err, dir, "part-00001.parquet", "is not what went in")
	only(t, dir)
}

// TestComparer: rows that are whole but not the ones that went in.
func TestComparer(t *testing.T) {
	r := &row{id: "gta/train/1", digest: 5}
	if err := (mark{r.id, 5}).compare(r); err != nil {
		t.Error(err)
	}
	wantError(t, mark{r.id, 6}.compare(r), r.id, "0000000000000006")
	wantError(t, mark{"gta/train/2", 5}.compare(r), "gta/train/2")
}

// TestEveryFieldIsCompared: one field changed between the digest and the file.
func TestEveryFieldIsCompared(t *testing.T) {
	changes := map[string]func(r *row){
		"id":           func(r *row) { r.id += "x" },
		"dataset":      func(r *row) { r.dataset = "cityscapes" },
		"split":        func(r *row) { r.split = "val" },
		"height":       func(r *row) { r.height++ },
		"width":        func(r *row) { r.width = -1 },
		"target_id":    func(r *row) { r.targetID = "" },
		"classes":      func(r *row) { r.classes = []uint8{3} },
		"weight":       func(r *row) { r.weight /= 2 },
		"image_a":      func(r *row) { r.a.image.png = r.b.image.png },
		"image":        func(r *row) { r.image.png = nil },
		"label":        func(r *row) { r.label.png = r.mask.png },
		"label_a":      func(r *row) { r.a.label.png = nil },
		"mask":         func(r *row) { r.mask.png = r.image.png },
		"overlap_a":    func(r *row) { r.a.overlap[2]++ },
		"overlap_b":    func(r *row) { r.b.overlap = r.b.overlap[:3] },
		"flip_b":       func(r *row) { r.b.flip = !r.b.flip },
		"origin_a":     func(r *row) { r.a.origin[0]++ },
		"origin_b":     func(r *row) { r.b.origin = nil },
		"scale":        func(r *row) { r.scale++ },
		"class_pixels": func(r *row) { r.classPixels[0]++ },
		"digest":       func(r *row) { r.digest++ },
	}
	for _, c := range []struct {
		name string
		at   int
	}{{"mix", 4}, {"pair", 5}} {
		for _, col := range columnsOf(cases[c.at].h) {
			change := changes[col.name]
			if change == nil {
				continue
			}
			t.Run(c.name+" "+col.name, func(t *testing.T) {
				data := tableBytes(t, cases[c.at].h, cases[c.at].row, 4, func(i int, r *row) {
					if i == 2 {
						change(r)
					}
				})
				wantError(t, readTable(data), "row 2 (")
			})
		}
	}
}

// TestValuesThatTheFormatDoesNotHaveAreRefused: with the right digest, as another
// program might write them.
func TestValuesThatTheFormatDoesNotHaveAreRefused(t *testing.T) {
	c := cases[4]
	for name, f := range map[string]struct {
		forge func(r *row)
		want  string
	}{
		"a weight":         {func(r *row) { r.weight = float32(math.NaN()) }, "its weight is NaN, want 0 to 1"},
		"a mask":           {func(r *row) { r.mask.raster.Pix()[7] = 3 }, "mask: pixel x 1 y 1 is 3, want 0 or 1"},
		"a label":          {func(r *row) { r.label.raster.Pix()[0] = 19 }, "label: pixel x 0 y 0 is 19, want a train ID below 19, or 255"},
		"too many classes": {func(r *row) { r.classes = make([]uint8, maxListLen) }, "256 classes, want at most 255"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			w, err := newTableWriter(&out, c.h, Options{}.withDefaults())
			if err != nil {
				t.Fatal(err)
			}
			for b, err := range stream(c.h, c.row, 1).Batches {
				if err != nil {
					t.Fatal(err)
				}
				r, err := rowOf(b, 0)
				if err != nil {
					t.Fatal(err)
				}
				f.forge(r)
				m := r.mix()
				r.digest, r.classPixels = m.Digest(), countClasses(nil, r.label.raster, len(c.h.Classes))
				if err := r.encode(w.columns); err != nil {
					t.Fatal(err)
				}
				if _, err := w.append(r); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.close(); err != nil {
				t.Fatal(err)
			}
			wantError(t, readTable(out.Bytes()), "row 0 (", f.want)
		})
	}
}

func TestHugeSizesAreRefused(t *testing.T) {
	c := cases[0]
	t.Run("declared by the row", func(t *testing.T) {
		data := tableBytes(t, c.h, c.row, 2, func(i int, r *row) { r.height, r.width = 1<<30, 1<<30 })
		wantError(t, readTable(data), "row 0 (gta/train/00000)", "declares 1073741824x1073741824 pixels")
	})
	t.Run("declared by the PNG", func(t *testing.T) {
		data := tableBytes(t, c.h, c.row, 2, func(i int, r *row) {
			binary.BigEndian.PutUint32(r.image.png[16:], 9000) // IHDR's width and height
			binary.BigEndian.PutUint32(r.image.png[20:], 9000)
			r.height, r.width = 9000, 9000
		})
		wantError(t, readTable(data), "row 0 (gta/train/00000)", "image: ")
	})
	t.Run("a PNG too short for its size", func(t *testing.T) {
		big := picture{raster: raster.New(3000, 3000, 1)}
		if err := big.encode(); err != nil {
			t.Fatal(err)
		}
		big.png = big.png[:100]
		wantError(t, big.decode(3000, 3000, 1), "PNG of 100 bytes declares 3000x3000 pixels")
	})
	t.Run("footer", func(t *testing.T) {
		data := tableBytes(t, c.h, c.row, 2, nil)
		binary.LittleEndian.PutUint32(data[len(data)-8:], 1<<31)
		wantError(t, readTable(data), "declares a footer of 2147483648 bytes")
	})
}

// TestThriftLengths: lists and texts that are longer than the data.
func TestThriftLengths(t *testing.T) {
	for name, data := range map[string][]byte{
		"list":     {0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x0f, 0},
		"text":     {0x18, 0xff, 0xff, 0xff, 0xff, 0x0f, 0},
		"map":      {0x1b, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x88, 0},
		"no end":   {0x15, 0x02},
		"no type":  {0x1e, 0},
		"no data":  {},
		"too deep": bytes.Repeat([]byte{0x1c}, 100),
	} {
		c := compact{data: data}
		if err := c.walk(func(_, _ int16, _ int64) error { return nil }); !errors.Is(err, errThrift) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestEveryCutAndFlipIsAnError(t *testing.T) {
	if testing.Short() {
		t.Skip("reads a file some thousand times")
	}
	data := tableBytes(t, cases[3].h, cases[3].row, 2, nil)
	if err := readTable(data); err != nil {
		t.Fatal(err)
	}
	for n := range data {
		if readTable(data[:n]) == nil {
			t.Fatalf("the first %d of %d bytes were accepted", n, len(data))
		}
	}
	// Some bytes mean nothing to this reader (paths, statistics): flips may
	// pass, but may not panic.
	for at := 0; at < len(data); at += 5 {
		damaged := bytes.Clone(data)
		damaged[at] ^= 0x41
		_ = readTable(damaged)
	}
}

// FuzzReadTable: bytes that are not a file of this package's are refused with an
// error, whatever Arrow's reader makes of them.
func FuzzReadTable(f *testing.F) {
	for _, c := range cases {
		f.Add(tableBytes(f, c.h, c.row, 2, nil))
	}
	f.Add([]byte("PAR1PAR1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		_ = readTable(data)
	})
}
