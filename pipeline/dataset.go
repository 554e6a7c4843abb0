package pipeline

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"sort"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/pipa-uda/pipa/pipeline/internal/arrowio"
	"github.com/zeebo/xxh3"
	"golang.org/x/sys/unix"
)

// ManifestFile is the file of a sharded dataset whose presence makes it whole.
const ManifestFile = "manifest.json"

// manifestFormat marks a manifest.
const manifestFormat = "pipa-dataset/1"

// Manifest lists the shards of a dataset.
type Manifest struct {
	Format string  `json:"format"`
	Kind   Kind    `json:"kind"`
	Rows   int     `json:"rows"`
	Digest string  `json:"digest"` // xxh3-64 of the shards' digests
	Shards []Shard `json:"shards"`
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

// WriteOptions says how a dataset is written.
type WriteOptions struct {
	ShardBytes int64 // a shard is closed once it is larger; 0 means 256 MiB
	Force      bool  // replace what dir holds
	// Progress is called with the rows written so far; nil is silent.
	Progress func(rows int)
}

// WriteDataset writes a stream as a sharded dataset. dir holds nothing new
// until the dataset is whole: the shards are written into a folder beside it,
// which is renamed at the end, and removed on any error.
func WriteDataset(ctx context.Context, dir string, s Stream, o WriteOptions) (m Manifest, err error) {
	if o.ShardBytes == 0 {
		o.ShardBytes = 256 << 20
	}
	err = WriteDir(dir, o.Force, func(aside string) error {
		next, stop := iter.Pull2(s.Batches)
		defer stop()
		rows := 0
		var shards []Shard
		for more := true; more; {
			var shard Shard
			if shard, more, err = writeShard(ctx, aside, len(shards), s.Header, next, o, rows); err != nil {
				return err
			}
			shards = append(shards, shard)
			rows += shard.Rows
		}
		m = NewManifest(s.Header.Kind, shards)
		return WriteFile(filepath.Join(aside, ManifestFile), true, m.Write)
	})
	if err != nil {
		return m, fmt.Errorf("write dataset: %w", err)
	}
	return m, nil
}

// NewManifest lists shards in their order.
func NewManifest(kind Kind, shards []Shard) Manifest {
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

// writeShard writes batches until the shard is full, and tells whether there
// are more.
func writeShard(ctx context.Context, dir string, number int, h Header, next func() (*Batch, error, bool), o WriteOptions, before int) (shard Shard, more bool, err error) {
	more = true
	batches := func(yield func(*Batch, error) bool) {
		var size int64
		for size < o.ShardBytes {
			b, err, ok := next()
			if !ok {
				more = false
				return
			}
			if err == nil {
				size += b.Bytes()
			}
			if !yield(b, err) || err != nil {
				return
			}
		}
	}
	stream := Stream{h, batches}
	if o.Progress != nil {
		stream = Counted(stream, func(rows int) { o.Progress(before + rows) })
	}
	err = WriteFile(filepath.Join(dir, ShardFile(number)), true, func(w io.Writer) (err error) {
		shard, err = EncodeShard(ctx, w, number, stream)
		return err
	})
	return shard, more, err
}

// ShardFile is the name of a dataset's shard.
func ShardFile(number int) string { return fmt.Sprintf("part-%05d.arrow", number) }

// EncodeShard writes a stream to w as one shard of a dataset.
func EncodeShard(ctx context.Context, w io.Writer, number int, s Stream) (Shard, error) {
	shard := Shard{File: ShardFile(number)}
	s = Counted(s, func(rows int) { shard.Rows = rows })
	hash := xxh3.New()
	count := &countingWriter{w: io.MultiWriter(w, hash)}
	err := writeFile(ctx, count, s)
	shard.Bytes, shard.Digest = count.n, fmt.Sprintf("%016x", hash.Sum64())
	return shard, err
}

// Counted calls count with the number of rows that have come, batch by batch.
func Counted(s Stream, count func(rows int)) Stream {
	return Stream{s.Header, func(yield func(*Batch, error) bool) {
		rows := 0
		for b, err := range s.Batches {
			if err == nil {
				rows += b.Len()
				count(rows)
			}
			if !yield(b, err) {
				return
			}
		}
	}}
}

type countingWriter struct {
	w io.Writer
	n int64
}

func (c *countingWriter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

// A Dataset is a sharded dataset, opened for reading. Rows are numbered
// through all shards.
type Dataset struct {
	dir      string
	manifest Manifest
	header   Header
	shards   []*openShard
	first    []int // row number of each batch's first row, over all shards
	where    [][2]int
}

// openShard is a shard whose file is mapped.
type openShard struct {
	data []byte
	file *arrowio.File
}

// OpenDataset opens a folder that WriteDataset wrote. Sizes are checked now,
// rows against their digests as they are read; [Shard.Verify] checks a whole file.
func OpenDataset(dir string) (d *Dataset, err error) {
	d = &Dataset{dir: dir}
	defer func() {
		if err != nil {
			d.Close()
			err = fmt.Errorf("open dataset %s: %w", dir, err)
		}
	}()
	if d.manifest, err = readManifest(dir); err != nil {
		return d, err
	}
	row := 0
	for i, s := range d.manifest.Shards {
		o, header, err := mapShard(dir, s)
		if err != nil {
			return d, fmt.Errorf("%s: %w", s.File, err)
		}
		d.shards = append(d.shards, o)
		if i == 0 {
			d.header = header
		} else if !sameHeader(d.header, header) {
			return d, fmt.Errorf("%s: its schema differs from that of %s", s.File, d.manifest.Shards[0].File)
		}
		start := row
		for b := range o.file.Len() {
			n, err := o.file.Rows(b)
			if err != nil || n < 0 {
				return d, fmt.Errorf("%s: batch %d: %d rows, %w", s.File, b, n, err)
			}
			d.first = append(d.first, row)
			d.where = append(d.where, [2]int{i, b})
			row += n
		}
		if row-start != s.Rows {
			return d, fmt.Errorf("%s has %d rows, the manifest says %d", s.File, row-start, s.Rows)
		}
	}
	return d, nil
}

func readManifest(dir string) (Manifest, error) {
	text, err := ReadIn(dir, ManifestFile)
	if errors.Is(err, os.ErrNotExist) {
		return Manifest{}, errNoManifest
	}
	if err != nil {
		return Manifest{}, err
	}
	return ParseManifest(text)
}

var errNoManifest = fmt.Errorf("it has no %s: no dataset, or one that was never finished", ManifestFile)

// ParseManifest reads and checks a manifest's JSON.
func ParseManifest(text []byte) (Manifest, error) {
	var m Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		return m, fmt.Errorf("%s: %w", ManifestFile, err)
	}
	if m.Format != manifestFormat {
		return m, fmt.Errorf("%s has format %q, this pipa reads %q", ManifestFile, m.Format, manifestFormat)
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
		if !PlainName(s.File) {
			return m, fmt.Errorf("%s names a file outside the dataset: %q", ManifestFile, s.File)
		}
		rows += s.Rows
	}
	if rows != m.Rows || m.digest() != m.Digest {
		return m, fmt.Errorf("%s is damaged: its rows or digest do not add up", ManifestFile)
	}
	return m, nil
}

func sameHeader(a, b Header) bool {
	ma, err1 := a.metadata()
	mb, err2 := b.metadata()
	return err1 == nil && err2 == nil && ma.Equal(mb)
}

// mapShard maps a file and walks its messages.
func mapShard(dir string, s Shard) (o *openShard, h Header, err error) {
	f, err := OpenIn(dir, s.File)
	if err != nil {
		return nil, h, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, h, err
	}
	if info.Size() != s.Bytes || s.Bytes <= 0 {
		return nil, h, fmt.Errorf("has %d bytes, the manifest says %d", info.Size(), s.Bytes)
	}
	data, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, h, fmt.Errorf("map: %w", err)
	}
	var file *arrowio.File
	err = Mapped("its content", func() error {
		file, err = arrowio.OpenFile(data, func(m map[string]string) (*arrow.Schema, bool, error) {
			header, ours, err := parseHeader(m)
			if err != nil {
				return nil, false, err
			}
			h = header
			schema, err := h.schema()
			return schema, ours, err
		})
		return err
	})
	if err != nil {
		return nil, h, errors.Join(err, unix.Munmap(data))
	}
	return &openShard{data, file}, h, nil
}

// Close unmaps the dataset. Batches and rasters taken from it are invalid then.
func (d *Dataset) Close() error {
	var errs []error
	for _, s := range d.shards {
		errs = append(errs, unix.Munmap(s.data))
	}
	d.shards = nil
	return errors.Join(errs...)
}

// Header is that of the dataset's rows.
func (d *Dataset) Header() Header { return d.header }

// Manifest lists the shards.
func (d *Dataset) Manifest() Manifest { return d.manifest }

// Len is the number of rows.
func (d *Dataset) Len() int { return d.manifest.Rows }

// Batches is the number of record batches.
func (d *Dataset) Batches() int { return len(d.where) }

// Batch decodes batch i, a view into the mapped file. It is safe to call from
// several goroutines.
func (d *Dataset) Batch(i int) (*Batch, error) {
	shard, batch := d.where[i][0], d.where[i][1]
	path := filepath.Join(d.dir, d.manifest.Shards[shard].File)
	var b *Batch
	err := Mapped(path, func() error {
		rec, err := d.shards[shard].file.Record(batch)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if b, err = newBatch(&d.header, rec); err != nil {
			rec.Release()
			return fmt.Errorf("%s: batch %d: %w", path, batch, err)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return b, nil
}

// Find is the batch that holds row i, and the row's place in it.
func (d *Dataset) Find(i int) (batch, row int) {
	batch = sort.Search(len(d.first), func(k int) bool { return d.first[k] > i }) - 1
	return batch, i - d.first[batch]
}

// Stream yields the batches in order.
func (d *Dataset) Stream(ctx context.Context) Stream {
	return Stream{d.header, func(yield func(*Batch, error) bool) {
		for i := range d.where {
			if ctx.Err() != nil {
				yield(nil, context.Cause(ctx))
				return
			}
			b, err := d.Batch(i)
			if !yield(b, err) || err != nil {
				return
			}
		}
	}}
}

// AppendRow copies row i to a builder of the dataset's header.
func (d *Dataset) AppendRow(out *Builder, i int) error {
	number, row := d.Find(i)
	b, err := d.Batch(number)
	if err != nil {
		return err
	}
	defer b.Release()
	return out.appendFrom(b, row)
}

// appendFrom copies one row of a batch of the same kind.
func (b *Builder) appendFrom(from *Batch, row int) error {
	switch from.header.Kind {
	case KindSample:
		s, err := from.Sample(row)
		if err != nil {
			return err
		}
		return b.AppendSample(s)
	case KindMix:
		m, err := from.Mix(row)
		if err != nil {
			return err
		}
		return b.AppendMix(m)
	default:
		p, err := from.Pair(row)
		if err != nil {
			return err
		}
		return b.AppendPair(p)
	}
}

// Verify re-hashes a shard's file and its rows. Its error names the row.
func (s Shard) Verify(ctx context.Context, file io.Reader) error {
	hash := xxh3.New()
	count := &countingWriter{w: hash}
	stream, err := Read(ctx, io.TeeReader(bufio.NewReaderSize(file, 1<<20), count))
	if err != nil {
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
