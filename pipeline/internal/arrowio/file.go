package arrowio

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/arrow"
)

// A File is random access to the records of an IPC file in memory, mapped or
// read. Its footer is not trusted: the messages are walked from the front.
type File struct {
	schema  *arrow.Schema
	dicts   map[string]arrow.ArrayData
	batches []fileBatch
}

type fileBatch struct{ meta, body []byte }

// OpenFile walks an IPC file's messages. The records are views into data. check
// is as for [NewReader].
func OpenFile(data []byte, check func(metadata map[string]string) (*arrow.Schema, bool, error)) (*File, error) {
	if len(data) < 16 || !bytes.HasPrefix(data, fileMagic) {
		return nil, fmt.Errorf("%w file", ErrNotArrow)
	}
	rd := &Reader{dicts: map[string]arrow.ArrayData{}}
	f := &File{dicts: rd.dicts}
	rest := data[8:]
	for n := 0; ; n++ {
		m, after, err := slice(rest)
		if errors.Is(err, io.EOF) {
			rest = after
			break
		}
		if err != nil {
			return nil, cut(err, fmt.Sprintf("message %d", n))
		}
		rest = after
		h, err := parseMessage(m.meta)
		if err != nil {
			return nil, fmt.Errorf("message %d: %w", n, err)
		}
		switch {
		case n == 0 && h.kind == headerSchema:
			want, _, err := checkSchema(h, check)
			if err != nil {
				return nil, err
			}
			f.schema, rd.schema = want, want
		case n > 0 && h.kind == headerDictionaryBatch:
			if err := rd.dictionary(h, m.body); err != nil {
				return nil, fmt.Errorf("dictionary: %w", err)
			}
		case n > 0 && h.kind == headerRecordBatch:
			f.batches = append(f.batches, fileBatch{m.meta, m.body})
		default:
			return nil, fmt.Errorf("message %d is of kind %d", n, h.kind)
		}
	}
	if f.schema == nil {
		return nil, fmt.Errorf("%w file: it has no schema", ErrNotArrow)
	}
	return f, checkFooter(rest)
}

// slice takes the next message off data without copying.
func slice(data []byte) (m message, rest []byte, err error) {
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
	if err := h.checkBody(); err != nil {
		return m, nil, fmt.Errorf("a message %w", err)
	}
	if m.body = take(h.bodyLength); m.body == nil {
		return m, nil, io.ErrUnexpectedEOF
	}
	return m, data, nil
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
func (f *File) Rows(i int) (int, error) {
	h, err := parseMessage(f.batches[i].meta)
	if err != nil {
		return 0, err
	}
	nodes, spans := 0, 0
	for _, field := range f.schema.Fields() {
		n, s := count(field.Type)
		nodes, spans = nodes+n, spans+s
	}
	layout, err := parseBatch(h.table, nodes, spans)
	return int(layout.rows), err
}
