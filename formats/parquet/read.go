package parquet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"path/filepath"

	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/zeebo/xxh3"
	"golang.org/x/sys/unix"
)

// Read reads a folder that [Write] made back to the stream it was made of: the
// same header and rows, with the same digests, in batches of its own. Each file
// is compared with the manifest's digest before it is looked into, and each row
// with its own. A file is mapped only while its rows are taken, so there is
// nothing to close.
func Read(ctx context.Context, dir string, workers int) (s pipeline.Stream, m Manifest, err error) {
	if m, err = ReadManifest(dir); err != nil {
		return s, m, fmt.Errorf("read Parquet folder: %w", err)
	}
	header, err := fileHeader(dir, m.Files[0], m.Kind)
	if err != nil {
		return s, m, fmt.Errorf("read Parquet folder: %w", err)
	}
	s.Header = header
	s.Batches = batches(header, func(yield func(*row, error) bool) {
		for _, f := range m.Files {
			for r, err := range decoded(ctx, fileRows(filepath.Join(dir, f.File), f, header), header, workers) {
				if err != nil {
					err = fmt.Errorf("read Parquet folder: %s: %w", filepath.Join(dir, f.File), err)
				}
				if !yield(r, err) || err != nil {
					return
				}
			}
		}
	})
	return s, m, nil
}

// IsFile reports whether a file's first bytes are those of Parquet.
func IsFile(first []byte) bool { return bytes.HasPrefix(first, []byte(magic)) }

// ReadFile reads one file of a folder that [Write] made, on its own, and says how
// many rows it has. There is no manifest to compare the file with; each row is
// compared with its digest.
func ReadFile(ctx context.Context, path string, workers int) (s pipeline.Stream, rows int, err error) {
	err = withTable(path, File{}, func(t *table) error {
		s.Header, rows = t.header, t.len()
		return nil
	})
	if err != nil {
		return s, 0, fmt.Errorf("read Parquet file %s: %w", path, err)
	}
	s.Batches = batches(s.Header, func(yield func(*row, error) bool) {
		for r, err := range decoded(ctx, fileRows(path, File{}, s.Header), s.Header, workers) {
			if err != nil {
				err = fmt.Errorf("read Parquet file %s: %w", path, err)
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	})
	return s, rows, nil
}

// Verify compares every file of a folder with the manifest, and every row with
// its digest. Its error names each damaged file, and the first damaged row in
// it. progress is called with the rows checked so far; nil is silent.
func Verify(ctx context.Context, dir string, workers int, progress func(rows int)) error {
	m, err := ReadManifest(dir)
	if err != nil {
		return fmt.Errorf("verify Parquet folder: %w", err)
	}
	var failed []error
	var first *pipeline.Header // of the files that can be read
	n := 0
	for _, f := range m.Files {
		header, err := fileHeader(dir, f, m.Kind)
		if err != nil {
			failed = append(failed, err)
			continue
		}
		if first == nil {
			first = &header
		}
		path := filepath.Join(dir, f.File)
		for _, err := range decoded(ctx, fileRows(path, f, *first), *first, workers) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err != nil {
				failed = append(failed, fmt.Errorf("%s: %w", path, err))
				break
			}
			if n++; progress != nil {
				progress(n)
			}
		}
	}
	return errors.Join(failed...)
}

// fileHeader reads the header of a folder's file.
func fileHeader(dir string, f File, kind pipeline.Kind) (header pipeline.Header, err error) {
	path := filepath.Join(dir, f.File)
	err = withTable(path, f, func(t *table) error {
		header = t.header
		return nil
	})
	if err == nil && header.Kind != kind {
		err = fmt.Errorf("it has %s, the manifest says %s", header.Kind.Plural(), kind.Plural())
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return header, err
}

// withTable maps a file, compares it with its digest, and opens it. Of a file that
// is read on its own nothing is recorded: want has no name then.
func withTable(path string, want File, use func(*table) error) (err error) {
	f, err := files.OpenIn(filepath.Dir(path), filepath.Base(path))
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	alone := want.File == ""
	if info.Size() <= 0 || !alone && info.Size() != want.Bytes {
		return fmt.Errorf("it has %d bytes, recorded are %d", info.Size(), want.Bytes)
	}
	data, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map: %w", err)
	}
	defer func() { err = errors.Join(err, unix.Munmap(data)) }()
	return files.Mapped("its content", func() error {
		if !alone {
			if d := fmt.Sprintf("%016x", xxh3.Hash(data)); d != want.Digest {
				return fmt.Errorf("it is damaged: its digest is %s, recorded is %s", d, want.Digest)
			}
		}
		t, err := openTable(data)
		if err != nil {
			return err
		}
		if !alone && t.len() != want.Rows {
			return fmt.Errorf("it has %d rows, recorded are %d", t.len(), want.Rows)
		}
		return use(t)
	})
}

// fileRows yields a file's rows, still encoded. The file has to be of this
// header.
func fileRows(path string, f File, h pipeline.Header) iter.Seq2[*row, error] {
	return func(yield func(*row, error) bool) {
		err := withTable(path, f, func(t *table) error {
			if same, err := sameHeader(t.header, h); err != nil || !same {
				return fmt.Errorf("its metadata differs from that of the other files, or of the stream")
			}
			for r, err := range t.rows {
				if err != nil {
					return err
				}
				if !yield(r, nil) {
					return errStopped
				}
			}
			return nil
		})
		if err != nil && !errors.Is(err, errStopped) {
			yield(nil, err)
		}
	}
}

var errStopped = errors.New("stopped")

// decoded yields rows in order, their PNGs turned into rasters and their
// contents compared with their digests, which is done on up to workers
// goroutines. An error names the row.
func decoded(ctx context.Context, rows iter.Seq2[*row, error], h pipeline.Header, workers int) iter.Seq2[*row, error] {
	type numbered struct {
		r *row
		n int
	}
	columns := columnsOf(h)
	in := func(yield func(numbered, error) bool) {
		n := 0
		for r, err := range rows {
			if !yield(numbered{r, n}, err) {
				return
			}
			n++
		}
	}
	return pipeline.Map(ctx, workers, in, func(_ context.Context, v numbered) (*row, error) {
		if err := v.r.decode(h, columns); err != nil {
			return nil, fmt.Errorf("row %d (%s): %w", v.n, v.r.id, err)
		}
		return v.r, nil
	}, nil)
}

// batchRows is the most rows of a batch that is read.
const batchRows = 64

// rowBytes is more than a row's columns other than its rasters take.
const rowBytes = 4096

// batches collects decoded rows.
func batches(h pipeline.Header, rows iter.Seq2[*row, error]) iter.Seq2[*pipeline.Batch, error] {
	return func(yield func(*pipeline.Batch, error) bool) {
		out := pipeline.NewBuilder(h)
		defer out.Release()
		held := 0
		flush := func() bool {
			held = 0
			b, err := out.Batch()
			return yield(b, err) && err == nil
		}
		for r, err := range rows {
			if err == nil {
				size := r.rasterBytes() + rowBytes
				if out.Len() > 0 && (out.Len() >= batchRows || held+size > pipeline.BatchBytes) && !flush() {
					return
				}
				held += size
				err = r.appendTo(out)
			}
			if err != nil {
				yield(nil, err)
				return
			}
		}
		if out.Len() > 0 {
			flush()
		}
	}
}
