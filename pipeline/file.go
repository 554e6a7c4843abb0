package pipeline

import (
	"errors"
	"fmt"

	"github.com/pipa-uda/pipa/pipeline/internal/arrowio"
)

// A File is random access to the batches of an Arrow IPC file in memory, read or
// mapped, that [WriteFile] wrote. It is safe for use by several goroutines.
type File struct {
	header Header
	file   *arrowio.File
}

// ErrForeign is wrapped where a file was not written by [WriteFile]: its rows are
// read in order, by [FileTables] and [ReadTables].
var ErrForeign = errors.New("the file was not written by pipa")

// OpenFile reads the header and finds the batches. They are views into data, which
// has to outlive them. Where data is a mapped file, a page that cannot be read is a
// fault in whoever calls.
func OpenFile(data []byte) (*File, error) {
	file, err := arrowio.OpenFile(data)
	if err != nil {
		return nil, err
	}
	header, ours, err := expect(file)
	if err != nil {
		return nil, err
	}
	if !ours {
		return nil, ErrForeign
	}
	return &File{header, file}, nil
}

// FileTables reads an Arrow IPC file in memory that another program may have
// written, by its footer, and says how many rows it has. What it yields is a view
// into data.
func FileTables(data []byte) (t Tables, rows int, err error) {
	file, err := arrowio.OpenFile(data)
	if err != nil {
		return nil, 0, err
	}
	if err := file.Footer(); err != nil {
		return nil, 0, err
	}
	for i := range file.Len() {
		n, err := file.Rows(i)
		if err != nil {
			return nil, 0, fmt.Errorf("batch %d: %w", i, err)
		}
		rows += n
	}
	return &fileTables{file: file}, rows, nil
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
