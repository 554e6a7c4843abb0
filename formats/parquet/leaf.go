package parquet

import (
	"encoding/binary"
	"fmt"
	"math"
	"sync"

	"github.com/apache/arrow/go/v15/arrow/memory"
	arrowparquet "github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/file"
	"github.com/apache/arrow/go/v15/parquet/schema"
	"github.com/pipa-uda/pipa/pipeline/columns"
)

// A leafType is a column chunk of numbers, texts or bytes, and how its levels become
// rows (apache/parquet-format, README.md, Nested Encoding).
type leafType struct {
	descr *schema.Column
	typ   columns.Type // of a value
	list  bool         // rows are lists of them, of lists or not
	slot  int16        // the definition level from which on a list's element is there
	// nullable says that a row may lack its list.
	nullable bool
}

// leafReader reads a leaf row by row into a column.
type leafReader struct {
	leafType
	chunk     file.ColumnChunkReader
	values    batch
	levels    [2][]int16 // definition, repetition
	at, until int        // levels that are read and not yet used
	value     int        // the next of values

	out   *columns.Column // of a value each
	ends  []byte          // of lists: offsets into out
	rows  int
	nulls []bool // of rows
}

// batch is decoded values of one type.
type batch interface {
	// read decodes up to len(levels[0]) levels.
	read(levels [2][]int16) (n int64, err error)
	// appendTo appends value i to a column, and tells how many bytes it has.
	appendTo(c *columns.Column, i int) int
}

// levelsAtOnce are decoded at a time.
const levelsAtOnce = 1024

// reader reads the leaf from its pages.
func (l leafType) reader(p file.PageReader, pool *sync.Pool) (*leafReader, error) {
	r := &leafReader{leafType: l, chunk: file.NewColumnReader(l.descr, p, memory.DefaultAllocator, pool)}
	for i := range r.levels {
		r.levels[i] = make([]int16, levelsAtOnce)
	}
	switch c := r.chunk.(type) {
	case *file.ByteArrayColumnChunkReader:
		r.values = &texts{c, make([]arrowparquet.ByteArray, levelsAtOnce)}
	case *file.FixedLenByteArrayColumnChunkReader:
		r.values = &blobs{c, make([]arrowparquet.FixedLenByteArray, levelsAtOnce)}
	case *file.Int32ColumnChunkReader:
		r.values = &numbers[int32, *file.Int32ColumnChunkReader]{c, make([]int32, levelsAtOnce), func(v int32) uint64 { return uint64(v) }}
	case *file.Int64ColumnChunkReader:
		r.values = &numbers[int64, *file.Int64ColumnChunkReader]{c, make([]int64, levelsAtOnce), func(v int64) uint64 { return uint64(v) }}
	case *file.Float32ColumnChunkReader:
		r.values = &numbers[float32, *file.Float32ColumnChunkReader]{c, make([]float32, levelsAtOnce), func(v float32) uint64 { return uint64(math.Float32bits(v)) }}
	case *file.Float64ColumnChunkReader:
		r.values = &numbers[float64, *file.Float64ColumnChunkReader]{c, make([]float64, levelsAtOnce), math.Float64bits}
	case *file.BooleanColumnChunkReader:
		r.values = &flags{c, make([]bool, levelsAtOnce)}
	default:
		return nil, fmt.Errorf("its values are read by %T", c)
	}
	r.begin()
	return r, nil
}

// begin begins a column.
func (r *leafReader) begin() {
	r.out = &columns.Column{Type: &r.typ}
	r.rows, r.nulls = 0, nil
	r.ends = binary.LittleEndian.AppendUint64(nil, 0)
}

// fill decodes levels, unless there are some.
func (r *leafReader) fill() (bool, error) {
	if r.at < r.until {
		return true, nil
	}
	if !r.chunk.HasNext() {
		return false, r.chunk.Err()
	}
	n, err := r.values.read(r.levels)
	if err == nil && n <= 0 {
		err = r.chunk.Err()
		if err == nil {
			err = fmt.Errorf("it ends in a page")
		}
	}
	r.at, r.until, r.value = 0, int(n), 0
	return err == nil, err
}

// row appends the next row, and tells how many bytes it has.
func (r *leafReader) row() (size int, err error) {
	most := r.descr.MaxDefinitionLevel()
	for first := true; ; first = false {
		ok, err := r.fill()
		if err != nil {
			return 0, err
		}
		if !ok && first {
			return 0, fmt.Errorf("it ends after %d rows", r.rows)
		}
		repeated := ok && r.list && r.levels[1][r.at] > 0
		if !ok || !first && !repeated {
			break
		}
		if first && repeated {
			return 0, fmt.Errorf("it begins inside a list")
		}
		definition := most
		if most > 0 {
			definition = r.levels[0][r.at]
		}
		r.at++
		if first {
			r.nulls = append(r.nulls, r.list && definition == 0 && r.nullable || !r.list && definition < most)
		}
		switch {
		case definition == most:
			size += r.values.appendTo(r.out, r.value)
			r.value++
			r.out.Len++
			r.valid(true)
		case !r.list || definition >= r.slot:
			r.empty()
		}
		if size > maxRowBytes {
			return 0, fmt.Errorf("row %d has more than %d MB", r.rows, maxRowBytes/1_000_000)
		}
		if !r.list {
			break
		}
	}
	r.rows++
	r.ends = binary.LittleEndian.AppendUint64(r.ends, uint64(r.out.Len))
	return size, nil
}

// maxRowBytes is more than a raster has, at 8 bytes a number.
const maxRowBytes = 8 * 3 * 100_000_000

// valid says of the last value whether it is there.
func (r *leafReader) valid(ok bool) {
	i := r.out.Len - 1
	if r.out.Valid == nil && ok {
		return
	}
	if r.out.Valid == nil { // all before are
		r.out.Valid = make([]byte, i/8+1)
		for k := range i {
			r.out.Valid[k/8] |= 1 << (k % 8)
		}
	}
	for len(r.out.Valid) <= i/8 {
		r.out.Valid = append(r.out.Valid, 0)
	}
	if ok {
		r.out.Valid[i/8] |= 1 << (i % 8)
	}
}

// empty appends a null.
func (r *leafReader) empty() {
	r.out.Len++
	r.valid(false)
	switch t := r.typ; {
	case t.Kind == columns.Bool:
		r.out.Values = appendBit(r.out.Values, r.out.Len-1, false)
	case t.View:
		r.out.Values = append(r.out.Values, make([]byte, 16)...)
	case t.Kind == columns.Bytes:
		r.out.Values = append(r.out.Values, make([]byte, t.Size)...)
	default:
		r.out.Values = append(r.out.Values, make([]byte, t.Bits/8)...)
	}
}

// take ends a column: the rows since the last.
func (r *leafReader) take() *columns.Column {
	c := r.out
	if r.list {
		list := columns.Type{Kind: columns.List, Size: -1, Wide: true, Fields: []columns.Field{{Name: "element", Type: r.typ}}}
		c = &columns.Column{Type: &list, Len: r.rows, Offsets: r.ends, Children: []*columns.Column{c}}
		for i, null := range r.nulls {
			c.Valid = appendBit(c.Valid, i, !null)
		}
	}
	r.begin()
	return c
}

func appendBit(b []byte, i int, v bool) []byte {
	if i%8 == 0 {
		b = append(b, 0)
	}
	if v {
		b[i/8] |= 1 << (i % 8)
	}
	return b
}

// texts are texts and bytes. They stay where their page lies.
type texts struct {
	r *file.ByteArrayColumnChunkReader
	v []arrowparquet.ByteArray
}

func (b *texts) read(levels [2][]int16) (int64, error) {
	n, _, err := b.r.ReadBatch(int64(len(b.v)), b.v, levels[0], levels[1])
	return n, err
}

func (b *texts) appendTo(c *columns.Column, i int) int {
	v := b.v[i]
	view := make([]byte, 16)
	binary.LittleEndian.PutUint32(view, uint32(len(v)))
	if len(v) <= 12 {
		copy(view[4:], v)
	} else {
		copy(view[4:8], v)
		binary.LittleEndian.PutUint32(view[8:], uint32(len(c.Views)))
		c.Views = append(c.Views, v)
	}
	c.Values = append(c.Values, view...)
	return len(v)
}

// blobs are bytes of one size.
type blobs struct {
	r *file.FixedLenByteArrayColumnChunkReader
	v []arrowparquet.FixedLenByteArray
}

func (b *blobs) read(levels [2][]int16) (int64, error) {
	n, _, err := b.r.ReadBatch(int64(len(b.v)), b.v, levels[0], levels[1])
	return n, err
}

func (b *blobs) appendTo(c *columns.Column, i int) int {
	c.Values = append(c.Values, b.v[i]...)
	return len(b.v[i])
}

// numbers are numbers of up to 64 bits, of which the column keeps as many as its
// type has.
type numbers[T any, R batchReader[T]] struct {
	r    R
	v    []T
	bits func(T) uint64
}

func (b *numbers[T, R]) read(levels [2][]int16) (int64, error) {
	n, _, err := b.r.ReadBatch(int64(len(b.v)), b.v, levels[0], levels[1])
	return n, err
}

func (b *numbers[T, R]) appendTo(c *columns.Column, i int) int {
	v := b.bits(b.v[i])
	switch c.Type.Bits {
	case 8:
		c.Values = append(c.Values, byte(v))
	case 16:
		c.Values = binary.LittleEndian.AppendUint16(c.Values, uint16(v))
	case 32:
		c.Values = binary.LittleEndian.AppendUint32(c.Values, uint32(v))
	default:
		c.Values = binary.LittleEndian.AppendUint64(c.Values, v)
	}
	return c.Type.Bits / 8
}

// flags are booleans.
type flags struct {
	r *file.BooleanColumnChunkReader
	v []bool
}

func (b *flags) read(levels [2][]int16) (int64, error) {
	n, _, err := b.r.ReadBatch(int64(len(b.v)), b.v, levels[0], levels[1])
	return n, err
}

func (b *flags) appendTo(c *columns.Column, i int) int {
	c.Values = appendBit(c.Values, c.Len, b.v[i])
	return 1
}
