package open_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/formats/open"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/pipelinetest"
	"github.com/pipa-uda/pipa/pipeline/shards"
	"github.com/zeebo/xxh3"
)

// The files of testdata/foreign are samples.arrows and pairs.arrows as other
// libraries wrote them again: "scripts/interop --fixtures" made them.
const foreignFiles = "testdata/foreign"

// encoded is what a stream is between processes: its header, rows and digests.
func encoded(t *testing.T, s pipeline.Stream) []byte {
	t.Helper()
	// What a program loses is not compared.
	s.Header.Seed, s.Header.History, s.Header.Colors = 0, nil, nil
	return pipelinetest.Encode(t, pipeline.Rebatch(s, 2))
}

func opened(t *testing.T, name string, o open.Options) *open.Input {
	t.Helper()
	in, err := open.Open(t.Context(), name, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	})
	return in
}

func TestFilesOfOtherLibrariesAreRead(t *testing.T) {
	entries, err := os.ReadDir(foreignFiles)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string][]byte{}
	for _, kind := range []string{"samples", "pairs"} {
		want[kind] = encoded(t, opened(t, filepath.Join(foreignFiles, kind+".arrows"), open.Options{}).Stream)
	}
	for _, e := range entries {
		kind, _, foreign := strings.Cut(e.Name(), "-")
		if !foreign {
			continue
		}
		path := filepath.Join(foreignFiles, e.Name())
		t.Run(e.Name(), func(t *testing.T) {
			notices := 0
			o := open.Options{Notice: func(string) { notices++ }}
			in := opened(t, path, o)
			// A stream from DuckDB has lost the one size of its samples, which no row can
			// promise for those to come.
			if lists := !in.Header.Size.Fixed(); !lists || !strings.HasSuffix(path, ".arrows") {
				if got := encoded(t, in.Stream); !bytes.Equal(got, want[kind]) {
					t.Error("its rows are not those that went in")
				}
			} else if got := digests(t, in.Stream); len(got) != 2 {
				t.Errorf("%d rows", len(got))
			}
			if notices != 1 {
				t.Errorf("%d notices, want 1", notices)
			}
			if strings.HasSuffix(path, ".parquet") {
				return
			}
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			piped := opened(t, "-", open.Options{Stdin: bytes.NewReader(data)})
			if n := len(rowDigests(t, piped.Stream)); n != 2 {
				t.Errorf("from a pipe, %d rows", n)
			}
		})
	}
}

// rowDigests are the digests of rows of any kind.
func rowDigests(t *testing.T, s pipeline.Stream) (d []uint64) {
	t.Helper()
	for b, err := range s.Batches {
		if err != nil {
			t.Fatal(err)
		}
		for i := range b.Len() {
			if b.Header().Kind == pipeline.KindPair {
				p, err := b.Pair(i)
				if err != nil {
					t.Fatal(err)
				}
				d = append(d, p.Digest())
				continue
			}
			r, err := b.Sample(i)
			if err != nil {
				t.Fatal(err)
			}
			d = append(d, r.Digest(false))
		}
		b.Release()
	}
	return d
}

// TestFoldersOfOtherLibraries: files of one table need no manifest, whatever they
// are; what looks like a part of a job that has not ended is not a table.
func TestFoldersOfOtherLibraries(t *testing.T) {
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(foreignFiles, name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	arrow, table, views := read("samples-pyarrow-file-none.arrow"), read("samples-polars-parquet-none.parquet"), read("samples-pyarrow-file-text_views.arrow")
	for name, c := range map[string]struct {
		files map[string][]byte
		rows  int
		want  string // of the error
	}{
		"Arrow files":                   {map[string][]byte{"a.arrow": arrow, "b.arrow": arrow}, 4, ""},
		"Parquet files, deeper":         {map[string][]byte{"split=train/0.parquet": table, "split=val/0.parquet": table}, 4, ""},
		"other files are passed over":   {map[string][]byte{"a.parquet": table, "_SUCCESS": nil, ".a.parquet.crc": table, "README.md": []byte("hi")}, 2, ""},
		"types that differ":             {map[string][]byte{"a.arrow": arrow, "b.arrow": views}, 0, "b.arrow: its column id is string_view"},
		"a job that has not ended":      {map[string][]byte{"part-00000.arrow": arrow, "plan.json": []byte("{}")}, 0, "manifest.json"},
		"nothing of the kind":           {map[string][]byte{"notes.txt": []byte("hi")}, 0, "manifest.json"},
		"a file that is something else": {map[string][]byte{"a.parquet": []byte("hello, world")}, 0, "not an Arrow IPC stream"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, data := range c.files {
				path := filepath.Join(dir, file)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			in, err := open.Open(t.Context(), dir, open.Options{})
			if err == nil {
				defer in.Close()
				var rows int
				for b, failed := range in.Batches {
					if err = failed; err != nil {
						break
					}
					rows += b.Len()
				}
				if err == nil && (rows != c.rows || in.Rows != c.rows) {
					t.Errorf("%d rows, %d were known, want %d", rows, in.Rows, c.rows)
				}
			}
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// TestAManifestHoldsForRewrittenFiles: a dataset whose files another program wrote
// again is read where the manifest was made again too, and not where it was not.
func TestAManifestHoldsForRewrittenFiles(t *testing.T) {
	foreign, err := os.ReadFile(filepath.Join(foreignFiles, "samples-pyarrow-file-none.arrow"))
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "set")
	samples := opened(t, filepath.Join(foreignFiles, "samples.arrows"), open.Options{})
	w, err := open.Write(t.Context(), dir, samples.Stream, open.WriteOptions{Form: open.Arrow})
	if err != nil {
		t.Fatal(err)
	}
	part := filepath.Join(dir, shards.File(0))
	if err := os.WriteFile(part, foreign, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := open.Open(t.Context(), dir, open.Options{}); err == nil || !strings.Contains(err.Error(), "the manifest says") {
		t.Errorf("with the old manifest: %v", err)
	}
	shard := w.Manifest.(shards.Manifest).Shards[0]
	shard.Bytes, shard.Digest = int64(len(foreign)), "0123456789abcdef"
	manifest := func(s shards.Shard) {
		err := os.Remove(filepath.Join(dir, shards.ManifestFile))
		if err == nil {
			var f *os.File
			if f, err = os.Create(filepath.Join(dir, shards.ManifestFile)); err == nil {
				err = errors.Join(shards.NewManifest(pipeline.KindSample, []shards.Shard{s}).Write(f), f.Close())
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	manifest(shard)
	if _, err := open.Open(t.Context(), dir, open.Options{}); err == nil || !strings.Contains(err.Error(), "it is damaged: its digest is") {
		t.Errorf("with a manifest of other bytes: %v", err)
	}
	shard.Digest = hashOf(foreign)
	manifest(shard)
	if got := digests(t, opened(t, dir, open.Options{}).Stream); len(got) != 2 {
		t.Errorf("%d rows", len(got))
	}
}

// FuzzForeign opens bytes as a file of any format that another program may have
// written. Whatever is yielded is a stream that can be written and read again.
func FuzzForeign(f *testing.F) {
	entries, err := os.ReadDir(foreignFiles)
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(foreignFiles, e.Name()))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	path := filepath.Join(f.TempDir(), "file")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{path, "-"} {
			in, err := open.Open(context.Background(), name, open.Options{Stdin: bytes.NewReader(data), Workers: 1})
			if err != nil {
				continue
			}
			var out bytes.Buffer
			if pipeline.Write(context.Background(), &out, in.Stream) == nil {
				again, err := pipeline.Read(context.Background(), &out)
				if err != nil {
					t.Fatalf("what was read cannot be read again: %v", err)
				}
				for _, err := range again.Batches {
					if err != nil {
						t.Fatalf("what was read cannot be read again: %v", err)
					}
				}
			}
			if err := in.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func hashOf(data []byte) string { return fmt.Sprintf("%016x", xxh3.Hash(data)) }
