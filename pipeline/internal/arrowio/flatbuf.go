package arrowio

import (
	"fmt"

	flatbuffers "github.com/google/flatbuffers/go"
)

// Arrow's generated flatbuffer code is internal to its module, so the few
// fields that a reader needs are read here by their slots in Message.fbs and
// Schema.fbs (github.com/apache/arrow/format). The accessors of the flatbuffer
// runtime index slices, so an offset that lies panics with a bounds error;
// guard turns that into an error.

// The values of Message.fbs's MessageHeader.
const (
	headerSchema          = 1
	headerDictionaryBatch = 2
	headerRecordBatch     = 3
)

// header is what a Message says of its body.
type header struct {
	kind       byte
	bodyLength int64
	table      flatbuffers.Table // the Schema, DictionaryBatch or RecordBatch
}

func guard(err *error) {
	r := recover()
	if _, fault := r.(interface{ Addr() uintptr }); fault {
		panic(r) // the mapped file is gone: files.Mapped says so
	}
	if r != nil {
		*err = fmt.Errorf("its metadata is damaged (%v)", r)
	}
}

// field is the absolute position of a table's field, or 0 where it is absent.
func field(t *flatbuffers.Table, slot int) flatbuffers.UOffsetT {
	if o := t.Offset(flatbuffers.VOffsetT(4 + 2*slot)); o != 0 {
		return flatbuffers.UOffsetT(o) + t.Pos
	}
	return 0
}

func subtable(t *flatbuffers.Table, slot int) (flatbuffers.Table, bool) {
	at := field(t, slot)
	if at == 0 {
		return flatbuffers.Table{}, false
	}
	return flatbuffers.Table{Bytes: t.Bytes, Pos: t.Indirect(at)}, true
}

func parseMessage(meta []byte) (h header, err error) {
	defer guard(&err)
	if len(meta) < 8 {
		return h, fmt.Errorf("its metadata is too short")
	}
	t := flatbuffers.Table{Bytes: meta, Pos: flatbuffers.GetUOffsetT(meta)}
	if at := field(&t, 1); at != 0 {
		h.kind = t.GetByte(at)
	}
	var ok bool
	if h.table, ok = subtable(&t, 2); !ok {
		return h, fmt.Errorf("its metadata has no header")
	}
	if at := field(&t, 3); at != 0 {
		h.bodyLength = t.GetInt64(at)
	}
	return h, nil
}

// checkBody refuses a body of a length that no message has, before it is read: of
// more than most bytes, unless it is of one row.
func (h header) checkBody(most int64) (err error) {
	defer guard(&err)
	if h.kind == headerRecordBatch {
		if at := field(&h.table, 0); at != 0 && h.table.GetInt64(at) == 1 {
			most = max(most, maxRowBody)
		}
	}
	if h.bodyLength < 0 || h.bodyLength > most {
		return fmt.Errorf("declares a body of %d bytes", h.bodyLength)
	}
	return nil
}

// node is a column's FieldNode, span a Buffer inside the body.
type (
	node struct{ length, nulls int64 }
	span struct{ offset, length int64 }
)

// batchLayout is a RecordBatch's flattened columns.
type batchLayout struct {
	rows  int64
	nodes []node
	spans []span
}

// parseBatch reads a RecordBatch with the numbers of nodes and buffers that
// its schema asks for.
func parseBatch(t flatbuffers.Table, nodes, spans int) (b batchLayout, err error) {
	defer guard(&err)
	if at := field(&t, 0); at != 0 {
		b.rows = t.GetInt64(at)
	}
	if field(&t, 3) != 0 {
		return b, fmt.Errorf("it is compressed, which streams of pipa are not")
	}
	pairs := func(slot, want int, what string, add func(a, b int64)) error {
		o := t.Offset(flatbuffers.VOffsetT(4 + 2*slot))
		if o == 0 {
			if want == 0 {
				return nil
			}
			return fmt.Errorf("it has no %s", what)
		}
		if n := t.VectorLen(flatbuffers.UOffsetT(o)); n != want {
			return fmt.Errorf("it has %d %s, want %d", n, what, want)
		}
		at := t.Vector(flatbuffers.UOffsetT(o))
		for i := range want {
			p := at + flatbuffers.UOffsetT(16*i)
			add(t.GetInt64(p), t.GetInt64(p+8))
		}
		return nil
	}
	if err := pairs(1, nodes, "columns", func(a, c int64) { b.nodes = append(b.nodes, node{a, c}) }); err != nil {
		return b, err
	}
	err = pairs(2, spans, "buffers", func(a, c int64) { b.spans = append(b.spans, span{a, c}) })
	return b, err
}

// parseDictionary reads a DictionaryBatch's id and the batch in it, of one
// column of strings.
func parseDictionary(t flatbuffers.Table) (id int64, b batchLayout, err error) {
	defer guard(&err)
	if at := field(&t, 0); at != 0 {
		id = t.GetInt64(at)
	}
	if at := field(&t, 2); at != 0 && t.GetBool(at) {
		return id, b, fmt.Errorf("it is a delta dictionary")
	}
	inner, ok := subtable(&t, 1)
	if !ok {
		return id, b, fmt.Errorf("it has no data")
	}
	b, err = parseBatch(inner, 1, 3)
	return id, b, err
}
