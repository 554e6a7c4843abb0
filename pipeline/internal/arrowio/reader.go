package arrowio

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/ipc"
)

// A Reader reads the records of an IPC stream or file, one after the other.
type Reader struct {
	scan    scanner
	schema  *arrow.Schema
	dicts   map[string]arrow.ArrayData
	again   *again // nil for a stream of another writer
	records int
	done    bool
}

// NewReader reads the schema. check returns the schema that a stream with this
// metadata must have, and whether this module's writer wrote it.
func NewReader(r io.Reader, check func(metadata map[string]string) (want *arrow.Schema, ours bool, err error)) (*Reader, error) {
	rd := &Reader{scan: scanner{r: bufio.NewReaderSize(r, 64<<10), spare: &spare{}}, dicts: map[string]arrow.ArrayData{}}
	var err error
	if err = rd.scan.sniff(); err != nil {
		return nil, err
	}
	m, err := rd.scan.next()
	if err != nil {
		return nil, cut(err, "the schema")
	}
	h, err := parseMessage(m.meta)
	if err != nil {
		return nil, err
	}
	if h.kind != headerSchema || len(m.body) > 0 {
		return nil, fmt.Errorf("%w: it does not begin with a schema", ErrNotArrow)
	}
	want, ours, err := checkSchema(h, check)
	if err != nil {
		return nil, err
	}
	rd.schema = want
	if ours {
		rd.again = newAgain(want, rd.scan.file)
		if err := rd.again.expect(m); err != nil {
			return nil, err
		}
	}
	return rd, nil
}

// checkSchema asks what a stream with this schema's metadata must look like,
// and compares.
func checkSchema(h header, check func(map[string]string) (*arrow.Schema, bool, error)) (*arrow.Schema, bool, error) {
	metadata, err := schemaMetadata(h.table)
	if err != nil {
		return nil, false, fmt.Errorf("read schema: %w", err)
	}
	want, ours, err := check(metadata)
	if err != nil {
		return nil, false, err
	}
	if err := matchSchema(h.table, want); err != nil {
		return nil, false, fmt.Errorf("read schema: %w", err)
	}
	return want, ours, nil
}

// Next returns the next record, or io.EOF where the stream was whole. free, to
// be called when nothing looks at the record any more, gives its memory to the
// records to come; it need not be called, and may be from any goroutine.
func (r *Reader) Next() (rec arrow.Record, free func(), err error) {
	if r.done {
		return nil, nil, io.EOF
	}
	for {
		m, err := r.scan.next()
		if errors.Is(err, io.EOF) {
			r.done = true
			if err := r.finish(m); err != nil {
				return nil, nil, err
			}
			return nil, nil, io.EOF
		}
		if err != nil {
			return nil, nil, cut(err, fmt.Sprintf("batch %d", r.records))
		}
		if r.again != nil {
			r.again.pending = append(r.again.pending, m.prefix[:], m.meta, m.body)
		}
		h, err := parseMessage(m.meta)
		if err != nil {
			return nil, nil, fmt.Errorf("batch %d: %w", r.records, err)
		}
		switch h.kind {
		case headerDictionaryBatch:
			if err := r.dictionary(h, m.body); err != nil {
				return nil, nil, fmt.Errorf("dictionary: %w", err)
			}
		case headerRecordBatch:
			rec, err := r.record(h, m.body)
			if err != nil {
				return nil, nil, fmt.Errorf("batch %d: %w", r.records, err)
			}
			if r.again != nil {
				if err := r.again.write(rec); err != nil {
					rec.Release()
					return nil, nil, fmt.Errorf("batch %d: %w", r.records, err)
				}
			}
			r.records++
			return rec, func() { r.scan.spare.put(m.body) }, nil
		default:
			return nil, nil, fmt.Errorf("batch %d: a message of kind %d", r.records, h.kind)
		}
	}
}

func (r *Reader) finish(m message) error {
	tail, err := r.scan.finish()
	if err != nil || r.again == nil {
		return err
	}
	if !r.scan.file {
		r.again.pending = append(r.again.pending, m.prefix[:])
	}
	r.again.pending = append(r.again.pending, tail)
	return r.again.close()
}

func (r *Reader) dictionary(h header, body []byte) error {
	id, layout, err := parseDictionary(h.table)
	if err != nil {
		return err
	}
	if id != 0 {
		return fmt.Errorf("an unknown id, %d", id)
	}
	for _, f := range r.schema.Fields() {
		t, ok := f.Type.(*arrow.DictionaryType)
		if !ok {
			continue
		}
		if _, twice := r.dicts[f.Name]; twice {
			return fmt.Errorf("a second one for column %s", f.Name)
		}
		const maxEntries = 1 << 16
		if layout.rows < 0 || layout.rows > maxEntries {
			return fmt.Errorf("%d entries", layout.rows)
		}
		d := decoder{layout: layout, body: body}
		data, err := d.column(f.Name, t.ValueType, false, layout.rows)
		if err != nil {
			return err
		}
		r.dicts[f.Name] = data
		return nil
	}
	return fmt.Errorf("no column has one")
}

func (r *Reader) record(h header, body []byte) (arrow.Record, error) {
	nodes, spans := 0, 0
	for _, f := range r.schema.Fields() {
		n, s := count(f.Type)
		nodes, spans = nodes+n, spans+s
	}
	layout, err := parseBatch(h.table, nodes, spans)
	if err != nil {
		return nil, err
	}
	d := decoder{layout: layout, body: body, dictionaries: r.dicts}
	return d.record(r.schema)
}

// cut explains an input that ended early.
func cut(err error, where string) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the stream is cut off in %s: its end marker is missing; its producer was killed or failed: %w", where, err)
	}
	return fmt.Errorf("read %s: %w", where, err)
}

// again encodes the records that were read once more and compares the bytes.
type again struct {
	pending [][]byte // read, not yet compared
	w       writer
	err     error
}

// errDiffers marks bytes that the writer would not have written.
var errDiffers = errors.New("its bytes are damaged: written again they differ")

func newAgain(schema *arrow.Schema, file bool) *again {
	a := &again{}
	if file {
		a.pending = append(a.pending, append(bytes.Clone(fileMagic), 0, 0))
		a.w = newFileWriter(&seeker{w: a}, schema)
	} else {
		a.w = ipc.NewWriter(a, ipc.WithSchema(schema))
	}
	return a
}

// expect queues the schema's message; it is compared with the first record.
func (a *again) expect(m message) error {
	a.pending = append(a.pending, m.prefix[:], m.meta)
	return nil
}

// Write implements io.Writer for the encoder.
func (a *again) Write(b []byte) (int, error) {
	n := len(b)
	for len(b) > 0 {
		for len(a.pending) > 0 && len(a.pending[0]) == 0 {
			a.pending = a.pending[1:]
		}
		if len(a.pending) == 0 {
			a.err = errDiffers
			return 0, a.err
		}
		k := min(len(b), len(a.pending[0]))
		if !bytes.Equal(b[:k], a.pending[0][:k]) {
			a.err = errDiffers
			return 0, a.err
		}
		b, a.pending[0] = b[k:], a.pending[0][k:]
	}
	return n, nil
}

func (a *again) write(rec arrow.Record) error {
	if err := a.w.Write(rec); err != nil {
		return errors.Join(a.err, err)
	}
	return a.rest()
}

func (a *again) close() error {
	if err := a.w.Close(); err != nil {
		return errors.Join(a.err, err)
	}
	return a.rest()
}

// rest fails where bytes were read that the encoder did not write.
func (a *again) rest() error {
	for _, p := range a.pending {
		if len(p) > 0 {
			return errDiffers
		}
	}
	a.pending = a.pending[:0]
	return nil
}

// Int32s is the little-endian form of values.
func Int32s(values []int32) []byte {
	b := make([]byte, 0, 4*len(values))
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, uint32(v))
	}
	return b
}
