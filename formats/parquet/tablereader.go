package parquet

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"sync"
	"unsafe"

	"github.com/apache/arrow/go/v15/arrow/memory"
	arrowparquet "github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/file"
	"github.com/apache/arrow/go/v15/parquet/schema"
	"github.com/pipa-uda/pipa/pipeline"
)

// A table is a Parquet file in memory, its metadata checked.
type table struct {
	data   []byte
	header pipeline.Header
	// manifest is the text of a folder's, in the file that has it.
	manifest string
	columns  []column
	r        *file.Reader
}

// ErrForeign is wrapped where a file was not written by [Write]: [Tables] reads it.
var ErrForeign = errors.New("the Parquet file was not written by pipa")

// openTable checks a file's metadata: its schema has to be that of its kind,
// and every length has to lie in the file.
func openTable(data []byte) (t *table, err error) {
	defer recovered(&err)
	if err := checkFooter(data); err != nil {
		return nil, err
	}
	t = &table{data: data}
	if t.r, err = file.NewParquetReader(bytes.NewReader(data)); err != nil {
		return nil, err
	}
	m := t.r.MetaData()
	if m.IsSetEncryptionAlgorithm() {
		return nil, fmt.Errorf("it is encrypted")
	}
	pairs := map[string]string{}
	for _, kv := range m.KeyValueMetadata() {
		pairs[kv.GetKey()] = kv.GetValue()
	}
	if _, ok := pairs[keyKind]; !ok {
		return nil, fmt.Errorf("%w: its metadata lacks %s", ErrForeign, keyKind)
	}
	if t.header, err = headerOf(pairs); err != nil {
		return nil, err
	}
	t.columns, t.manifest = columnsOf(t.header), pairs[keyManifest]
	root, err := tableSchema(t.header)
	if err != nil {
		return nil, err
	}
	if want := schema.NewSchema(root); m.Schema == nil || !m.Schema.Equals(want) {
		return nil, fmt.Errorf("%w: its columns are not those of %s", ErrForeign, t.header.Kind.Plural())
	}
	rows := int64(0)
	for i := range m.RowGroups {
		n := m.RowGroup(i).NumRows()
		if n <= 0 || n > min(maxGroupRows, int64(len(data)/minPictureBytes)) || m.RowGroup(i).NumColumns() != m.Schema.NumColumns() {
			return nil, fmt.Errorf("row group %d has %d rows and %d columns", i, n, m.RowGroup(i).NumColumns())
		}
		rows += n
	}
	if rows != m.GetNumRows() {
		return nil, fmt.Errorf("its row groups have %d rows, it declares %d", rows, m.GetNumRows())
	}
	return t, nil
}

// len is the number of rows.
func (t *table) len() int { return int(t.r.NumRows()) }

// rows yields the rows, still encoded, with memory of their own. A row group is
// in memory at a time.
func (t *table) rows(yield func(*row, error) bool) {
	for i := range t.r.NumRowGroups() {
		group, err := t.group(i)
		if err != nil {
			yield(nil, fmt.Errorf("row group %d: %w", i, err))
			return
		}
		for _, r := range group {
			if !yield(r, nil) {
				return
			}
		}
	}
}

var _ iter.Seq2[*row, error] = (*table)(nil).rows

// group reads a row group column by column.
func (t *table) group(i int) (rows []*row, err error) {
	defer recovered(&err)
	g := &groupReader{g: t.r.RowGroup(i), schema: t.r.MetaData().Schema, data: t.data, pool: newPool()}
	rows = make([]*row, g.g.NumRows())
	for i := range rows {
		rows[i] = new(row)
	}
	for _, c := range t.columns {
		if err := g.column(c, rows); err != nil {
			return nil, fmt.Errorf("column %s: %w", c.name, err)
		}
	}
	return rows, nil
}

// groupReader reads the columns of a row group in order.
type groupReader struct {
	g      *file.RowGroupReader
	schema *schema.Schema
	data   []byte
	next   int   // the file's column
	open   int64 // bytes of pages
	pool   sync.Pool
}

func (g *groupReader) column(c column, rows []*row) error {
	switch c.field(rows[0]).(type) {
	case *string:
		// Rows of one entry of the dictionary share it, here too.
		known := map[*byte]string{}
		return readInto[arrowparquet.ByteArray, *file.ByteArrayColumnChunkReader](g, rows, c, func(to *string, v arrowparquet.ByteArray) {
			text, ok := known[unsafe.SliceData(v)]
			if !ok || len(text) != len(v) {
				text = string(v)
				known[unsafe.SliceData(v)] = text
			}
			*to = text
		})
	case *int32:
		return readInto[int32, *file.Int32ColumnChunkReader](g, rows, c, func(to *int32, v int32) { *to = v })
	case *uint64:
		return readInto[int64, *file.Int64ColumnChunkReader](g, rows, c, func(to *uint64, v int64) { *to = uint64(v) })
	case *float32:
		return readInto[float32, *file.Float32ColumnChunkReader](g, rows, c, func(to *float32, v float32) { *to = v })
	case *bool:
		return readInto[bool, *file.BooleanColumnChunkReader](g, rows, c, func(to *bool, v bool) { *to = v })
	case *[]uint8:
		return readLists(g, len(rows), func(i int, v int32) error {
			to := c.field(rows[i]).(*[]uint8)
			*to = append(*to, uint8(v))
			if v < 0 || v > 255 {
				return fmt.Errorf("row %d has %d", i, v)
			}
			return nil
		})
	case *[]int32:
		return readLists(g, len(rows), func(i int, v int32) error {
			to := c.field(rows[i]).(*[]int32)
			*to = append(*to, v)
			return nil
		})
	case *picture:
		if err := readPictures(g, rows, c, func(p *picture, v []byte) { p.png = v }); err != nil {
			return err
		}
		return readPictures(g, rows, c, func(*picture, []byte) {}) // path tells nothing the row does not
	}
	return fmt.Errorf("no Parquet type for %T", c.field(rows[0]))
}

// batchReader is what Arrow's column readers have in common.
type batchReader[T any] interface {
	ReadBatch(n int64, values []T, definition, repetition []int16) (total int64, read int, err error)
}

// values reads the next column of the file whole: its values, and its levels
// where it has any. A row has up to most values.
func values[T any, R batchReader[T]](g *groupReader, most int64) (out []T, definition, repetition []int16, err error) {
	i := g.next
	g.next++
	chunk, err := g.g.MetaData().ColumnChunk(i)
	if err != nil {
		return nil, nil, nil, err
	}
	if err := checkChunk(g.data, chunk, g.g.NumRows(), most); err != nil {
		return nil, nil, nil, fmt.Errorf("column chunk %d: %w", i, err)
	}
	descr := g.schema.Column(i)
	p, err := newPages(g.data, descr, chunk, &g.open)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("column chunk %d: %w", i, err)
	}
	p.keep = true
	c := file.NewColumnReader(descr, p, memory.DefaultAllocator, &g.pool)
	r, ok := c.(R)
	if !ok {
		return nil, nil, nil, fmt.Errorf("the file's column is read with %T", c)
	}
	n := chunk.NumValues()
	out, definition, repetition = make([]T, n), make([]int16, n), make([]int16, n)
	var levels int64
	read := 0
	for levels < n {
		total, got, err := r.ReadBatch(n-levels, out[read:], definition[levels:], repetition[levels:])
		if err != nil {
			return nil, nil, nil, err
		}
		if total <= 0 {
			return nil, nil, nil, fmt.Errorf("column chunk %d ends after %d of %d values", i, levels, n)
		}
		levels += total
		read += got
	}
	return out[:read], definition, repetition, nil
}

// readInto reads a column that has a value in every row.
func readInto[T any, R batchReader[T], Field any](g *groupReader, rows []*row, c column, set func(*Field, T)) error {
	v, _, _, err := values[T, R](g, 1)
	if err != nil {
		return err
	}
	if len(v) != len(rows) {
		return fmt.Errorf("%d values in %d rows", len(v), len(rows))
	}
	for i, r := range rows {
		set(c.field(r).(*Field), v[i])
	}
	return nil
}

// readLists calls add with each element and the number of its row.
func readLists(g *groupReader, rows int, add func(row int, v int32) error) error {
	v, definition, repetition, err := values[int32, *file.Int32ColumnChunkReader](g, maxListLen)
	if err != nil {
		return err
	}
	row := -1
	for i, d := range definition {
		if repetition[i] == 0 {
			row++
		}
		if row < 0 || row >= rows {
			return fmt.Errorf("its lists are not of %d rows", rows)
		}
		if d == 0 {
			continue
		}
		if len(v) == 0 {
			return fmt.Errorf("row %d lacks a value", row)
		}
		if err := add(row, v[0]); err != nil {
			return err
		}
		v = v[1:]
	}
	if row != rows-1 || len(v) > 0 {
		return fmt.Errorf("its lists are of %d rows, want %d", row+1, rows)
	}
	return nil
}

// readPictures reads bytes or path of pictures.
func readPictures(g *groupReader, rows []*row, c column, set func(*picture, []byte)) error {
	v, definition, _, err := values[arrowparquet.ByteArray, *file.ByteArrayColumnChunkReader](g, 1)
	if err != nil {
		return err
	}
	if len(definition) != len(rows) {
		return fmt.Errorf("%d values in %d rows", len(definition), len(rows))
	}
	for i, r := range rows {
		if definition[i] < 2 {
			continue
		}
		if len(v) == 0 {
			return fmt.Errorf("row %d lacks a value", i)
		}
		set(c.field(r).(*picture), v[0])
		v = v[1:]
	}
	return nil
}
