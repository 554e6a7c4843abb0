package shards

import (
	"context"
	"fmt"
	"io"
	"iter"
	"path/filepath"

	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/zeebo/xxh3"
)

// WriteOptions says how a dataset is written.
type WriteOptions struct {
	ShardBytes int64 // a shard is closed once it is larger; 0 means 256 MiB
	Force      bool  // replace what dir holds
	// Progress is called with the rows written so far; nil is silent.
	Progress func(rows int)
}

// Write writes a stream as a sharded dataset. dir holds nothing new
// until the dataset is whole: the shards are written into a folder beside it,
// which is renamed at the end, and removed on any error.
func Write(ctx context.Context, dir string, s pipeline.Stream, o WriteOptions) (m Manifest, err error) {
	if o.ShardBytes == 0 {
		o.ShardBytes = 256 << 20
	}
	err = files.WriteDir(dir, o.Force, func(aside string) error {
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
		return files.Write(filepath.Join(aside, ManifestFile), true, m.Write)
	})
	if err != nil {
		return m, fmt.Errorf("write dataset: %w", err)
	}
	return m, nil
}

// writeShard writes batches until the shard is full, and reports whether there
// are more.
func writeShard(ctx context.Context, dir string, number int, h pipeline.Header, next func() (*pipeline.Batch, error, bool), o WriteOptions, before int) (shard Shard, more bool, err error) {
	more = true
	batches := func(yield func(*pipeline.Batch, error) bool) {
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
	stream := pipeline.Stream{Header: h, Batches: batches}
	if o.Progress != nil {
		stream = pipeline.Counted(stream, func(rows int) { o.Progress(before + rows) })
	}
	err = files.Write(filepath.Join(dir, File(number)), true, func(w io.Writer) (err error) {
		shard, err = Encode(ctx, w, number, stream)
		return err
	})
	return shard, more, err
}

// File is the name of a dataset's shard.
func File(number int) string { return fmt.Sprintf("part-%05d.arrow", number) }

// Encode writes a stream to w as one shard of a dataset.
func Encode(ctx context.Context, w io.Writer, number int, s pipeline.Stream) (Shard, error) {
	shard := Shard{File: File(number)}
	s = pipeline.Counted(s, func(rows int) { shard.Rows = rows })
	hash := xxh3.New()
	count := &countingWriter{w: io.MultiWriter(w, hash)}
	err := pipeline.WriteFile(ctx, count, s)
	shard.Bytes, shard.Digest = count.n, fmt.Sprintf("%016x", hash.Sum64())
	return shard, err
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
