package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/pipeline/columns"
	"github.com/pipa-uda/pipa/pipeline/internal/arrowio"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// What other programs wrote comes in by one door, [ReadTables]: whatever schema
// carries the columns that a kind needs becomes a stream like any other. No stage
// knows, and nothing asks which program it was.

// ReadOptions say how tables that other programs wrote are read. Streams of this
// module's need none of them.
type ReadOptions struct {
	// Kind and Classes are those of a table whose metadata have lost them. What is
	// not given is what the columns say.
	Kind    Kind
	Classes []string
	// ClassesOf names the classes of a dataset, or returns nil. It is asked where
	// the metadata do not list them; nil knows none.
	ClassesOf func(dataset string) []string
	// Decode decodes an image file inside a column: as RGB for 3 channels, as train
	// IDs for 1. nil refuses such columns.
	Decode func(file []byte, channels int) (raster.Raster, error)
	// Notice is called at most once, with what cannot be promised of the table and
	// what was left out of it. nil is silent.
	Notice func(text string)
}

// Tables are a table's rows, part by part.
type Tables interface {
	Schema() columns.Schema
	// Next is the next rows, with the columns of these names, or io.EOF. What it
	// returned before is invalid then.
	Next(names []string) (columns.Table, error)
	// Rewind goes back to the first rows, and reports whether it can.
	Rewind() bool
}

// A ColumnError says that a column is not what a stream of a kind needs, what was
// found, and how a user of pyarrow mends it.
type ColumnError struct {
	Column string
	Found  string
	Want   string
	Mend   string
}

func (e *ColumnError) Error() string {
	return fmt.Sprintf("column %s: found %s, want %s; in pyarrow: %s", e.Column, e.Found, e.Want, e.Mend)
}

// ReadTables makes a stream of tables that another program wrote. Rows are copied,
// checked as this module's are, and compared with the digests that they have.
func ReadTables(ctx context.Context, t Tables, o ReadOptions) (Stream, error) {
	d, err := newDoor(t, o)
	if err != nil {
		return Stream{}, fmt.Errorf("read stream: %w", err)
	}
	if o.Notice != nil {
		o.Notice(d.notice())
	}
	return Stream{d.header, d.batches(ctx)}, nil
}

// A door reads the rows of one table.
type door struct {
	tables Tables
	schema columns.Schema
	o      ReadOptions
	header Header
	lost   []string // what the metadata did not say
	plan   plan
	peeked *columns.Table // taken to look at, and not yet read
}

func newDoor(t Tables, o ReadOptions) (*door, error) {
	d := &door{tables: t, schema: t.Schema(), o: o}
	s, err := parseMetadata(d.schema.Metadata)
	if err != nil {
		return nil, err
	}
	d.header = s.Header
	if err := d.recover(s.has); err != nil {
		return nil, err
	}
	if err := d.header.Validate(); err != nil {
		return nil, err
	}
	return d, nil
}

// next is the next table that has rows.
func (d *door) next() (columns.Table, error) {
	if d.peeked != nil {
		t := *d.peeked
		d.peeked = nil
		return t, nil
	}
	for {
		t, err := d.tables.Next(d.plan.names)
		if err != nil || t.Rows > 0 {
			return t, err
		}
	}
}

func (d *door) batches(ctx context.Context) iter.Seq2[*Batch, error] {
	return func(yield func(*Batch, error) bool) {
		if d.tables.Rewind() {
			d.peeked = nil
		}
		out := NewBuilder(d.header)
		defer out.Release()
		flush := func() bool {
			b, err := out.Batch()
			return yield(b, err) && err == nil
		}
		row := 0
		for {
			if ctx.Err() != nil {
				yield(nil, context.Cause(ctx))
				return
			}
			t, err := d.next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				yield(nil, fmt.Errorf("read stream: %w", err))
				return
			}
			for i := range t.Rows {
				if err := d.append(out, &t, i, flush); err != nil {
					if !errors.Is(err, errStopped) {
						yield(nil, fmt.Errorf("read stream: row %d: %w", row, err))
					}
					return
				}
				row++
			}
			if out.Len() > 0 && !flush() {
				return
			}
		}
	}
}

// errStopped says that the consumer wants no more.
var errStopped = errors.New("stopped")

// append adds a row to the batch, which is flushed before where it is full. The
// table may lie in a mapped file.
func (d *door) append(out *Builder, t *columns.Table, i int, flush func() bool) (err error) {
	const what = "the table's file"
	var r foreignRow
	err = files.Mapped(what, func() (err error) {
		r, err = d.plan.row(t, i, &d.header)
		return err
	})
	if err != nil {
		return err
	}
	if out.Len() > 0 && out.bytes+r.bytes()+rowBytes > BatchBytes && !flush() {
		return errStopped
	}
	if err := files.Mapped(what, func() error { return r.appendTo(out, d.header.Kind) }); err != nil {
		return d.blame(err)
	}
	c := t.Columns["digest"]
	if c == nil {
		return nil
	}
	if recorded, ok := c.Int(i); ok && uint64(recorded) != out.lastDigest() {
		return fmt.Errorf("%s is damaged, or was changed: its digest is %016x, recorded is %016x (a program that changes rows drops the column digest, and it is made anew)", r.id(), out.lastDigest(), uint64(recorded))
	}
	return nil
}

// blame says of a row that does not fit the header where the header says so.
func (d *door) blame(err error) error {
	if !slices.Contains(d.lost, "size") && d.header.Size.Fixed() || !slices.Contains(d.lost, "datasets") {
		return fmt.Errorf("%w (the stream's metadata: a program that changes rows' sizes or datasets leaves %s and %s out, with %s)", err, keySize, keyDatasets, keyCheck)
	}
	return fmt.Errorf("%w (the stream's metadata are lost, and this is from its first rows: put them back with replace_schema_metadata)", err)
}

// notice is what a user has to know of the table, in one line.
func (d *door) notice() string {
	parts := []string{"another program wrote this: rows that it left out, doubled or moved are not noticed"}
	if !slices.Contains(d.plan.names, "digest") {
		parts = append(parts, "rows have no digest, and get one here")
	}
	if len(d.lost) > 0 {
		parts = append(parts, fmt.Sprintf("its metadata do not say %s, so: %s", strings.Join(d.lost, ", "), d.found()))
	}
	if extra := d.plan.extra(&d.schema); len(extra) > 0 {
		parts = append(parts, "dropped columns: "+strings.Join(extra, ", "))
	}
	return strings.Join(parts, "; ")
}

// found describes the header.
func (d *door) found() string {
	h := d.header
	size := "of varying size"
	if h.Size.Fixed() {
		size = fmt.Sprintf("of %dx%d", h.Size.Width, h.Size.Height)
	}
	labels := "without labels, or with some"
	if h.Labeled {
		labels = "labeled"
	}
	return fmt.Sprintf("%s %s, %s, %d classes, datasets %s", h.Kind.Plural(), size, labels, len(h.Classes), strings.Join(h.Datasets, ", "))
}

// ParseSchema reads a schema from a message of Arrow IPC, as other formats keep it
// in their metadata.
func ParseSchema(message []byte) (columns.Schema, error) { return arrowio.ParseSchema(message) }

// StreamTables reads an Arrow IPC stream that another program may have written.
func StreamTables(r io.Reader) (Tables, error) {
	rd, err := arrowio.NewReader(r)
	if err != nil {
		return nil, err
	}
	return &streamTables{rd}, nil
}

// streamTables are the record batches of a stream.
type streamTables struct{ rd *arrowio.Reader }

func (t *streamTables) Schema() columns.Schema                     { return t.rd.Schema() }
func (t *streamTables) Next(names []string) (columns.Table, error) { return t.rd.Table(names) }
func (t *streamTables) Rewind() bool                               { return false }

// fileTables are the record batches of a file.
type fileTables struct {
	file *arrowio.File
	next int
}

func (t *fileTables) Schema() columns.Schema { return t.file.Schema() }

func (t *fileTables) Next(names []string) (columns.Table, error) {
	if t.next == t.file.Len() {
		return columns.Table{}, io.EOF
	}
	t.next++
	return t.file.Table(t.next-1, names)
}

func (t *fileTables) Rewind() bool {
	t.next = 0
	return true
}
