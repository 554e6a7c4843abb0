package parquet

import (
	"context"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"regexp"
	"runtime"

	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/zeebo/xxh3"
)

// Options says how a folder is written. The zero value is usable.
type Options struct {
	ShardBytes   int64  // a file is closed once its PNGs are larger; 0 means 256 MiB
	RowsPerGroup int    // rows of a row group, which is what readers fetch at once; 0 means 100, Hugging Face's for images
	Compression  string // of all columns but the PNGs, which do not shrink: zstd (also "") or snappy
	Workers      int    // goroutines that encode and compare; 0 means one for each processor
	Force        bool   // replace what the folder holds
	// Progress is called with the rows written and compared so far; nil is silent.
	Progress func(rows int)

	// written is a test's chance to damage a file before it is compared.
	written func(path string)
}

// Validate names the option that is out of range.
func (o Options) Validate() error {
	if o.ShardBytes < 0 {
		return fmt.Errorf("ShardBytes is %d, want 0 or more", o.ShardBytes)
	}
	if o.RowsPerGroup < 0 || o.RowsPerGroup > maxGroupRows {
		return fmt.Errorf("RowsPerGroup is %d, want 0 to %d", o.RowsPerGroup, maxGroupRows)
	}
	if o.Workers < 0 {
		return fmt.Errorf("workers is %d, want 0 or more", o.Workers)
	}
	switch o.Compression {
	case "", "zstd", "snappy":
		return nil
	}
	return fmt.Errorf("compression is %q, want zstd or snappy", o.Compression)
}

func (o Options) withDefaults() Options {
	if o.ShardBytes == 0 {
		o.ShardBytes = 256 << 20
	}
	if o.RowsPerGroup == 0 {
		o.RowsPerGroup = 100
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Progress == nil {
		o.Progress = func(int) {}
	}
	if o.written == nil {
		o.written = func(string) {}
	}
	return o
}

// Write writes a stream as a folder of Parquet files part-NNNNN.parquet, or
// SPLIT-NNNNN.parquet where all rows are of one split other than train, and a
// manifest. Each file is read back, its PNGs decoded, and every row compared
// with the one that went in, by the digest of its pixels and fields. dir holds
// nothing new until all that is done: the files are written into a folder
// beside it, which is renamed at the end, and removed on any error.
func Write(ctx context.Context, dir string, s pipeline.Stream, o Options) (m Manifest, err error) {
	if err := o.Validate(); err != nil {
		return m, fmt.Errorf("write Parquet folder %s: %w", dir, err)
	}
	o = o.withDefaults()
	err = files.WriteDir(dir, o.Force, func(aside string) error {
		w := &writer{dir: aside, header: s.Header, o: o, columns: columnsOf(s.Header), census: census{}, splits: map[string]bool{}}
		if m.Files, err = w.files(ctx, s); err != nil {
			return err
		}
		if err := w.nameSplit(m.Files); err != nil {
			return err
		}
		m.Format, m.Kind, m.Rows, m.Pixels = manifestFormat, s.Header.Kind, w.rows, w.census.table(s.Header.Classes)
		if m.Digest, err = m.digest(); err != nil {
			return err
		}
		return files.Write(filepath.Join(aside, ManifestFile), true, func(to io.Writer) error { return m.write(to, s.Header) })
	})
	if err != nil {
		return m, fmt.Errorf("write Parquet folder: %w", err)
	}
	return m, nil
}

// writer is a Write under way.
type writer struct {
	dir     string
	header  pipeline.Header
	o       Options
	columns []column
	census  census
	splits  map[string]bool // of rows
	rows    int             // in finished files
}

// nameSplit names the files for the split that all rows are of, unless that is
// train, which other names mean too: datasets' load_dataset goes by the names.
func (w *writer) nameSplit(list []File) error {
	for split := range w.splits {
		if len(w.splits) > 1 || split == "train" || !plainSplit.MatchString(split) {
			return nil
		}
		for i := range list {
			name := fmt.Sprintf("%s-%05d.parquet", split, i)
			if err := os.Rename(filepath.Join(w.dir, list[i].File), filepath.Join(w.dir, name)); err != nil {
				return err
			}
			list[i].File = name
		}
	}
	return nil
}

var plainSplit = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// A mark is what is kept of a row to compare it by.
type mark struct {
	id     string
	digest uint64
}

// files writes and compares file after file. Rows are encoded ahead while a
// file is compared, a bounded number of them.
func (w *writer) files(ctx context.Context, s pipeline.Stream) (files []File, err error) {
	next, stop := iter.Pull2(w.encoded(ctx, s))
	defer stop()
	for more := true; more; {
		f := File{File: fmt.Sprintf("part-%05d.parquet", len(files))}
		path := filepath.Join(w.dir, f.File)
		var marks []mark
		if marks, more, err = w.file(path, &f, next); err != nil {
			return files, fmt.Errorf("%s: %w", f.File, err)
		}
		w.o.written(path)
		if err := w.compare(ctx, path, f, marks); err != nil {
			return files, fmt.Errorf("%s is not what went in: %w", f.File, err)
		}
		files = append(files, f)
		w.rows += f.Rows
	}
	return files, nil
}

// encoded yields the stream's rows in order, their rasters turned into PNG.
func (w *writer) encoded(ctx context.Context, s pipeline.Stream) iter.Seq2[*row, error] {
	type place struct {
		b *pipeline.Batch
		r *row
		n int // in the stream
	}
	places := func(yield func(place, error) bool) {
		n := 0
		for b, err := range s.Batches {
			if err != nil {
				yield(place{}, err)
				return
			}
			for i := range b.Len() {
				r, err := rowOf(b, i)
				if err != nil {
					b.Release()
					yield(place{}, fmt.Errorf("row %d: %w", n, err))
					return
				}
				b.Retain() // until the row is encoded
				if !yield(place{b, r, n}, nil) {
					b.Release()
					return
				}
				n++
			}
			b.Release()
		}
	}
	return pipeline.Map(ctx, w.o.Workers, places, func(_ context.Context, p place) (*row, error) {
		defer p.b.Release()
		err := p.r.derive(w.header)
		if err == nil {
			err = p.r.encode(w.columns)
		}
		if err != nil {
			return nil, fmt.Errorf("row %d (%s): %w", p.n, p.r.id, err)
		}
		return p.r, nil
	}, nil)
}

// file writes rows until the file is full, and reports whether there may be more.
func (w *writer) file(path string, f *File, next func() (*row, error, bool)) (marks []mark, more bool, err error) {
	hash := xxh3.New()
	err = files.Write(path, true, func(out io.Writer) error {
		t, err := newTableWriter(io.MultiWriter(out, hash, (*counter)(&f.Bytes)), w.header, w.o)
		if err != nil {
			return err
		}
		more = true
		for size := int64(0); size < w.o.ShardBytes; {
			r, err, ok := next()
			if err != nil {
				return err
			}
			if !ok {
				more = false
				break
			}
			marks = append(marks, mark{r.id, r.digest})
			w.census.add(r)
			w.splits[r.splitName()] = true
			n, err := t.append(r)
			if err != nil {
				return err
			}
			size += int64(n)
		}
		return t.close()
	})
	f.Rows, f.Digest = len(marks), fmt.Sprintf("%016x", hash.Sum64())
	return marks, more, err
}

// counter counts the bytes written to it.
type counter int64

func (c *counter) Write(b []byte) (int, error) {
	*c += counter(len(b))
	return len(b), nil
}

// compare reads a file back, and compares it with what was written and its rows
// with those that went in.
func (w *writer) compare(ctx context.Context, path string, f File, marks []mark) error {
	n := 0
	for r, err := range decoded(ctx, fileRows(path, f, w.header), w.header, w.o.Workers) {
		if err != nil {
			return err
		}
		if n == len(marks) {
			return fmt.Errorf("it has more than the %d rows that went in", n)
		}
		if err := marks[n].compare(r); err != nil {
			return fmt.Errorf("row %d: %w", n, err)
		}
		n++
		w.o.Progress(w.rows + n)
	}
	if n != len(marks) {
		return fmt.Errorf("it has %d rows, %d went in", n, len(marks))
	}
	return nil
}

// compare fails unless a row, which matches its own digest, is the one marked.
func (m mark) compare(r *row) error {
	if r.id != m.id || r.digest != m.digest {
		return fmt.Errorf("it is %s with digest %016x, %s with %016x went in", r.id, r.digest, m.id, m.digest)
	}
	return nil
}
