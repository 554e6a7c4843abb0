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
	"github.com/pipa-uda/pipa/pipeline/columns"
)

// A Reader reads the records of an IPC stream or file, one after the other: those
// of this module's writer, once [Reader.Ours] has said so, by Next, and all others
// by Table.
type Reader struct {
	scan     scanner
	first    message // the schema's
	shapes   []shape
	metadata map[string]string
	records  int
	done     bool

	schema *arrow.Schema // of this module's
	dicts  map[string]arrow.ArrayData
	again  *again

	whole  *File         // where only the footer of the input tells what is in it
	tables *tableDecoder // of another writer's
	spent  []byte        // the last table's memory
}

// NewReader reads the schema.
func NewReader(r io.Reader) (*Reader, error) {
	rd := &Reader{scan: scanner{r: bufio.NewReaderSize(r, 64<<10), spare: &spare{}, most: maxBody}}
	var err error
	if err = rd.scan.sniff(); err != nil {
		return nil, err
	}
	if rd.scan.file {
		if head, err := rd.scan.r.Peek(4); err == nil && binary.LittleEndian.Uint32(head) != continuation {
			return rd, rd.readWhole()
		}
	}
	if rd.first, err = rd.scan.next(); err != nil {
		return nil, cut(err, "the schema")
	}
	if rd.shapes, rd.metadata, err = firstSchema(rd.first); err != nil {
		return nil, err
	}
	return rd, nil
}

// readWhole reads a file that does not begin with its schema, as polars writes it.
func (r *Reader) readWhole() error {
	data, err := io.ReadAll(io.MultiReader(bytes.NewReader(append(bytes.Clone(fileMagic), 0, 0)), io.LimitReader(r.scan.r, maxTableBody)))
	if err != nil {
		return err
	}
	if r.whole, err = OpenFile(data); err != nil {
		return err
	}
	r.shapes, r.metadata = r.whole.shapes, r.whole.metadata
	return nil
}

// firstSchema reads the schema that a stream begins with.
func firstSchema(m message) ([]shape, map[string]string, error) {
	h, err := parseMessage(m.meta)
	if err != nil {
		return nil, nil, err
	}
	if h.kind != headerSchema || len(m.body) > 0 {
		return nil, nil, fmt.Errorf("%w: it does not begin with a schema", ErrNotArrow)
	}
	shapes, metadata, err := parseSchema(h.table)
	if err != nil {
		return nil, nil, fmt.Errorf("read schema: %w", err)
	}
	return shapes, metadata, nil
}

// Schema is the stream's.
func (r *Reader) Schema() columns.Schema { return schemaOf(r.shapes, r.metadata) }

// Mentions reports whether a text stands in the bytes of the schema.
func (r *Reader) Mentions(text string) bool { return bytes.Contains(r.first.meta, []byte(text)) }

// Ours reports whether the schema is, byte for byte, what this module's writer
// writes for want. [Reader.Next] then holds the rest to the same.
func (r *Reader) Ours(want *arrow.Schema) (bool, error) {
	ours, err := written(r.first, want)
	if !ours || err != nil {
		return false, err
	}
	r.schema, r.dicts = want, map[string]arrow.ArrayData{}
	r.again = newAgain(want, r.scan.file)
	r.again.expect(r.first)
	return true, nil
}

// written reports whether a schema's message is this module's for want. Where a
// few of its bytes are others it is damaged: no other program's is so much alike.
func written(m message, want *arrow.Schema) (bool, error) {
	const damaged = 8
	var b bytes.Buffer
	if err := ipc.NewWriter(&b, ipc.WithSchema(want)).Close(); err != nil {
		return false, err
	}
	ours := b.Bytes()
	if len(ours) != len(m.prefix)+len(m.meta)+8 { // with the end marker
		return false, nil
	}
	differ := 0
	for i, v := range append(m.prefix[:], m.meta...) {
		if v != ours[i] {
			differ++
		}
	}
	if 0 < differ && differ <= damaged {
		return false, fmt.Errorf("read schema: %w", errDiffers)
	}
	return differ == 0, nil
}

// Table returns the next record batch of another program's stream, with the
// columns of these names, or io.EOF where the stream was whole. It is a view into
// memory that the next call uses again.
func (r *Reader) Table(names []string) (columns.Table, error) {
	if r.whole != nil {
		if r.records == r.whole.Len() {
			return columns.Table{}, io.EOF
		}
		r.records++
		return r.whole.Table(r.records-1, names)
	}
	if r.tables == nil {
		r.tables = &tableDecoder{shapes: r.shapes, dictionaries: map[int64][]*columns.Column{}}
		r.scan.most = maxTableBody
	}
	if r.spent != nil {
		r.scan.spare.put(r.spent)
		r.spent = nil
	}
	for !r.done {
		m, err := r.scan.next()
		if errors.Is(err, io.EOF) {
			r.done = true
			_, err = r.scan.finish()
			if err != nil {
				return columns.Table{}, err
			}
			break
		}
		if err != nil {
			return columns.Table{}, cut(err, fmt.Sprintf("batch %d", r.records))
		}
		h, err := parseMessage(m.meta)
		if err != nil {
			return columns.Table{}, fmt.Errorf("batch %d: %w", r.records, err)
		}
		switch h.kind {
		case headerDictionaryBatch:
			if err := r.tables.dictionary(h, m.body); err != nil {
				return columns.Table{}, fmt.Errorf("dictionary: %w", err)
			}
		case headerRecordBatch:
			t, err := r.tables.table(h, m.body, names)
			if err != nil {
				return columns.Table{}, fmt.Errorf("batch %d: %w", r.records, err)
			}
			r.records++
			r.spent = m.body
			return t, nil
		default:
			return columns.Table{}, fmt.Errorf("batch %d: a message of kind %d", r.records, h.kind)
		}
	}
	return columns.Table{}, io.EOF
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
		r.again.pending = append(r.again.pending, m.prefix[:], m.meta, m.body)
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
			if err := r.again.write(rec); err != nil {
				rec.Release()
				return nil, nil, fmt.Errorf("batch %d: %w", r.records, err)
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
	if err != nil {
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
func (a *again) expect(m message) { a.pending = append(a.pending, m.prefix[:], m.meta) }

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
