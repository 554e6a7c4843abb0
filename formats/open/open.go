// Package open opens whatever names a stream: a dataset's folder of Arrow or
// Parquet files, an Arrow IPC file, a stream in a file, or a pipe such as
// /dev/fd/63.
//
//	s, close, err := open.Stream(ctx, "pairs")
//	defer close()
package open

import (
	"context"
	"fmt"
	"iter"
	"os"
	"runtime"

	"github.com/pipa-uda/pipa/formats/parquet"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/shards"
)

// Stream opens a stream by name. close is to be called when the batches are done
// with.
func Stream(ctx context.Context, name string) (s pipeline.Stream, close func() error, err error) {
	info, err := os.Stat(name)
	if err != nil {
		return pipeline.Stream{}, nil, fmt.Errorf("open stream: %w", err)
	}
	if info.IsDir() {
		if parquet.IsFolder(name) {
			s, _, err = parquet.Read(ctx, name, runtime.GOMAXPROCS(0))
			return s, func() error { return nil }, err
		}
		d, err := shards.Open(name)
		if err != nil {
			return pipeline.Stream{}, nil, err
		}
		return d.Stream(ctx), d.Close, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return pipeline.Stream{}, nil, fmt.Errorf("open stream: %w", err)
	}
	s, err = pipeline.Read(ctx, f)
	if err != nil {
		f.Close()
		return pipeline.Stream{}, nil, fmt.Errorf("%s: %w", name, err)
	}
	return pipeline.Stream{Header: s.Header, Batches: named(name, s.Batches)}, f.Close, nil
}

// named says in errors where the batches come from.
func named(path string, batches iter.Seq2[*pipeline.Batch, error]) iter.Seq2[*pipeline.Batch, error] {
	return func(yield func(*pipeline.Batch, error) bool) {
		for b, err := range batches {
			if err != nil {
				err = fmt.Errorf("%s: %w", path, err)
			}
			if !yield(b, err) {
				return
			}
		}
	}
}
