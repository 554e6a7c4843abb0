package shards

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/pipelinetest"
)

// FuzzDataset maps damaged Arrow files. Where every batch is good there are as
// many rows as the manifest says, and each is found by its number.
func FuzzDataset(f *testing.F) {
	for _, c := range pipelinetest.Cases {
		dir := filepath.Join(f.TempDir(), "d")
		if _, err := Write(f.Context(), dir, pipelinetest.Stream(c.Header, c.Row, 2, 1), WriteOptions{}); err != nil {
			f.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(dir, File(0)))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, 2)
		f.Add(data[:len(data)-10], 2)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte, rows int) {
		if err := os.WriteFile(filepath.Join(dir, File(0)), data, 0o644); err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		if err := NewManifest(pipeline.KindSample, []Shard{{File: File(0), Rows: rows, Bytes: int64(len(data))}}).Write(&text); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, ManifestFile), text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		d, err := Open(dir)
		if err != nil {
			return
		}
		defer d.Close()
		var ids []string
		for b, err := range d.Stream(t.Context()).Batches {
			if err != nil {
				return
			}
			ids = append(ids, b.IDs()...)
			b.Release()
		}
		if len(ids) != rows {
			t.Fatalf("%d rows, the dataset has %d", len(ids), rows)
		}
		for i, id := range ids {
			number, row := d.Find(i)
			b, err := d.Batch(number)
			if err != nil {
				t.Fatal(err)
			}
			if got := b.IDs()[row]; got != id {
				t.Errorf("row %d is %q by its place, %q in order", i, got, id)
			}
			b.Release()
		}
	})
}
