package arrowio

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
)

// decoder builds a record's arrays over a message's body, checking every
// buffer against the types.
type decoder struct {
	layout       batchLayout
	body         []byte
	dictionaries map[string]arrow.ArrayData // by field name
}

// count adds up the nodes and buffers of a type, depth first.
func count(t arrow.DataType) (nodes, spans int) {
	switch t := t.(type) {
	case *arrow.StringType, *arrow.BinaryType:
		return 1, 3
	case *arrow.FixedSizeListType:
		n, s := count(t.Elem())
		return n + 1, s + 1
	case *arrow.ListType:
		n, s := count(t.Elem())
		return n + 1, s + 2
	default:
		return 1, 2
	}
}

// record decodes a RecordBatch message.
func (d *decoder) record(schema *arrow.Schema) (arrow.Record, error) {
	const maxRows = 1 << 20
	if d.layout.rows < 0 || d.layout.rows > maxRows {
		return nil, fmt.Errorf("it declares %d rows", d.layout.rows)
	}
	columns := make([]arrow.Array, 0, len(schema.Fields()))
	for _, f := range schema.Fields() {
		data, err := d.column(f.Name, f.Type, f.Nullable, d.layout.rows)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", f.Name, err)
		}
		columns = append(columns, array.MakeFromData(data))
	}
	return array.NewRecord(schema, columns, d.layout.rows), nil
}

// column decodes the next column in depth-first order.
func (d *decoder) column(name string, t arrow.DataType, nullable bool, rows int64) (arrow.ArrayData, error) {
	n := d.layout.nodes[0]
	d.layout.nodes = d.layout.nodes[1:]
	if n.length != rows || n.nulls < 0 || n.nulls > rows || n.nulls > 0 && !nullable {
		return nil, fmt.Errorf("has %d rows with %d nulls, want %d", n.length, n.nulls, rows)
	}
	validity, err := d.buffer("validity")
	if err != nil {
		return nil, err
	}
	var valid *memory.Buffer
	if len(validity) > 0 || n.nulls > 0 {
		if int64(len(validity)) < (rows+7)/8 || !cleanBits(validity, rows) {
			return nil, fmt.Errorf("has %d bytes of validity for %d rows, or bits past the last", len(validity), rows)
		}
		valid = memory.NewBufferBytes(validity)
	}
	build := func(buffers []*memory.Buffer, children []arrow.ArrayData) arrow.ArrayData {
		return array.NewData(t, int(rows), append([]*memory.Buffer{valid}, buffers...), children, int(n.nulls), 0)
	}
	switch typed := t.(type) {
	case *arrow.StringType, *arrow.BinaryType:
		offsets, err := d.offsets(rows)
		if err != nil {
			return nil, err
		}
		data, err := d.buffer("data")
		if err != nil {
			return nil, err
		}
		if last := lastOffset(offsets); int64(last) > int64(len(data)) {
			return nil, fmt.Errorf("its offsets reach byte %d of %d", last, len(data))
		}
		if _, isText := typed.(*arrow.StringType); isText && !utf8.Valid(data) {
			return nil, fmt.Errorf("is not UTF-8")
		}
		return build([]*memory.Buffer{memory.NewBufferBytes(offsets), memory.NewBufferBytes(data)}, nil), nil
	case *arrow.FixedSizeListType:
		child, err := d.column(name, typed.Elem(), false, rows*int64(typed.Len()))
		if err != nil {
			return nil, err
		}
		return build(nil, []arrow.ArrayData{child}), nil
	case *arrow.ListType:
		offsets, err := d.offsets(rows)
		if err != nil {
			return nil, err
		}
		child, err := d.column(name, typed.Elem(), false, int64(lastOffset(offsets)))
		if err != nil {
			return nil, err
		}
		return build([]*memory.Buffer{memory.NewBufferBytes(offsets)}, []arrow.ArrayData{child}), nil
	case *arrow.DictionaryType:
		dictionary, ok := d.dictionaries[name]
		if !ok {
			return nil, fmt.Errorf("its dictionary has not come")
		}
		indices, err := d.fixed(rows, 32)
		if err != nil {
			return nil, err
		}
		for i := range rows {
			if v := int32(binary.LittleEndian.Uint32(indices[4*i:])); v < 0 || int(v) >= dictionary.Len() {
				return nil, fmt.Errorf("row %d has index %d into a dictionary of %d", i, v, dictionary.Len())
			}
		}
		data := array.NewDataWithDictionary(t, int(rows), []*memory.Buffer{valid, memory.NewBufferBytes(indices)}, int(n.nulls), 0, dictionary.(*array.Data))
		return data, nil
	case arrow.FixedWidthDataType:
		values, err := d.fixed(rows, typed.BitWidth())
		if err != nil {
			return nil, err
		}
		if typed.BitWidth() == 1 && !cleanBits(values, rows) {
			return nil, fmt.Errorf("has bits past its last row")
		}
		return build([]*memory.Buffer{memory.NewBufferBytes(values)}, nil), nil
	}
	return nil, fmt.Errorf("type %v is not supported", t)
}

// buffer takes the next buffer of the body.
func (d *decoder) buffer(what string) ([]byte, error) {
	s := d.layout.spans[0]
	d.layout.spans = d.layout.spans[1:]
	if s.offset < 0 || s.length < 0 || s.offset > int64(len(d.body)) || s.length > int64(len(d.body))-s.offset || s.offset%8 != 0 {
		return nil, fmt.Errorf("its %s lies at bytes %d+%d of a body of %d", what, s.offset, s.length, len(d.body))
	}
	return d.body[s.offset : s.offset+s.length : s.offset+s.length], nil
}

// fixed takes a buffer of n values.
func (d *decoder) fixed(n int64, bits int) ([]byte, error) {
	b, err := d.buffer("values")
	if err != nil {
		return nil, err
	}
	if int64(len(b)) < (n*int64(bits)+7)/8 {
		return nil, fmt.Errorf("has %d bytes for %d values", len(b), n)
	}
	return b, nil
}

// offsets takes a buffer of n+1 offsets that begin at 0 and never fall.
func (d *decoder) offsets(n int64) ([]byte, error) {
	b, err := d.buffer("offsets")
	if err != nil {
		return nil, err
	}
	if n == 0 && len(b) == 0 {
		return b, nil
	}
	if int64(len(b)) != 4*(n+1) {
		return nil, fmt.Errorf("has %d bytes of offsets for %d rows", len(b), n)
	}
	before := int32(0)
	for i := range n + 1 {
		o := int32(binary.LittleEndian.Uint32(b[4*i:]))
		if o < before || i == 0 && o != 0 {
			return nil, fmt.Errorf("its offset %d is %d after %d", i, o, before)
		}
		before = o
	}
	return b, nil
}

func lastOffset(b []byte) int32 {
	if len(b) < 4 {
		return 0
	}
	return int32(binary.LittleEndian.Uint32(b[len(b)-4:]))
}

// cleanBits reports whether a bitmap is 0 past its first n bits.
func cleanBits(b []byte, n int64) bool {
	for i := n / 8; i < int64(len(b)); i++ {
		v := b[i]
		if i == n/8 {
			v >>= n % 8
		}
		if v != 0 {
			return false
		}
	}
	return true
}
