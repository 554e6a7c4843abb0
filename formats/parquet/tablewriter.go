package parquet

import (
	"fmt"
	"io"

	arrowparquet "github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/compress"
	"github.com/apache/arrow/go/v15/parquet/file"
	"github.com/apache/arrow/go/v15/parquet/metadata"
	"github.com/pipa-uda/pipa/pipeline"
)

// groupBytes closes a row group by its PNGs: a group is held in memory while it
// is collected, since Parquet stores it column by column.
const groupBytes = 64 << 20

// A tableWriter writes encoded rows as one Parquet file.
type tableWriter struct {
	w       *file.Writer
	columns []column
	group   []*row
	held    int // bytes of the group's PNGs
	rows    int // of a full group
}

func newTableWriter(w io.Writer, h pipeline.Header, o Options, more ...entry) (t *tableWriter, err error) {
	defer recovered(&err)
	root, err := tableSchema(h)
	if err != nil {
		return nil, err
	}
	pairs, err := entries(h)
	if err != nil {
		return nil, err
	}
	kv := metadata.NewKeyValueMetadata()
	for _, e := range append(pairs, more...) {
		if err := kv.Append(e.key, e.value); err != nil {
			return nil, err
		}
	}
	codec := compress.Codecs.Zstd
	if o.Compression == "snappy" {
		codec = compress.Codecs.Snappy
	}
	t = &tableWriter{columns: columnsOf(h), rows: o.RowsPerGroup}
	properties := []arrowparquet.WriterProperty{arrowparquet.WithCreatedBy("pipa " + pipeline.FormatVersion), arrowparquet.WithCompression(codec),
		// Page version 1 is what every reader knows.
		arrowparquet.WithDataPageVersion(arrowparquet.DataPageV1)}
	for _, c := range t.columns {
		if _, ok := c.field(&row{}).(*picture); ok {
			png := c.name + ".bytes"
			// PNG does not shrink, has no use for a dictionary, and is not a bound to compare with.
			properties = append(properties, arrowparquet.WithCompressionFor(png, compress.Codecs.Uncompressed),
				arrowparquet.WithDictionaryFor(png, false), arrowparquet.WithStatsFor(png, false))
		}
	}
	t.w = file.NewParquetWriter(w, root, file.WithWriterProps(arrowparquet.NewWriterProperties(properties...)), file.WithWriteMetadata(kv))
	return t, nil
}

// append adds an encoded row, which it keeps until its group is full, and tells
// how many bytes of PNG it has.
func (t *tableWriter) append(r *row) (size int, err error) {
	for _, p := range r.pictures() {
		size += len(p.png)
	}
	t.group = append(t.group, r)
	t.held += size
	if len(t.group) >= t.rows || t.held >= groupBytes {
		return size, t.flush()
	}
	return size, nil
}

// flush writes the group column by column.
func (t *tableWriter) flush() (err error) {
	defer recovered(&err)
	if len(t.group) == 0 {
		return nil
	}
	g := t.w.AppendRowGroup()
	for _, c := range t.columns {
		if err := writeColumn(g, c, t.group); err != nil {
			return fmt.Errorf("column %s: %w", c.name, err)
		}
	}
	clear(t.group) // gives up the PNGs
	t.group, t.held = t.group[:0], 0
	return g.Close()
}

// close writes what is left and the footer.
func (t *tableWriter) close() (err error) {
	defer recovered(&err)
	if err := t.flush(); err != nil {
		return err
	}
	return t.w.Close()
}

// writeColumn writes a column's values of all rows of a group. A picture is two
// columns.
func writeColumn(g file.SerialRowGroupWriter, c column, rows []*row) error {
	switch c.field(rows[0]).(type) {
	case *string:
		return writeValues[arrowparquet.ByteArray, *file.ByteArrayColumnChunkWriter](g, collect(rows, c, func(v *string) arrowparquet.ByteArray { return []byte(*v) }))
	case *int32:
		return writeValues[int32, *file.Int32ColumnChunkWriter](g, collect(rows, c, func(v *int32) int32 { return *v }))
	case *uint64:
		return writeValues[int64, *file.Int64ColumnChunkWriter](g, collect(rows, c, func(v *uint64) int64 { return int64(*v) }))
	case *float32:
		return writeValues[float32, *file.Float32ColumnChunkWriter](g, collect(rows, c, func(v *float32) float32 { return *v }))
	case *bool:
		return writeValues[bool, *file.BooleanColumnChunkWriter](g, collect(rows, c, func(v *bool) bool { return *v }))
	case *[]uint8:
		return writeLists(g, collect(rows, c, func(v *[]uint8) []int32 {
			wide := make([]int32, len(*v))
			for i, x := range *v {
				wide[i] = int32(x)
			}
			return wide
		}))
	case *[]int32:
		return writeLists(g, collect(rows, c, func(v *[]int32) []int32 { return *v }))
	case *picture:
		if err := writePictures(g, rows, c, func(_ *row, p *picture) []byte { return p.png }); err != nil {
			return err
		}
		return writePictures(g, rows, c, func(r *row, _ *picture) []byte { return []byte(r.id + "/" + c.name + ".png") })
	}
	return fmt.Errorf("no Parquet type for %T", c.field(rows[0]))
}

// collect gathers a column's values.
func collect[Field, Value any](rows []*row, c column, value func(*Field) Value) []Value {
	out := make([]Value, len(rows))
	for i, r := range rows {
		out[i] = value(c.field(r).(*Field))
	}
	return out
}

// batchWriter is what Arrow's column writers have in common.
type batchWriter[T any] interface {
	WriteBatch(values []T, definition, repetition []int16) (int64, error)
}

// leaf begins the next column of the file, which has to be of W's type.
func leaf[W any](g file.SerialRowGroupWriter) (w W, err error) {
	next, err := g.NextColumn()
	if err != nil {
		return w, err
	}
	w, ok := next.(W)
	if !ok {
		return w, fmt.Errorf("the file's column is written with %T, the table's with %T", next, w)
	}
	return w, nil
}

func writeValues[T any, W batchWriter[T]](g file.SerialRowGroupWriter, values []T) error {
	w, err := leaf[W](g)
	if err != nil {
		return err
	}
	_, err = w.WriteBatch(values, nil, nil)
	return err
}

// writeLists writes lists by Parquet's levels: an element begins a row at
// repetition 0, and an empty list is an entry of definition 0 with no value.
func writeLists(g file.SerialRowGroupWriter, lists [][]int32) error {
	var values []int32
	var definition, repetition []int16
	for _, l := range lists {
		if len(l) == 0 {
			definition, repetition = append(definition, 0), append(repetition, 0)
		}
		for i, v := range l {
			values, definition, repetition = append(values, v), append(definition, 1), append(repetition, int16(min(i, 1)))
		}
	}
	w, err := leaf[*file.Int32ColumnChunkWriter](g)
	if err != nil {
		return err
	}
	_, err = w.WriteBatch(values, definition, repetition)
	return err
}

// writePictures writes bytes or path of pictures: definition 0 where the row
// has none, 2 where the struct and its field are there. It goes row by row,
// since a page is closed between batches only.
func writePictures(g file.SerialRowGroupWriter, rows []*row, c column, value func(*row, *picture) []byte) error {
	w, err := leaf[*file.ByteArrayColumnChunkWriter](g)
	if err != nil {
		return err
	}
	for _, r := range rows {
		if p := c.field(r).(*picture); p.png == nil {
			_, err = w.WriteBatch(nil, []int16{0}, nil)
		} else {
			_, err = w.WriteBatch([]arrowparquet.ByteArray{value(r, p)}, []int16{2}, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// recovered turns a panic of Arrow's Parquet code, which has many for what it
// did not expect of a file, into an error.
func recovered(err *error) {
	switch v := recover().(type) {
	case nil:
	case error:
		*err = fmt.Errorf("arrow's Parquet code failed: %w", v)
	default:
		*err = fmt.Errorf("arrow's Parquet code failed: %v", v)
	}
}
