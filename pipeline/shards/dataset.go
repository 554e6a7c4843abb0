package shards

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sort"

	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/pipeline"
	"golang.org/x/sys/unix"
)

// A Dataset is a sharded dataset, opened for reading. Rows are numbered
// through all shards.
type Dataset struct {
	dir      string
	manifest Manifest
	header   pipeline.Header
	shards   []*openShard
	first    []int // row number of each batch's first row, over all shards
	where    [][2]int
}

// openShard is a shard whose file is mapped.
type openShard struct {
	data []byte
	*pipeline.File
}

// Open opens a folder that Write wrote. Sizes are checked now,
// rows against their digests as they are read; [Shard.Verify] checks a whole file.
func Open(dir string) (d *Dataset, err error) {
	d = &Dataset{dir: dir}
	defer func() {
		if err != nil {
			err = fmt.Errorf("open dataset %s: %w", dir, errors.Join(err, d.Close()))
		}
	}()
	if d.manifest, err = ReadManifest(dir); err != nil {
		return d, err
	}
	row := 0
	agreed := Agree(d.manifest.Kind)
	for i, s := range d.manifest.Shards {
		o, err := mapShard(dir, s)
		if err != nil {
			return d, fmt.Errorf("%s: %w", s.File, err)
		}
		d.shards = append(d.shards, o)
		if err := agreed.Check(s, o.Header()); err != nil {
			return d, fmt.Errorf("%s: %w", s.File, err)
		}
		if i == 0 {
			d.header = o.Header()
		}
		start := row
		for b := range o.Len() {
			n, err := o.Rows(b)
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

// mapShard maps a file and walks its messages.
func mapShard(dir string, s Shard) (o *openShard, err error) {
	f, err := files.OpenIn(dir, s.File)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() != s.Bytes || s.Bytes <= 0 {
		return nil, fmt.Errorf("has %d bytes, the manifest says %d", info.Size(), s.Bytes)
	}
	data, err := files.Map(f, info.Size())
	if err != nil {
		return nil, err
	}
	o = &openShard{data: data}
	err = files.Mapped("its content", func() error {
		o.File, err = pipeline.OpenFile(data)
		return err
	})
	if err != nil {
		return nil, errors.Join(err, unix.Munmap(data))
	}
	return o, nil
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
func (d *Dataset) Header() pipeline.Header { return d.header }

// Manifest lists the shards.
func (d *Dataset) Manifest() Manifest { return d.manifest }

// Len is the number of rows.
func (d *Dataset) Len() int { return d.manifest.Rows }

// Batches is the number of record batches.
func (d *Dataset) Batches() int { return len(d.where) }

// Batch decodes batch i, a view into the mapped file. It is safe to call from
// several goroutines.
func (d *Dataset) Batch(i int) (*pipeline.Batch, error) {
	shard, batch := d.where[i][0], d.where[i][1]
	path := filepath.Join(d.dir, d.manifest.Shards[shard].File)
	var b *pipeline.Batch
	err := files.Mapped(path, func() (err error) {
		if b, err = d.shards[shard].Batch(batch); err != nil {
			return fmt.Errorf("%s: %w", path, err)
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
func (d *Dataset) Stream(ctx context.Context) pipeline.Stream {
	return pipeline.Stream{Header: d.header, Batches: func(yield func(*pipeline.Batch, error) bool) {
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
func (d *Dataset) AppendRow(out *pipeline.Builder, i int) error {
	number, row := d.Find(i)
	b, err := d.Batch(number)
	if err != nil {
		return err
	}
	defer b.Release()
	return out.AppendFrom(b, row)
}
