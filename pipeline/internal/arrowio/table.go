package arrowio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	flatbuffers "github.com/google/flatbuffers/go"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/pipa-uda/pipa/pipeline/columns"
)

// What a batch of another program may ask of its reader. Its writer may know no
// bound: polars and DuckDB write a whole table as one.
const (
	maxTableBody = 8 << 30
	// maxUnpacked bounds what the compressed buffers of a batch have in all, as
	// they lie in no input.
	maxUnpacked = 1 << 30
)

// ErrUnpacked is wrapped where a compressed batch is larger than is read.
var ErrUnpacked = errors.New("its compressed batch is larger than 1 GiB: write batches of fewer rows, or without compression")

// schemaOf is what the fields are to others.
func schemaOf(shapes []shape, metadata map[string]string) columns.Schema {
	s := columns.Schema{Metadata: metadata}
	for _, f := range shapes {
		s.Fields = append(s.Fields, f.Field)
	}
	return s
}

// tableDecoder decodes the record batches of other programs, which may hold any
// type that Arrow has.
type tableDecoder struct {
	shapes       []shape
	dictionaries map[int64][]*columns.Column
}

// table decodes the columns of these names.
func (d *tableDecoder) table(h header, body []byte, names []string) (t columns.Table, err error) {
	defer guard(&err)
	w, err := newWalk(h.table, body)
	if err != nil {
		return t, err
	}
	t = columns.Table{Rows: int(w.rows), Columns: map[string]*columns.Column{}}
	for _, s := range d.shapes {
		if !slices.Contains(names, s.Name) {
			if _, err := w.skip(&s); err != nil {
				return t, fmt.Errorf("column %s: %w", s.Name, err)
			}
			continue
		}
		c, err := w.column(&s, d.dictionaries)
		if err == nil && c.Len != t.Rows {
			err = fmt.Errorf("has %d rows of %d", c.Len, t.Rows)
		}
		if err == nil {
			err = c.Check()
		}
		if err != nil {
			return t, fmt.Errorf("column %s: %w", s.Name, err)
		}
		t.Columns[s.Name] = c
	}
	return t, nil
}

// dictionary keeps a DictionaryBatch: one replaces another of its id, unless it
// goes on where that one ended.
func (d *tableDecoder) dictionary(h header, body []byte) (err error) {
	defer guard(&err)
	id, delta := int64(0), false
	if at := field(&h.table, 0); at != 0 {
		id = h.table.GetInt64(at)
	}
	if at := field(&h.table, 2); at != 0 {
		delta = h.table.GetBool(at)
	}
	inner, ok := subtable(&h.table, 1)
	if !ok {
		return fmt.Errorf("it has no data")
	}
	s := find(d.shapes, id)
	if s == nil {
		return fmt.Errorf("no column has the id %d", id)
	}
	w, err := newWalk(inner, body)
	if err != nil {
		return err
	}
	values := *s
	values.Type.Index = nil
	if values.Type.Kind == columns.Other || values.Type.Kind == columns.Null {
		return nil // nothing looks at it
	}
	c, err := w.column(&values, d.dictionaries)
	if err == nil {
		err = c.Check()
	}
	if err != nil {
		return fmt.Errorf("of column %s: %w", s.Name, err)
	}
	const maxParts = 1 << 10
	if !delta {
		d.dictionaries[id] = nil
	} else if len(d.dictionaries[id]) >= maxParts {
		return fmt.Errorf("of column %s: it comes in more than %d parts", s.Name, maxParts)
	}
	d.dictionaries[id] = append(d.dictionaries[id], c)
	return nil
}

// find is a shape, at any depth, whose dictionary has an id.
func find(shapes []shape, id int64) *shape {
	for i := range shapes {
		if s := &shapes[i]; s.Type.Index != nil && s.dictionary == id {
			return s
		} else if s = find(s.children, id); s != nil {
			return s
		}
	}
	return nil
}

// A walk goes over a RecordBatch's columns, depth first.
type walk struct {
	rows     int64
	nodes    flatbuffers.UOffsetT // of the first that is left
	nodeLeft int
	spans    flatbuffers.UOffsetT
	spanLeft int
	counts   flatbuffers.UOffsetT // of variadic buffers
	countsIn int
	t        flatbuffers.Table
	body     []byte
	codec    int8 // -1 where buffers are not compressed
	unpacked int64
}

// The values of Message.fbs's CompressionType.
const (
	codecLZ4  = 0
	codecZstd = 1
)

func newWalk(t flatbuffers.Table, body []byte) (w *walk, err error) {
	w = &walk{t: t, body: body, codec: -1}
	if at := field(&t, 0); at != 0 {
		w.rows = t.GetInt64(at)
	}
	// A row of a type that takes no bytes is possible, but not of what is read here.
	if w.rows < 0 || w.rows > maxTableBody {
		return nil, fmt.Errorf("it declares %d rows", w.rows)
	}
	list := func(slot, width int) (flatbuffers.UOffsetT, int, error) {
		o := t.Offset(flatbuffers.VOffsetT(4 + 2*slot))
		if o == 0 {
			return 0, 0, nil
		}
		at, n := t.Vector(flatbuffers.UOffsetT(o)), t.VectorLen(flatbuffers.UOffsetT(o))
		if n < 0 || n > (len(t.Bytes)-int(at))/width {
			return 0, 0, fmt.Errorf("a list of %d entries", n)
		}
		return at, n, nil
	}
	if w.nodes, w.nodeLeft, err = list(1, 16); err != nil {
		return nil, err
	}
	if w.spans, w.spanLeft, err = list(2, 16); err != nil {
		return nil, err
	}
	if w.counts, w.countsIn, err = list(4, 8); err != nil {
		return nil, err
	}
	if c, ok := subtable(&t, 3); ok {
		w.codec = codecLZ4
		if at := field(&c, 0); at != 0 {
			w.codec = c.GetInt8(at)
		}
		if w.codec != codecLZ4 && w.codec != codecZstd {
			return nil, fmt.Errorf("it is compressed with codec %d, LZ4 and ZSTD are read", w.codec)
		}
	}
	return w, nil
}

// node takes the next column's length. The number of nulls is not looked at: some
// writers leave it out, and the bitmap says it.
func (w *walk) node() (int, error) {
	if w.nodeLeft == 0 {
		return 0, fmt.Errorf("is not in the batch")
	}
	n := w.t.GetInt64(w.nodes)
	w.nodes, w.nodeLeft = w.nodes+16, w.nodeLeft-1
	if n < 0 || n > maxTableBody {
		return 0, fmt.Errorf("declares %d rows", n)
	}
	return int(n), nil
}

func (w *walk) span() (offset, length int64, err error) {
	if w.spanLeft == 0 {
		return 0, 0, fmt.Errorf("lacks a buffer")
	}
	offset, length = w.t.GetInt64(w.spans), w.t.GetInt64(w.spans+8)
	w.spans, w.spanLeft = w.spans+16, w.spanLeft-1
	return offset, length, nil
}

func (w *walk) count() (int, error) {
	if w.countsIn == 0 {
		return 0, fmt.Errorf("lacks the number of its buffers")
	}
	n := w.t.GetInt64(w.counts)
	w.counts, w.countsIn = w.counts+8, w.countsIn-1
	if n < 0 || n > int64(w.spanLeft) {
		return 0, fmt.Errorf("declares %d buffers", n)
	}
	return int(n), nil
}

// skip steps over a column, and tells its length.
func (w *walk) skip(s *shape) (rows int, err error) {
	if rows, err = w.node(); err != nil {
		return 0, err
	}
	buffers, children := s.buffers, s.children
	if s.Type.Index != nil {
		buffers, children = 2, nil
	} else if s.variadic {
		n, err := w.count()
		if err != nil {
			return 0, err
		}
		buffers += n
	}
	for range buffers {
		if _, _, err := w.span(); err != nil {
			return 0, err
		}
	}
	for i := range children {
		if _, err := w.skip(&children[i]); err != nil {
			return 0, err
		}
	}
	return rows, nil
}

// column takes a column, a view into the body where it is not compressed.
func (w *walk) column(s *shape, dictionaries map[int64][]*columns.Column) (c *columns.Column, err error) {
	c = &columns.Column{Type: &s.Type}
	if s.Type.Kind == columns.Other || s.Type.Kind == columns.Null {
		c.Len, err = w.skip(s)
		return c, err
	}
	if c.Len, err = w.node(); err != nil {
		return nil, err
	}
	if c.Valid, err = w.buffer(); err != nil {
		return nil, err
	}
	if len(c.Valid) == 0 {
		c.Valid = nil
	}
	switch t := s.Type; {
	case t.Index != nil:
		c.Dictionary = dictionaries[s.dictionary]
		c.Values, err = w.buffer()
		return c, err
	case t.Kind == columns.Struct:
	case t.View:
		if c.Values, err = w.buffer(); err != nil {
			return nil, err
		}
		n, err := w.count()
		if err != nil {
			return nil, err
		}
		for range n {
			b, err := w.buffer()
			if err != nil {
				return nil, err
			}
			c.Views = append(c.Views, b)
		}
	case t.Kind == columns.List && t.Size >= 0:
	case t.Kind == columns.List:
		c.Offsets, err = w.buffer()
	case t.Kind == columns.Text, t.Kind == columns.Bytes && t.Size < 0:
		if c.Offsets, err = w.buffer(); err == nil {
			c.Values, err = w.buffer()
		}
	default:
		c.Values, err = w.buffer()
	}
	if err != nil {
		return nil, err
	}
	for i := range s.children {
		child, err := w.column(&s.children[i], dictionaries)
		if err != nil {
			return nil, err
		}
		c.Children = append(c.Children, child)
	}
	return c, nil
}

// buffer takes the next buffer of the body.
func (w *walk) buffer() ([]byte, error) {
	at, n, err := w.span()
	if err != nil {
		return nil, err
	}
	if at < 0 || n < 0 || at > int64(len(w.body)) || n > int64(len(w.body))-at {
		return nil, fmt.Errorf("lies at bytes %d+%d of a body of %d", at, n, len(w.body))
	}
	b := w.body[at : at+n : at+n]
	if w.codec < 0 || n == 0 {
		return b, nil
	}
	return w.unpack(b)
}

// unpack decompresses a buffer: its length in 8 bytes, -1 where it is not
// compressed after all, and then itself. What it declares is allocated as it
// comes, not before.
func (w *walk) unpack(b []byte) ([]byte, error) {
	if len(b) < 8 {
		return nil, fmt.Errorf("has a compressed buffer of %d bytes", len(b))
	}
	size := int64(binary.LittleEndian.Uint64(b))
	if b = b[8:]; size == -1 {
		return b, nil
	}
	if w.unpacked += max(size, 0); size < 0 || w.unpacked > maxUnpacked {
		return nil, fmt.Errorf("declares %d bytes in a compressed buffer of %d: %w", size, len(b), ErrUnpacked)
	}
	var r io.Reader = lz4.NewReader(bytes.NewReader(b))
	if w.codec == codecZstd {
		z, err := zstd.NewReader(bytes.NewReader(b), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxUnpacked))
		if err != nil {
			return nil, err
		}
		defer z.Close()
		r = z
	}
	out := bytes.NewBuffer(make([]byte, 0, min(size, 64*int64(len(b)))))
	if n, err := out.ReadFrom(io.LimitReader(r, size+1)); err != nil || n != size {
		return nil, fmt.Errorf("has a compressed buffer that is damaged: it declares %d bytes and has %d or more (%v)", size, n, err)
	}
	return out.Bytes(), nil
}
