package pipeline

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/pipa-uda/pipa/pipeline/internal/arrowio"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// The bytes of a batch's columns. A batch of one row has as many as the row: its
// rasters are bounded by [raster.MaxPixels], so that it has at most 800 MB.
const (
	// BatchBytes is what readers fill a batch of several rows up to.
	BatchBytes = 64 << 20
	// MaxBatchBytes bounds a batch of several rows. Beside BatchBytes it has room
	// for what a stage adds to rows: a mix is a sample and a quarter.
	MaxBatchBytes = BatchBytes + BatchBytes/4 + 1<<20
)

// A Builder collects rows into a Batch. Appending copies the row's rasters.
type Builder struct {
	header  *Header
	schema  *arrow.Schema
	err     error // of the header
	columns []columnBuffer
	rows    int
	bytes   int
}

// columnBuffer is a column under construction, in Arrow's memory layout.
type columnBuffer struct {
	values  []byte
	offsets []int32 // of variable-length columns; its last is len(values)
	valid   []bool  // of nullable columns
}

// NewBuilder starts an empty batch of a stream with this header. A header that
// cannot be is reported by the first append.
func NewBuilder(header Header) *Builder {
	b := &Builder{header: &header}
	b.schema, b.err = header.schema()
	if b.err == nil {
		b.columns = make([]columnBuffer, len(b.schema.Fields()))
	}
	return b
}

// Header is that of the stream the batch will belong to.
func (b *Builder) Header() Header { return *b.header }

// Len is the number of rows appended so far.
func (b *Builder) Len() int { return b.rows }

// Release drops what was appended.
func (b *Builder) Release() { b.columns, b.rows, b.bytes = nil, 0, 0 }

// row appends one row's columns in the order of the schema.
type row struct {
	b       *Builder
	next    int
	inPlace bool // the rasters of fixed size lie in their columns already
}

// A BatchSizeError says that so many rows take more than [MaxBatchBytes]; fewer
// may not.
type BatchSizeError struct {
	Rows  int
	Bytes int // of all of them
}

func (e *BatchSizeError) Error() string {
	return fmt.Sprintf("a batch of %d rows needs %d MiB, a batch holds %d", e.Rows, e.Bytes>>20, MaxBatchBytes>>20)
}

// A RowSizeError says that a raster has more than [raster.MaxPixels], which no
// stream holds.
type RowSizeError struct {
	Kind Kind
	ID   string
	Size raster.Size
}

func (e *RowSizeError) Error() string {
	return fmt.Sprintf("%s %q is %dx%d, a stream's rows have at most %d pixels: resize or crop it first", e.Kind, e.ID, e.Size.Width, e.Size.Height, raster.MaxPixels)
}

// start checks that a row of this kind and size fits.
func (b *Builder) start(kind Kind, id string, size int, rasters ...raster.Raster) (*row, error) {
	if b.err != nil {
		return nil, b.err
	}
	if kind != b.header.Kind {
		return nil, fmt.Errorf("append %s %q to a stream of %s", kind, id, b.header.Kind.Plural())
	}
	for _, r := range rasters {
		if z := b.header.Size; z.Fixed() && !r.Empty() && (r.Height() != z.Height || r.Width() != z.Width) {
			return nil, fmt.Errorf("%s %q is %dx%d in a stream of %dx%d", kind, id, r.Width(), r.Height(), z.Width, z.Height)
		}
		if !r.Empty() && r.Height() > raster.MaxPixels/r.Width() {
			return nil, &RowSizeError{Kind: kind, ID: id, Size: raster.Size{Height: r.Height(), Width: r.Width()}}
		}
		size += len(r.Pix())
	}
	if b.rows > 0 && b.bytes+size > MaxBatchBytes {
		return nil, &BatchSizeError{Rows: b.rows + 1, Bytes: b.bytes + size}
	}
	b.bytes += size
	return &row{b: b}, nil
}

func (r *row) column() *columnBuffer {
	c := &r.b.columns[r.next]
	r.next++
	return c
}

func (r *row) variable(v []byte) {
	c := r.column()
	if c.offsets == nil {
		c.offsets = append(c.offsets, 0)
	}
	c.values = append(c.values, v...)
	c.offsets = append(c.offsets, int32(len(c.values)))
}

func (r *row) text(s string) { r.variable([]byte(s)) }

func (r *row) int32s(v ...int) {
	c := r.column()
	for _, x := range v {
		c.values = binary.LittleEndian.AppendUint32(c.values, uint32(int32(x)))
	}
}

func (r *row) float(v float32) {
	c := r.column()
	c.values = binary.LittleEndian.AppendUint32(c.values, math.Float32bits(v))
}

func (r *row) flag(v bool) {
	c := r.column()
	if r.b.rows%8 == 0 {
		c.values = append(c.values, 0)
	}
	if v {
		c.values[r.b.rows/8] |= 1 << (r.b.rows % 8)
	}
}

func (r *row) raster(v raster.Raster) {
	field := r.b.schema.Field(r.next)
	if _, fixed := field.Type.(*arrow.FixedSizeListType); fixed {
		if c := r.column(); !r.inPlace {
			c.values = append(c.values, v.Pix()...)
		}
		return
	}
	c := &r.b.columns[r.next]
	r.variable(v.Pix())
	if field.Nullable {
		c.valid = append(c.valid, !v.Empty())
	}
}

// finish appends the digest and counts the row.
func (r *row) finish(digest uint64) {
	c := r.column()
	c.values = binary.LittleEndian.AppendUint64(c.values, digest)
	r.b.rows++
}

// lastDigest is that of the row that was appended last.
func (b *Builder) lastDigest() uint64 {
	digests := b.columns[len(b.columns)-1].values
	return binary.LittleEndian.Uint64(digests[len(digests)-8:])
}

func (b *Builder) checkLabel(id string, label raster.Raster) error {
	if b.header.Labeled && label.Empty() {
		return fmt.Errorf("%q has no label in a labeled stream", id)
	}
	return nil
}

// AppendSample adds a row to a sample batch.
func (b *Builder) AppendSample(s Sample) error { return b.appendSample(s, false) }

func (b *Builder) appendSample(s Sample, inPlace bool) error {
	if err := b.header.CheckSample(&s); err != nil {
		return err
	}
	r, err := b.start(KindSample, s.ID, len(s.ID)+len(s.Split)+32, s.Image, s.Label)
	if err != nil {
		return err
	}
	r.inPlace = inPlace
	if err := r.sample(&s); err != nil {
		return err
	}
	if b.header.Pseudo {
		r.float(s.Confidence)
	}
	r.finish(s.Digest(b.header.Pseudo))
	return nil
}

func (r *row) sample(s *Sample) error {
	dataset := slices.Index(r.b.header.Datasets, s.Dataset)
	if dataset < 0 {
		return fmt.Errorf("sample %q is of dataset %q, the stream's are %q", s.ID, s.Dataset, r.b.header.Datasets)
	}
	if err := r.b.checkLabel(s.ID, s.Label); err != nil {
		return err
	}
	r.text(s.ID)
	r.int32s(dataset)
	r.text(s.Split)
	r.int32s(s.Image.Height())
	r.int32s(s.Image.Width())
	r.raster(s.Image)
	r.raster(s.Label)
	return nil
}

// AppendMix adds a row to a mix batch.
func (b *Builder) AppendMix(m Mix) error {
	if err := b.header.CheckMix(&m); err != nil {
		return err
	}
	r, err := b.start(KindMix, m.ID, len(m.ID)+len(m.Split)+len(m.TargetID)+len(m.Classes)+48, m.Image, m.Label, m.Mask)
	if err != nil {
		return err
	}
	if err := r.sample(&m.Sample); err != nil {
		return err
	}
	r.text(m.TargetID)
	r.raster(m.Mask)
	r.variable(trainIDs(m.Classes))
	r.float(m.Weight)
	r.finish(m.Digest())
	return nil
}

// AppendPair adds a row to a pair batch.
func (b *Builder) AppendPair(p Pair) error { return b.appendPair(p, false) }

func (b *Builder) appendPair(p Pair, inPlace bool) error {
	if err := b.header.CheckPair(&p); err != nil {
		return err
	}
	if err := b.checkLabel(p.ID, p.A.Label); err != nil {
		return err
	}
	r, err := b.start(KindPair, p.ID, len(p.ID)+96, p.A.Image, p.B.Image, p.A.Label, p.B.Label)
	if err != nil {
		return err
	}
	r.inPlace = inPlace
	r.text(p.ID)
	r.raster(p.A.Image)
	r.raster(p.B.Image)
	for _, o := range []raster.Box{p.A.Overlap, p.B.Overlap} {
		r.int32s(o.Y0, o.X0, o.Y1, o.X1)
	}
	r.flag(p.A.Flip)
	r.flag(p.B.Flip)
	r.int32s(p.A.Origin[0], p.A.Origin[1])
	r.int32s(p.B.Origin[0], p.B.Origin[1])
	r.float(p.Scale)
	r.raster(p.A.Label)
	r.raster(p.B.Label)
	r.finish(p.Digest())
	return nil
}

// AppendFrom copies one row of a batch of the same kind.
func (b *Builder) AppendFrom(from *Batch, row int) error {
	switch from.header.Kind {
	case KindSample:
		s, err := from.Sample(row)
		if err != nil {
			return err
		}
		return b.AppendSample(s)
	case KindMix:
		m, err := from.Mix(row)
		if err != nil {
			return err
		}
		return b.AppendMix(m)
	default:
		p, err := from.Pair(row)
		if err != nil {
			return err
		}
		return b.AppendPair(p)
	}
}

// Batch returns the rows so far, and empties the builder.
func (b *Builder) Batch() (*Batch, error) {
	if b.err != nil {
		return nil, b.err
	}
	columns := make([]arrow.Array, len(b.columns))
	for i, f := range b.schema.Fields() {
		columns[i] = b.array(f, &b.columns[i])
	}
	batch := &Batch{header: b.header, record: array.NewRecord(b.schema, columns, int64(b.rows))}
	b.columns, b.rows, b.bytes = make([]columnBuffer, len(b.columns)), 0, 0
	return batch, nil
}

func (b *Builder) array(f arrow.Field, c *columnBuffer) arrow.Array {
	data := func(t arrow.DataType, n int, buffers ...*memory.Buffer) *array.Data {
		return array.NewData(t, n, buffers, nil, 0, 0)
	}
	buffer := memory.NewBufferBytes
	switch t := f.Type.(type) {
	case *arrow.FixedSizeListType:
		child := data(t.Elem(), b.rows*int(t.Len()), nil, buffer(c.values))
		return array.MakeFromData(array.NewData(t, b.rows, []*memory.Buffer{nil}, []arrow.ArrayData{child}, 0, 0))
	case *arrow.ListType:
		child := data(t.Elem(), len(c.values), nil, buffer(c.values))
		return array.MakeFromData(array.NewData(t, b.rows, []*memory.Buffer{nil, buffer(c.offsetBytes())}, []arrow.ArrayData{child}, 0, 0))
	case *arrow.DictionaryType:
		var offsets []int32
		var text []byte
		offsets = append(offsets, 0)
		for _, name := range b.header.Datasets {
			text = append(text, name...)
			offsets = append(offsets, int32(len(text)))
		}
		dictionary := data(t.ValueType, len(b.header.Datasets), nil, buffer(arrowio.Int32s(offsets)), buffer(text))
		return array.MakeFromData(array.NewDataWithDictionary(t, b.rows, []*memory.Buffer{nil, buffer(c.values)}, 0, 0, dictionary))
	case *arrow.StringType, *arrow.BinaryType:
		valid, nulls := c.validity()
		return array.MakeFromData(array.NewData(t, b.rows, []*memory.Buffer{valid, buffer(c.offsetBytes()), buffer(c.values)}, nil, nulls, 0))
	default:
		return array.MakeFromData(data(t, b.rows, nil, buffer(c.values)))
	}
}

func (c *columnBuffer) offsetBytes() []byte {
	if c.offsets == nil {
		return arrowio.Int32s([]int32{0})
	}
	return arrowio.Int32s(c.offsets)
}

// validity is the bitmap of a column with nulls, and their number.
func (c *columnBuffer) validity() (*memory.Buffer, int) {
	nulls := 0
	bits := make([]byte, (len(c.valid)+7)/8)
	for i, ok := range c.valid {
		if ok {
			bits[i/8] |= 1 << (i % 8)
		} else {
			nulls++
		}
	}
	if nulls == 0 {
		return nil, 0
	}
	return memory.NewBufferBytes(bits), nulls
}
