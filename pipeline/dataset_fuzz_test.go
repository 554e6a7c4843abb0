package pipeline

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"testing"
)

// FuzzDataset maps damaged Arrow files. Where every batch is good there are as
// many rows as the manifest says, and each is found by its number.
func FuzzDataset(f *testing.F) {
	for _, c := range streamCases {
		dir := filepath.Join(f.TempDir(), "d")
		if _, err := WriteDataset(f.Context(), dir, testStream(f, c.h, c.row, 2, 1), WriteOptions{}); err != nil {
			f.Fatal(err)
		}
		data, err := os.ReadFile(filepath.Join(dir, ShardFile(0)))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, 2)
		f.Add(data[:len(data)-10], 2)
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte, rows int) {
		if err := os.WriteFile(filepath.Join(dir, ShardFile(0)), data, 0o644); err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		if err := NewManifest(KindSample, []Shard{{File: ShardFile(0), Rows: rows, Bytes: int64(len(data))}}).Write(&text); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, ManifestFile), text.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		d, err := OpenDataset(dir)
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

// FuzzHeader reads damaged metadata of a schema: what is accepted is written
// again as it was understood.
func FuzzHeader(f *testing.F) {
	for _, c := range streamCases {
		m, err := c.h.metadata()
		if err != nil {
			f.Fatal(err)
		}
		text, err := json.Marshal(m.ToMap())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"pipa.kind":"sample","pipa.version":"1","pipa.seed":"1","pipa.classes":"[]","pipa.ignore":"255","pipa.history":"[{}]","pipa.datasets":"null","pipa.size":"[1,-1]","pipa.labelled":"t"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var m map[string]string
		if json.Unmarshal(text, &m) != nil || m == nil {
			return
		}
		m[keyCheck] = checkOf(m) // or hardly a change would get past it
		h, _, err := parseHeader(m)
		if err != nil {
			return
		}
		written, err := h.metadata()
		if err != nil {
			t.Fatalf("%q is accepted and cannot be written: %v", m, err)
		}
		if _, err := h.schema(); err != nil {
			t.Fatalf("%q is accepted and has no schema: %v", m, err)
		}
		back, _, err := parseHeader(written.ToMap())
		if err != nil {
			t.Fatalf("%q is accepted, and not when written again: %v", m, err)
		}
		again, err := back.metadata()
		if err != nil || !maps.Equal(again.ToMap(), written.ToMap()) {
			t.Errorf("%v became %v, %v", written.ToMap(), again.ToMap(), err)
		}
	})
}
