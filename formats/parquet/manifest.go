package parquet

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/pipeline/shards"
	"github.com/zeebo/xxh3"
)

// manifestFormat marks a manifest.
const manifestFormat = "pipa-parquet/1"

// ManifestFile is the file of a folder whose presence makes it whole: a Parquet file
// of the folder's schema without rows, whose metadata have the manifest. A file of
// any other kind among its own is an error to pyarrow, pandas or polars; this one is
// skipped, or read as no rows. Before, it was JSON, named as a sharded dataset's is
// ([shards.ManifestFile]), which is still read.
const ManifestFile = "_pipa.parquet"

// Manifest lists the files of a folder, and what its labels show.
type Manifest struct {
	Format string        `json:"format"`
	Kind   pipeline.Kind `json:"kind"`
	Rows   int           `json:"rows"`
	Digest string        `json:"digest"` // xxh3-64 of the manifest without this
	Files  []File        `json:"files"`
	Pixels []ClassPixels `json:"pixels"`
}

// File is one Parquet file of a folder.
type File struct {
	File   string `json:"file"`
	Rows   int    `json:"rows"`
	Bytes  int64  `json:"bytes"`
	Digest string `json:"digest"` // xxh3-64 of the file
}

// ClassPixels counts the label pixels of a class in a dataset's rows, both
// crops of a pair. It is one row of a table, as SQL reads it.
type ClassPixels struct {
	Dataset string `json:"dataset"`
	// Class is a train ID. That of the last entry of a dataset is
	// [raster.Ignore]: its pixels are those of no class.
	Class  int    `json:"class"`
	Name   string `json:"name"`
	Pixels int64  `json:"pixels"`
}

func (m Manifest) digest() (string, error) {
	m.Digest = ""
	text, err := json.Marshal(m)
	return fmt.Sprintf("%016x", xxh3.Hash(text)), err
}

// write writes the manifest, of files with this header.
func (m Manifest) write(w io.Writer, h pipeline.Header) error {
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	t, err := newTableWriter(w, h, Options{}.withDefaults(), entry{keyManifest, string(text)})
	if err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	return t.close()
}

// readManifest is the text of a folder's manifest, and the file that has it.
func readManifest(dir string) (text []byte, name string, err error) {
	data, err := files.ReadIn(dir, ManifestFile)
	if errors.Is(err, os.ErrNotExist) {
		text, err = files.ReadIn(dir, shards.ManifestFile)
		return text, shards.ManifestFile, err
	}
	if err != nil {
		return nil, ManifestFile, err
	}
	t, err := openTable(data)
	if err != nil {
		return nil, ManifestFile, fmt.Errorf("%s: %w", filepath.Join(dir, ManifestFile), err)
	}
	return []byte(t.manifest), ManifestFile, nil
}

// IsFolder reports whether a folder's manifest says that it holds Parquet files,
// whole or damaged, rather than a sharded dataset's Arrow files. It fails where that
// cannot be seen for now; what stays wrong is for whoever opens the folder to say.
func IsFolder(dir string) (bool, error) {
	err := files.Retry(func() error { _, err := os.Lstat(filepath.Join(dir, ManifestFile)); return err })
	if err == nil {
		return true, nil
	}
	if files.Passing(err) {
		return false, err
	}
	var m struct{ Format string }
	text, err := files.ReadIn(dir, shards.ManifestFile)
	if files.Passing(err) {
		return false, err
	}
	return err == nil && json.Unmarshal(text, &m) == nil && strings.HasPrefix(m.Format, "pipa-parquet/"), nil
}

// ReadManifest reads and checks the manifest of a folder that [Write] made.
func ReadManifest(dir string) (m Manifest, err error) {
	text, name, err := readManifest(dir)
	if errors.Is(err, os.ErrNotExist) {
		return m, fmt.Errorf("%s has no %s: it is not a Parquet folder of pipa, or one that was never finished", dir, ManifestFile)
	}
	if err != nil {
		return m, err
	}
	if err := m.parse(text); err != nil {
		return m, fmt.Errorf("%s: %w", filepath.Join(dir, name), err)
	}
	return m, nil
}

func (m *Manifest) parse(text []byte) error {
	if err := json.Unmarshal(text, m); err != nil {
		return err
	}
	if m.Format != manifestFormat {
		return fmt.Errorf("it has format %q, this pipa reads %q as Parquet", m.Format, manifestFormat)
	}
	if d, err := m.digest(); err != nil || d != m.Digest {
		return fmt.Errorf("it is damaged: its digest is %s, recorded is %q", d, m.Digest)
	}
	rows := 0
	seen := map[string]bool{}
	for _, f := range m.Files {
		if f.Rows < 0 || seen[f.File] {
			return fmt.Errorf("it lists %q twice, or with %d rows", f.File, f.Rows)
		}
		seen[f.File] = true
		if !files.IsPlainName(f.File) {
			return fmt.Errorf("it names a file outside the folder: %q", f.File)
		}
		rows += f.Rows
	}
	if len(m.Files) == 0 || rows != m.Rows {
		return fmt.Errorf("its %d files have %d rows, it declares %d", len(m.Files), rows, m.Rows)
	}
	return nil
}

// census counts label pixels by dataset while rows pass.
type census map[string][]int64

func (c census) add(r *row) {
	if r.classPixels == nil {
		return
	}
	if c[r.dataset] == nil {
		c[r.dataset] = make([]int64, len(r.classPixels))
	}
	for i, n := range r.classPixels {
		c[r.dataset][i] += int64(n)
	}
}

// table lists the counts by dataset and class.
func (c census) table(classes []string) []ClassPixels {
	out := []ClassPixels{}
	var datasets []string
	for d := range c {
		datasets = append(datasets, d)
	}
	slices.Sort(datasets)
	for _, d := range datasets {
		for i, n := range c[d] {
			p := ClassPixels{Dataset: d, Class: int(raster.Ignore), Name: "ignored", Pixels: n}
			if i < len(classes) {
				p.Class, p.Name = i, classes[i]
			}
			out = append(out, p)
		}
	}
	return out
}
