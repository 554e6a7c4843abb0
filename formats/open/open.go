// Package open is the one door to whatever names data: "-", a file, a pipe such as
// /dev/fd/63, a folder of Arrow or Parquet files, one such file on its own, or a
// URL of a folder in an object store.
//
//	in, err := open.Open(ctx, "pairs", open.Options{})
//	defer in.Close()
//	for batch, err := range in.Batches { … }
//
// [Write] is the same door outwards. Datasets of image files are not streams: see
// package formats.
package open

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path"
	"runtime"
	"strings"

	"github.com/pipa-uda/pipa/formats/parquet"
	"github.com/pipa-uda/pipa/internal/wait"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/shards"
	"github.com/pipa-uda/pipa/pipeline/storage"
)

// Options say how a name is opened.
type Options struct {
	Stdin   io.Reader // what "-" and the empty name mean; nil is os.Stdin
	Workers int       // goroutines that decode Parquet; 0 means one for each processor

	// Of what another program wrote: see [pipeline.ReadOptions].
	Kind    pipeline.Kind
	Classes []string
	Notice  func(text string)
}

// An Input is a stream and what is known of it before it is read.
type Input struct {
	pipeline.Stream
	Rows int // of the stream; -1 where they are not known before its end
	// Shards is random access to the rows, where they lie in Arrow files on this
	// machine; else nil.
	Shards *shards.Dataset
	close  func() error
}

// Close ends what the stream reads from. Batches that are views into mapped files
// are invalid then.
func (in *Input) Close() error {
	if in.close == nil {
		return nil
	}
	return in.close()
}

// Open opens a stream by name. The header is read at once; rows are checked as
// they are read.
func Open(ctx context.Context, name string, o Options) (*Input, error) {
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	in, err := open(ctx, name, o)
	if err != nil {
		return nil, fmt.Errorf("open stream: %w", err)
	}
	return in, nil
}

func open(ctx context.Context, name string, o Options) (*Input, error) {
	switch {
	case name == "" || name == "-":
		if o.Stdin == nil {
			o.Stdin = os.Stdin
		}
		s, err := pipeline.ReadWith(ctx, o.Stdin, o.readOptions())
		return &Input{Stream: s, Rows: -1}, err
	case strings.Contains(name, "://"):
		return openURL(ctx, name, o)
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return openFolder(ctx, name, o)
	}
	return openFile(ctx, name, info, o)
}

func openFolder(ctx context.Context, name string, o Options) (*Input, error) {
	in, err := openOurs(ctx, name, o)
	if errors.Is(err, pipeline.ErrForeign) || errors.Is(err, parquet.ErrForeign) {
		list, err := manifestParts(name)
		if err != nil {
			return nil, err
		}
		return openForeign(ctx, name, list, o)
	}
	if errors.Is(err, shards.ErrNoManifest) {
		if going, failed := unfinished(name); going || failed != nil {
			return nil, errors.Join(err, failed)
		}
		list, walked := foreignParts(name)
		if walked != nil {
			return nil, walked
		}
		if len(list) > 0 {
			return openForeign(ctx, name, list, o)
		}
	}
	return in, err
}

// openOurs opens a folder that this module wrote.
func openOurs(ctx context.Context, name string, o Options) (*Input, error) {
	is, err := parquet.IsFolder(name)
	if err != nil {
		return nil, err
	}
	if is {
		s, m, err := parquet.Read(ctx, name, o.Workers)
		return &Input{Stream: s, Rows: m.Rows}, err
	}
	d, err := shards.Open(name)
	if err != nil {
		return nil, err
	}
	return &Input{Stream: d.Stream(ctx), Rows: d.Len(), Shards: d, close: d.Close}, nil
}

func openFile(ctx context.Context, name string, info fs.FileInfo, o Options) (*Input, error) {
	opened := wait.Of(ctx).For(name) // a pipe waits for who writes
	f, err := os.Open(name)
	if opened(); err != nil {
		return nil, err
	}
	var first [8]byte
	if info.Mode().IsRegular() { // of a pipe, what is read is gone
		n, _ := f.ReadAt(first[:], 0)
		if parquet.IsFile(first[:n]) {
			if err := f.Close(); err != nil {
				return nil, err
			}
			s, rows, err := parquet.ReadFile(ctx, name, o.Workers)
			if errors.Is(err, parquet.ErrForeign) {
				return openForeign(ctx, name, []part{{path: name}}, o)
			}
			return &Input{Stream: s, Rows: rows}, err
		}
		foreign, err := isForeignFile(name, first[:n])
		if foreign || err != nil {
			if err = errors.Join(err, f.Close()); err != nil {
				return nil, err
			}
			return openForeign(ctx, name, []part{{path: name}}, o)
		}
	}
	return fromFile(ctx, name, f, o)
}

// fromFile reads a stream from an open file, which it closes.
func fromFile(ctx context.Context, name string, f io.ReadCloser, o Options) (*Input, error) {
	s, err := pipeline.ReadWith(ctx, f, o.readOptions())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), f.Close())
	}
	s.Batches = named(name, s.Batches)
	return &Input{Stream: s, Rows: -1, close: f.Close}, nil
}

// openURL opens a dataset's folder, or one of its files, in an object store.
func openURL(ctx context.Context, name string, o Options) (*Input, error) {
	folder, err := storage.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	if local, ok := storage.Local(folder); ok {
		return open(ctx, local, o)
	}
	if dir, file := path.Split(name); strings.HasSuffix(file, ".arrow") {
		parent, err := storage.Open(ctx, dir)
		if err != nil {
			return nil, err
		}
		f, err := parent.Open(file)
		if err != nil {
			return nil, err
		}
		return fromFile(ctx, name, buffered{bufio.NewReaderSize(f, 1<<20), f}, o)
	}
	s, m, close, err := storage.Stream(ctx, folder)
	return &Input{Stream: s, Rows: m.Rows, close: close}, err
}

type buffered struct {
	io.Reader
	io.Closer
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
