package arrowio

import (
	"errors"
	"io"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/ipc"
)

type writer interface {
	Write(arrow.Record) error
	Close() error
}

// A Writer writes records as an IPC stream or file. Close ends it with the
// marker that says it is whole, so a Writer whose output is incomplete is
// dropped, not closed.
type Writer struct{ w writer }

// NewStreamWriter writes a stream to w.
func NewStreamWriter(w io.Writer, schema *arrow.Schema) *Writer {
	return &Writer{ipc.NewWriter(w, ipc.WithSchema(schema))}
}

// NewFileWriter writes a file to w, from its beginning.
func NewFileWriter(w io.Writer, schema *arrow.Schema) *Writer {
	return &Writer{newFileWriter(&seeker{w: w}, schema)}
}

// Write writes one record.
func (w *Writer) Write(rec arrow.Record) error { return w.w.Write(rec) }

// Close completes the output.
func (w *Writer) Close() error { return w.w.Close() }

func newFileWriter(s *seeker, schema *arrow.Schema) writer {
	f, err := ipc.NewFileWriter(s, ipc.WithSchema(schema))
	if err != nil {
		return failed{err}
	}
	return f
}

// failed is a writer that could not be made.
type failed struct{ err error }

func (f failed) Write(arrow.Record) error { return f.err }
func (f failed) Close() error             { return f.err }

// seeker answers where a sequential output stands, which is all that Arrow's
// file writer asks.
type seeker struct {
	w  io.Writer
	at int64
}

func (s *seeker) Write(b []byte) (int, error) {
	n, err := s.w.Write(b)
	s.at += int64(n)
	return n, err
}

func (s *seeker) Seek(offset int64, whence int) (int64, error) {
	if offset == 0 && whence == io.SeekCurrent {
		return s.at, nil
	}
	return 0, errors.New("a stream cannot seek")
}
