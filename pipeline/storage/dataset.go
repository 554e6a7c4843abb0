package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/shards"
)

// Manifest reads the manifest of the dataset in a folder.
func Manifest(f Folder) (shards.Manifest, error) {
	text, err := fs.ReadFile(f, shards.ManifestFile)
	if errors.Is(err, fs.ErrNotExist) {
		return shards.Manifest{}, fmt.Errorf("open dataset %s: %w", f, shards.ErrNoManifest)
	}
	var m shards.Manifest
	if err == nil {
		m, err = shards.ParseManifest(text)
	}
	if err != nil {
		return m, fmt.Errorf("open dataset %s: %w", f, err)
	}
	return m, nil
}

// Stream yields the rows of the dataset in a folder, shard after shard, each
// row checked. close is to be called when the batches are done with.
func Stream(ctx context.Context, f Folder) (s pipeline.Stream, m shards.Manifest, close func() error, err error) {
	if m, err = Manifest(f); err != nil {
		return s, m, nil, err
	}
	var file fs.File
	close = func() error {
		if file == nil {
			return nil
		}
		defer func() { file = nil }()
		return file.Close()
	}
	agreed := shards.Agree(m.Kind)
	open := func(shard shards.Shard) (pipeline.Stream, error) {
		if err := close(); err != nil {
			return pipeline.Stream{}, err
		}
		var err error
		if file, err = f.Open(shard.File); err != nil {
			return pipeline.Stream{}, err
		}
		s, err := pipeline.Read(ctx, file)
		if err == nil {
			err = agreed.Check(shard, s.Header)
		}
		if err != nil {
			return s, fmt.Errorf("%s/%s: %w", f, shard.File, err)
		}
		return s, nil
	}
	first, err := open(m.Shards[0])
	if err != nil {
		return s, m, nil, errors.Join(err, close())
	}
	return pipeline.Stream{Header: first.Header, Batches: func(yield func(*pipeline.Batch, error) bool) {
		current := first
		for i, shard := range m.Shards {
			if i > 0 {
				var err error
				if current, err = open(shard); err != nil {
					yield(nil, err)
					return
				}
			}
			for b, err := range current.Batches {
				if err != nil {
					err = fmt.Errorf("%s/%s: %w", f, shard.File, err)
				}
				if !yield(b, err) || err != nil {
					return
				}
			}
		}
	}}, m, close, nil
}

// Verify re-hashes every shard and row of the dataset in a folder, and refuses
// whatever its readers would. Its error joins one for each damaged shard.
func Verify(ctx context.Context, f Folder, progress func(rows int)) error {
	m, err := Manifest(f)
	if err != nil {
		return err
	}
	var bad []error
	rows := 0
	agreed := shards.Agree(m.Kind)
	for _, shard := range m.Shards {
		bad = append(bad, VerifyShard(ctx, f, shard, agreed))
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if rows += shard.Rows; progress != nil {
			progress(rows)
		}
	}
	if err := errors.Join(bad...); err != nil {
		return err
	}
	if dir, ok := Local(f); ok {
		return verifyMapped(ctx, dir)
	}
	return nil
}

// verifyMapped reads all batches as who maps the files does: by the footers, which
// streams do not have.
func verifyMapped(ctx context.Context, dir string) (err error) {
	d, err := shards.Open(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	for b, err := range d.Stream(ctx).Batches {
		if err != nil {
			return err
		}
		b.Release()
	}
	return nil
}

// VerifyShard re-hashes one shard and its rows, which are to be as those of the shards
// that were asked about before. Its error names file and row.
func VerifyShard(ctx context.Context, f Folder, shard shards.Shard, agreed *shards.Agreement) error {
	file, err := f.Open(shard.File)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := shard.Verify(ctx, file, agreed); err != nil {
		return fmt.Errorf("%s/%s: %w", f, shard.File, err)
	}
	return nil
}
