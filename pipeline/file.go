package pipeline

import (
	"fmt"

	"github.com/pipa-uda/pipa/pipeline/internal/arrowio"
)

// A File is random access to the batches of an Arrow IPC file in memory, read or
// mapped, that [WriteFile] wrote. It is safe for use by several goroutines.
type File struct {
	header Header
	file   *arrowio.File
}

// OpenFile reads the header and finds the batches. They are views into data, which
// has to outlive them. Where data is a mapped file, a page that cannot be read is a
// fault in whoever calls.
func OpenFile(data []byte) (*File, error) {
	f := &File{}
	var err error
	if f.file, err = arrowio.OpenFile(data, expect(&f.header)); err != nil {
		return nil, err
	}
	return f, nil
}

// Header is that of the file's rows.
func (f *File) Header() Header { return f.header }

// Len is the number of batches.
func (f *File) Len() int { return f.file.Len() }

// Rows is the number of rows of batch i, as it declares it.
func (f *File) Rows(i int) (int, error) { return f.file.Rows(i) }

// Batch decodes batch i, a view into the file's memory, and checks its rows.
func (f *File) Batch(i int) (*Batch, error) {
	rec, err := f.file.Record(i)
	if err != nil {
		return nil, err
	}
	b, err := newBatch(&f.header, rec)
	if err != nil {
		rec.Release()
		return nil, fmt.Errorf("batch %d: %w", i, err)
	}
	return b, nil
}
