package arrowio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/arrow"
	flatbuffers "github.com/google/flatbuffers/go"
	"github.com/pipa-uda/pipa/pipeline/columns"
)

// A File is random access to the records of an IPC file in memory, mapped or
// read. That of this module's writer is walked from the front, its footer not
// trusted; another's is read by its footer.
type File struct {
	data     []byte
	first    message // the schema's
	rest     []byte  // what follows it
	shapes   []shape
	metadata map[string]string

	schema  *arrow.Schema // of this module's
	dicts   map[string]arrow.ArrayData
	batches []fileBatch

	tables *tableDecoder // of another writer's
}

type fileBatch struct{ meta, body []byte }

// OpenFile reads an IPC file's schema. The records are views into data.
func OpenFile(data []byte) (*File, error) {
	if len(data) < 16 || !bytes.HasPrefix(data, fileMagic) {
		return nil, fmt.Errorf("%w file", ErrNotArrow)
	}
	f := &File{data: data}
	var err error
	f.first, f.rest, err = slice(data[8:], maxBody)
	if errors.Is(err, io.EOF) { // no message follows the magic at once
		return f, f.Footer()
	}
	if err != nil {
		return nil, cut(err, "the schema")
	}
	f.shapes, f.metadata, err = firstSchema(f.first)
	return f, err
}

// Schema is the file's.
func (f *File) Schema() columns.Schema { return schemaOf(f.shapes, f.metadata) }

// Mentions reports whether a text stands in the bytes of the schema.
func (f *File) Mentions(text string) bool { return bytes.Contains(f.first.meta, []byte(text)) }

// Ours reports whether the schema is, byte for byte, what this module's writer
// writes for want, and walks the messages then: [File.Record] decodes them.
func (f *File) Ours(want *arrow.Schema) (bool, error) {
	ours, err := written(f.first, want)
	if !ours || err != nil {
		return false, err
	}
	f.schema, f.dicts = want, map[string]arrow.ArrayData{}
	rd := &Reader{schema: want, dicts: f.dicts}
	rest := f.rest
	for n := 1; ; n++ {
		m, after, err := slice(rest, maxBody)
		if errors.Is(err, io.EOF) {
			return true, checkFooter(after)
		}
		if err != nil {
			return true, cut(err, fmt.Sprintf("message %d", n))
		}
		rest = after
		h, err := parseMessage(m.meta)
		if err != nil {
			return true, fmt.Errorf("message %d: %w", n, err)
		}
		switch h.kind {
		case headerDictionaryBatch:
			if err := rd.dictionary(h, m.body); err != nil {
				return true, fmt.Errorf("dictionary: %w", err)
			}
		case headerRecordBatch:
			f.batches = append(f.batches, fileBatch{m.meta, m.body})
		default:
			return true, fmt.Errorf("message %d is of kind %d", n, h.kind)
		}
	}
}

// Footer reads another program's file by its footer: the schema, the dictionaries,
// and where the record batches are, which [File.Table] decodes.
func (f *File) Footer() error {
	if f.tables != nil {
		return nil
	}
	dictionaries, batches, err := f.blocks()
	if err != nil {
		return err
	}
	f.tables = &tableDecoder{shapes: f.shapes, dictionaries: map[int64][]*columns.Column{}}
	for n, at := range dictionaries {
		m, err := f.block(at, headerDictionaryBatch)
		if err != nil {
			return fmt.Errorf("dictionary %d: %w", n, err)
		}
		h, err := parseMessage(m.meta)
		if err == nil {
			err = f.tables.dictionary(h, m.body)
		}
		if err != nil {
			return fmt.Errorf("dictionary %d: %w", n, err)
		}
	}
	for n, at := range batches {
		m, err := f.block(at, headerRecordBatch)
		if err != nil {
			return fmt.Errorf("batch %d: %w", n, err)
		}
		f.batches = append(f.batches, fileBatch{m.meta, m.body})
	}
	return nil
}

// blocks reads a footer's schema, and the places of messages (File.fbs: 1 schema,
// 2 dictionaries, 3 recordBatches).
func (f *File) blocks() (dictionaries, batches []int64, err error) {
	defer guard(&err)
	n := len(f.data)
	if n < 26 || !bytes.Equal(f.data[n-6:], fileMagic) {
		return nil, nil, fmt.Errorf("the file's footer is cut off or damaged")
	}
	size := int64(binary.LittleEndian.Uint32(f.data[n-10:]))
	if size < 8 || size > int64(n-18) {
		return nil, nil, fmt.Errorf("the file's footer declares %d bytes, the file has %d", size, n)
	}
	footer := f.data[int64(n-10)-size : n-10]
	t := flatbuffers.Table{Bytes: footer, Pos: flatbuffers.GetUOffsetT(footer)}
	list := func(slot int) (places []int64, err error) {
		const width = 24 // offset, metaDataLength and its padding, bodyLength
		o := t.Offset(flatbuffers.VOffsetT(4 + 2*slot))
		if o == 0 {
			return nil, nil
		}
		at, n := t.Vector(flatbuffers.UOffsetT(o)), t.VectorLen(flatbuffers.UOffsetT(o))
		if n < 0 || n > (len(footer)-int(at))/width {
			return nil, fmt.Errorf("the file's footer has a list of %d entries", n)
		}
		for i := range n {
			places = append(places, t.GetInt64(at+flatbuffers.UOffsetT(width*i)))
		}
		return places, nil
	}
	schema, ok := subtable(&t, 1)
	if !ok {
		return nil, nil, fmt.Errorf("%w file: it has no schema", ErrNotArrow)
	}
	if f.shapes, f.metadata, err = parseSchema(schema); err != nil {
		return nil, nil, fmt.Errorf("read schema: %w", err)
	}
	if dictionaries, err = list(2); err != nil {
		return nil, nil, err
	}
	batches, err = list(3)
	return dictionaries, batches, err
}

// block is the message at a place of the footer.
func (f *File) block(at int64, kind byte) (m message, err error) {
	if at < 0 || at >= int64(len(f.data)) {
		return m, fmt.Errorf("the file's footer has it at byte %d of %d", at, len(f.data))
	}
	if m, _, err = slice(f.data[at:], maxTableBody); err != nil {
		return m, cut(err, fmt.Sprintf("the message at byte %d", at))
	}
	h, err := parseMessage(m.meta)
	if err == nil && h.kind != kind {
		err = fmt.Errorf("a message of kind %d", h.kind)
	}
	return m, err
}

// Table decodes record batch i of another program's file, with the columns of
// these names, as a view into the file.
func (f *File) Table(i int, names []string) (columns.Table, error) {
	h, err := parseMessage(f.batches[i].meta)
	if err != nil {
		return columns.Table{}, fmt.Errorf("batch %d: %w", i, err)
	}
	t, err := f.tables.table(h, f.batches[i].body, names)
	if err != nil {
		return t, fmt.Errorf("batch %d: %w", i, err)
	}
	return t, nil
}

// slice takes the next message, of a body of up to most bytes, off data without
// copying.
func slice(data []byte, most int64) (m message, rest []byte, err error) {
	take := func(n int64) []byte {
		if n < 0 || n > int64(len(data)) {
			return nil
		}
		b := data[:n:n]
		data = data[n:]
		return b
	}
	if len(data) < 8 {
		return m, nil, io.ErrUnexpectedEOF
	}
	if binary.LittleEndian.Uint32(data) != continuation {
		return m, data, io.EOF // the footer
	}
	copy(m.prefix[:], take(8))
	n := binary.LittleEndian.Uint32(m.prefix[4:])
	if n == 0 { // writers other than arrow/go v15 mark the end
		return m, data, io.EOF
	}
	if n > maxMetadata || n%8 != 0 {
		return m, nil, fmt.Errorf("%d bytes of metadata declared", n)
	}
	if m.meta = take(int64(n)); m.meta == nil {
		return m, nil, io.ErrUnexpectedEOF
	}
	h, err := parseMessage(m.meta)
	if err != nil {
		return m, nil, err
	}
	if err := h.checkBody(most); err != nil {
		return m, nil, fmt.Errorf("a message %w", err)
	}
	if m.body = take(h.bodyLength); m.body == nil {
		return m, nil, io.ErrUnexpectedEOF
	}
	return m, data, nil
}

// ParseSchema reads a schema from a message of its own.
func ParseSchema(data []byte) (columns.Schema, error) {
	m, _, err := slice(data, maxBody)
	if err != nil {
		return columns.Schema{}, cut(err, "the schema")
	}
	shapes, metadata, err := firstSchema(m)
	return schemaOf(shapes, metadata), err
}

// Len is the number of records.
func (f *File) Len() int { return len(f.batches) }

// Record decodes record i.
func (f *File) Record(i int) (arrow.Record, error) {
	h, err := parseMessage(f.batches[i].meta)
	if err != nil {
		return nil, fmt.Errorf("batch %d: %w", i, err)
	}
	r := Reader{schema: f.schema, dicts: f.dicts}
	rec, err := r.record(h, f.batches[i].body)
	if err != nil {
		return nil, fmt.Errorf("batch %d: %w", i, err)
	}
	return rec, nil
}

// Rows is the number of rows of record i, as its metadata declares it.
func (f *File) Rows(i int) (n int, err error) {
	h, err := parseMessage(f.batches[i].meta)
	if err != nil {
		return 0, err
	}
	defer guard(&err)
	if at := field(&h.table, 0); at != 0 {
		n = int(h.table.GetInt64(at))
	}
	return n, nil
}
