package open_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/pipa-uda/pipa/formats/open"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/pipelinetest"
	"github.com/pipa-uda/pipa/pipeline/storage"
	"github.com/pipa-uda/pipa/pipeline/storage/storagetest"
	"golang.org/x/sys/unix"
)

// digests are those of a stream's rows.
func digests(t *testing.T, s pipeline.Stream) (d []uint64) {
	t.Helper()
	for b, err := range s.Batches {
		if err != nil {
			t.Fatal(err)
		}
		for i := range b.Len() {
			sample, err := b.Sample(i)
			if err != nil {
				t.Fatal(err)
			}
			d = append(d, sample.Digest(false))
		}
		b.Release()
	}
	return d
}

// TestEverySpellingNamesTheSameRows: whatever holds a stream, and whoever wrote it,
// the door gives its rows.
func TestEverySpellingNamesTheSameRows(t *testing.T) {
	ctx := t.Context()
	samples := func() pipeline.Stream { return pipelinetest.Samples(3, 2, 8, 12, true) }
	want := digests(t, samples())
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	write := func(name string, form open.Form) {
		w, err := open.Write(ctx, path(name), samples(), open.WriteOptions{Form: form, Workers: 1})
		if err != nil {
			t.Fatal(err)
		}
		if w.Rows != len(want) {
			t.Errorf("%s: %d rows were written, want %d", name, w.Rows, len(want))
		}
	}
	write("stream.arrow", open.Stream)
	write("arrow", open.Arrow)
	write("parquet", open.Parquet)
	stream, err := os.ReadFile(path("stream.arrow"))
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(path("pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	go func() {
		if f, err := os.OpenFile(path("pipe"), os.O_WRONLY, 0); err == nil {
			f.Write(stream)
			f.Close()
		}
	}()
	storagetest.Server(t, "data")
	bucket := "s3://data"
	store, err := storage.Open(ctx, bucket+"/set")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"part-00000.arrow", "manifest.json"} {
		text, err := os.ReadFile(filepath.Join(path("arrow"), name))
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Put(name, func(w io.Writer) error { _, err := w.Write(text); return err }); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		what, name string
		rows       int // that are known before they are read
	}{
		{"standard input", "-", -1}, {"no name", "", -1}, {"a stream in a file", path("stream.arrow"), -1}, {"a pipe", path("pipe"), -1},
		{"a folder of Arrow files", path("arrow"), 6}, {"one of its files", path("arrow/part-00000.arrow"), -1},
		{"a folder of Parquet files", path("parquet"), 6}, {"one of its files", path("parquet/part-00000.parquet"), 6},
		{"a file's URL", "file://" + path("stream.arrow"), -1}, {"a folder's URL", "file://" + path("parquet"), 6},
		{"a folder of an object store", bucket + "/set", 6}, {"one of its files", bucket + "/set/part-00000.arrow", -1},
	} {
		t.Run(c.what, func(t *testing.T) {
			in, err := open.Open(ctx, c.name, open.Options{Stdin: bytes.NewReader(stream)})
			if err != nil {
				t.Fatal(err)
			}
			if in.Rows != c.rows {
				t.Errorf("%d rows are known, want %d", in.Rows, c.rows)
			}
			got := digests(t, in.Stream)
			if err := in.Close(); err != nil {
				t.Error(err)
			}
			if len(got) != len(want) {
				t.Fatalf("%d rows, want %d", len(got), len(want))
			}
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("row %d has digest %016x, want %016x", i, got[i], want[i])
				}
			}
		})
	}
}

// TestAURLIsNotAFolder: what cannot be written is refused, and leaves nothing.
func TestAURLIsNotAFolder(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, form := range []open.Form{open.Stream, open.Arrow, open.Parquet} {
		var url *open.URLError
		if _, err := open.Write(t.Context(), "s3://bucket/set", pipelinetest.Samples(1, 1, 4, 4, true), open.WriteOptions{Form: form}); !errors.As(err, &url) {
			t.Errorf("%s: %v", form, err)
		}
	}
	if made, err := os.ReadDir("."); err != nil || len(made) > 0 {
		t.Errorf("left behind: %v, %v", made, err)
	}
}
