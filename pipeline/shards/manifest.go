package shards

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/zeebo/xxh3"
)

// ManifestFile is the file of a sharded dataset whose presence makes it whole.
const ManifestFile = "manifest.json"

// manifestFormat marks a manifest.
const manifestFormat = "pipa-dataset/1"

// Manifest lists the shards of a dataset.
type Manifest struct {
	Format string        `json:"format"`
	Kind   pipeline.Kind `json:"kind"`
	Rows   int           `json:"rows"`
	Digest string        `json:"digest"` // xxh3-64 of the shards' digests
	Shards []Shard       `json:"shards"`
}

// Shard is one Arrow IPC file of a dataset.
type Shard struct {
	File   string `json:"file"`
	Rows   int    `json:"rows"`
	Bytes  int64  `json:"bytes"`
	Digest string `json:"digest"` // xxh3-64 of the file
}

func (m *Manifest) digest() string {
	h := xxh3.New()
	for _, s := range m.Shards {
		h.WriteString(s.Digest)
	}
	return fmt.Sprintf("%016x", h.Sum64())
}

// NewManifest lists shards in their order.
func NewManifest(kind pipeline.Kind, shards []Shard) Manifest {
	m := Manifest{Format: manifestFormat, Kind: kind, Shards: shards}
	for _, s := range shards {
		m.Rows += s.Rows
	}
	m.Digest = m.digest()
	return m
}

// Write writes the manifest as JSON.
func (m Manifest) Write(w io.Writer) error {
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// ReadManifest reads and checks the manifest of a folder.
func ReadManifest(dir string) (Manifest, error) {
	text, err := files.ReadIn(dir, ManifestFile)
	if errors.Is(err, os.ErrNotExist) {
		return Manifest{}, ErrNoManifest
	}
	if err != nil {
		return Manifest{}, err
	}
	return ParseManifest(text)
}

// ErrNoManifest is wrapped where a folder has no manifest.
var ErrNoManifest = fmt.Errorf("it has no %s: not a dataset, or one that was never finished", ManifestFile)

// ParseManifest reads and checks a manifest's JSON.
func ParseManifest(text []byte) (Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("%s: %w", ManifestFile, err)
	}
	if m.Format != manifestFormat {
		return m, &pipeline.FormatError{Reason: fmt.Sprintf("%s has format %q, this pipa reads %q", ManifestFile, m.Format, manifestFormat)}
	}
	if len(m.Shards) == 0 {
		return m, fmt.Errorf("%s lists no shards", ManifestFile)
	}
	rows := 0
	seen := map[string]bool{} // each is mapped once
	for _, s := range m.Shards {
		if s.Rows < 0 || seen[s.File] {
			return m, fmt.Errorf("%s lists %q twice, or with %d rows", ManifestFile, s.File, s.Rows)
		}
		seen[s.File] = true
		if !files.IsPlainName(s.File) {
			return m, fmt.Errorf("%s names a file outside the dataset: %q", ManifestFile, s.File)
		}
		rows += s.Rows
	}
	if rows != m.Rows || m.digest() != m.Digest {
		return m, fmt.Errorf("%s is damaged: its rows or digest do not add up", ManifestFile)
	}
	return m, nil
}

// Verify re-hashes a shard's file and its rows, which are to be as the other shards'.
// Its error names the row.
func (s Shard) Verify(ctx context.Context, file io.Reader, agreed *Agreement) error {
	hash := xxh3.New()
	count := &countingWriter{w: hash}
	stream, err := pipeline.Read(ctx, io.TeeReader(bufio.NewReaderSize(file, 1<<20), count))
	if err != nil {
		return err
	}
	if err := agreed.Check(s, stream.Header); err != nil {
		return err
	}
	rows := 0
	for b, err := range stream.Batches {
		if err != nil {
			return fmt.Errorf("after row %d: %w", rows, err)
		}
		rows += b.Len()
		b.Release()
	}
	if rows != s.Rows || count.n != s.Bytes || fmt.Sprintf("%016x", hash.Sum64()) != s.Digest {
		return fmt.Errorf("has %d rows in %d bytes with digest %016x, recorded are %d, %d, %s", rows, count.n, hash.Sum64(), s.Rows, s.Bytes, s.Digest)
	}
	return nil
}
