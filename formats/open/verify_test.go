package open_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pipa-uda/pipa/formats/open"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/pipelinetest"
	"github.com/pipa-uda/pipa/pipeline/shards"
	"github.com/pipa-uda/pipa/pipeline/storage"
	"github.com/pipa-uda/pipa/pipeline/storage/storagetest"
	"github.com/zeebo/xxh3"
)

// put writes a dataset of these files, whose digests hold, into a folder.
func put(t *testing.T, where string, kind pipeline.Kind, rows int, parts ...[]byte) storage.Folder {
	t.Helper()
	folder, err := storage.Open(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	var list []shards.Shard
	for i, part := range parts {
		list = append(list, shards.Shard{File: shards.File(i), Rows: rows, Bytes: int64(len(part)), Digest: fmt.Sprintf("%016x", xxh3.Hash(part))})
		if err := folder.Put(shards.File(i), func(w io.Writer) error { _, err := w.Write(part); return err }); err != nil {
			t.Fatal(err)
		}
	}
	if err := folder.Put(shards.ManifestFile, shards.NewManifest(kind, list).Write); err != nil {
		t.Fatal(err)
	}
	return folder
}

// reads reports whether a dataset can be opened and read to its end.
func reads(t *testing.T, name string) error {
	t.Helper()
	in, err := open.Open(t.Context(), name, open.Options{})
	if err != nil {
		return err
	}
	for b, err := range in.Batches {
		if err != nil {
			in.Close()
			return err
		}
		b.Release()
	}
	return in.Close()
}

// TestVerifyRefusesWhatReadersDo: datasets whose digests all hold, here and in an
// object store, that no reader takes.
func TestVerifyRefusesWhatReadersDo(t *testing.T) {
	part := func(labeled bool) []byte {
		dir := filepath.Join(t.TempDir(), "set")
		if _, err := shards.Write(t.Context(), dir, pipelinetest.Samples(2, 2, 8, 12, labeled), shards.WriteOptions{}); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(dir, shards.File(0)))
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	labeled, unlabeled := part(true), part(false)
	storagetest.Server(t, "bucket")
	dir := t.TempDir()
	for name, c := range map[string]struct {
		kind  pipeline.Kind
		parts [][]byte
		good  bool
	}{
		"good":                       {pipeline.KindSample, [][]byte{labeled, labeled}, true},
		"a shard of another schema":  {pipeline.KindSample, [][]byte{labeled, unlabeled}, false},
		"the manifest's kind":        {pipeline.KindPair, [][]byte{labeled, labeled}, false},
		"bytes after the file's end": {pipeline.KindSample, [][]byte{labeled, append(slices.Clip(labeled), 0)}, false},
	} {
		for where, url := range map[string]string{"here": filepath.Join(dir, name), "in a store": "s3://bucket/" + name} {
			t.Run(name+", "+where, func(t *testing.T) {
				folder := put(t, url, c.kind, 4, c.parts...)
				verified, read := storage.Verify(t.Context(), folder, nil), reads(t, url)
				if (verified == nil) != c.good {
					t.Errorf("verified with %v; read with %v", verified, read)
				}
				if verified == nil && read != nil {
					t.Errorf("it is called good, and reading it ends with %v", read)
				}
			})
		}
	}
	// The footer, by which files are mapped, and which a stream does not have.
	t.Run("a footer", func(t *testing.T) {
		refused := 0
		for i := len(labeled) - 1; i >= len(labeled)-700; i -= 7 {
			other := bytes.Clone(labeled)
			other[i] ^= 0x10
			where := filepath.Join(dir, fmt.Sprint(i))
			folder := put(t, where, pipeline.KindSample, 4, other)
			verified, read := storage.Verify(t.Context(), folder, nil), reads(t, where)
			if verified == nil && read != nil {
				t.Errorf("byte %d: it is called good, and reading it ends with %v", i, read)
			}
			if read != nil {
				refused++
			}
		}
		if refused == 0 {
			t.Error("no reader minds a footer")
		}
	})
}
