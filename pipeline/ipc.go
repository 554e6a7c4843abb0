package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"syscall"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/pipa-uda/pipa/internal/wait"
	"github.com/pipa-uda/pipa/pipeline/columns"
	"github.com/pipa-uda/pipa/pipeline/internal/arrowio"
)

// ErrClosedPipe is returned by Write when its reader has gone, as in
// "producer | head": the producer's work is done, not failed.
var ErrClosedPipe = errors.New("the reader of the stream has closed it")

// ErrNotArrow is wrapped where what is read is not an Arrow IPC stream, ErrEmpty,
// which wraps it, where there is nothing to read.
var (
	ErrNotArrow = arrowio.ErrNotArrow
	ErrEmpty    = arrowio.ErrEmpty
)

// A FormatError says that data are whole, as far as can be seen, and of another
// format or version than the one that is read.
type FormatError struct{ Reason string }

func (e *FormatError) Error() string { return e.Reason }

// Write writes a stream to w and ends it with the marker that says it is
// whole. After an error the marker is missing, so that no reader takes the
// part for the whole.
func Write(ctx context.Context, w io.Writer, s Stream) error {
	widen(w)
	return write(ctx, s, func(schema *arrow.Schema) *arrowio.Writer { return arrowio.NewStreamWriter(w, schema) })
}

// WriteFile writes a stream to w as an Arrow IPC file, which [OpenFile] reads by
// batches.
func WriteFile(ctx context.Context, w io.Writer, s Stream) error {
	return write(ctx, s, func(schema *arrow.Schema) *arrowio.Writer { return arrowio.NewFileWriter(w, schema) })
}

func write(ctx context.Context, s Stream, open func(*arrow.Schema) *arrowio.Writer) error {
	schema, err := s.Header.schema()
	if err != nil {
		return err
	}
	w := open(schema)
	for b, err := range s.Batches {
		if err != nil {
			return err
		}
		err = w.Write(b.record)
		b.Release()
		if err != nil {
			return writeError(err)
		}
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
	}
	if err := w.Close(); err != nil {
		return writeError(err)
	}
	return nil
}

// ClosedPipe is [ErrClosedPipe] where err says that the reader has gone, else err.
func ClosedPipe(err error) error {
	if errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrClosedPipe) {
		return ErrClosedPipe
	}
	return err
}

func writeError(err error) error {
	if err = ClosedPipe(err); err == ErrClosedPipe {
		return err
	}
	return fmt.Errorf("write stream: %w", err)
}

// Read reads a stream, or an Arrow IPC file from its beginning. The header is
// read at once; everything is validated before it is yielded, and the last
// thing yielded is an error unless the stream was whole.
func Read(ctx context.Context, r io.Reader) (Stream, error) { return ReadWith(ctx, r, ReadOptions{}) }

// ReadWith is Read for streams that other programs may have written.
func ReadWith(ctx context.Context, r io.Reader, o ReadOptions) (Stream, error) {
	widen(r)
	if f, ok := r.(*os.File); ok {
		r = wait.Of(ctx).Reader(f, f.Name())
	}
	rd, err := arrowio.NewReader(r)
	if err != nil {
		return Stream{}, fmt.Errorf("read stream: %w", err)
	}
	header, ours, err := expect(rd)
	if err != nil {
		return Stream{}, fmt.Errorf("read stream: %w", err)
	}
	if ours {
		return Stream{header, readBatches(ctx, rd, &header)}, nil
	}
	return ReadTables(ctx, &streamTables{rd: rd}, o)
}

// expect asks a reader whether its stream is this module's, and returns the header
// of one that is. The bytes of the schema decide.
func expect(rd interface {
	Schema() columns.Schema
	Mentions(text string) bool
	Ours(want *arrow.Schema) (bool, error)
}) (Header, bool, error) {
	m := rd.Schema().Metadata
	s, err := parseMetadata(m)
	if err != nil {
		return s.Header, false, err
	}
	if _, marked := m[keyWriter]; !marked && rd.Mentions(keyWriter) && !mentioned(m, keyWriter) {
		return s.Header, false, fmt.Errorf("the stream's metadata is damaged: it lies in the schema, and cannot be found there")
	}
	if !s.has[keyKind] || s.Validate() != nil {
		return s.Header, false, nil
	}
	schema, err := s.schema()
	if err != nil {
		return s.Header, false, err
	}
	ours, err := rd.Ours(schema)
	return s.Header, ours, err
}

// mentioned reports whether a text stands in an entry's value.
func mentioned(m map[string]string, text string) bool {
	for _, v := range m {
		if strings.Contains(v, text) {
			return true
		}
	}
	return false
}

func readBatches(ctx context.Context, rd *arrowio.Reader, header *Header) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		for n := 0; ; n++ {
			if ctx.Err() != nil {
				yield(nil, context.Cause(ctx))
				return
			}
			rec, free, err := rd.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(nil, fmt.Errorf("read stream: %w", err))
				return
			}
			b, err := newBatch(header, rec)
			if err == nil {
				b.free = free
			}
			if err != nil {
				rec.Release()
				yield(nil, fmt.Errorf("read stream: batch %d: %w", n, err))
				return
			}
			if !yield(b, nil) {
				return
			}
		}
	}
}
