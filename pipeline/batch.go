package pipeline

import (
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// A Batch is a record batch of one kind, validated: every row's rasters have
// the lengths their sizes ask for, hold values that the header allows, and match
// the row's digest.
//
// Rasters taken from a batch are views into it: they must not be written to, nor
// looked at after Release, which gives the memory of a stream's batch to the
// batches to come.
type Batch struct {
	header *Header
	record arrow.Record
	free   func() // of a batch that was read from a stream, else nil
	others atomic.Int32
}

// Retain adds a holder, who releases the batch too: only the last Release gives
// it up.
func (b *Batch) Retain() { b.others.Add(1) }

// Release gives up the batch. Each holder may call it once, and need not: what
// is not released is left to the garbage collector.
func (b *Batch) Release() {
	if b.others.Add(-1) >= 0 {
		return
	}
	b.record.Release()
	if b.free != nil {
		b.free()
	}
}

// OnRelease has done called when the batch's last holder releases it, before
// anything else can use its memory. It must be called before the batch is shared.
func (b *Batch) OnRelease(done func()) {
	free := b.free
	b.free = func() {
		done()
		if free != nil {
			free()
		}
	}
}

// Header is that of the stream the batch belongs to.
func (b *Batch) Header() Header { return *b.header }

// Len is the number of rows.
func (b *Batch) Len() int { return int(b.record.NumRows()) }

// Bytes is the size of the batch's columns.
func (b *Batch) Bytes() int64 {
	var n int64
	for _, c := range b.record.Columns() {
		n += dataBytes(c.Data())
	}
	return n
}

func dataBytes(d arrow.ArrayData) int64 {
	var n int64
	for _, b := range d.Buffers() {
		if b != nil {
			n += int64(b.Len())
		}
	}
	for _, c := range d.Children() {
		n += dataBytes(c)
	}
	return n
}

// newBatch checks every row of a record that came from outside.
func newBatch(h *Header, r arrow.Record) (*Batch, error) {
	b := &Batch{header: h, record: r}
	if err := b.checkDatasets(); err != nil {
		return nil, err
	}
	digests := b.column("digest").(*array.Uint64)
	for i := range b.Len() {
		d, id, err := b.digest(i)
		if err != nil {
			return nil, fmt.Errorf("row %d: %w", i, err)
		}
		if d != digests.Value(i) {
			return nil, fmt.Errorf("row %d (%s) is damaged: its digest is %016x, recorded is %016x", i, id, d, digests.Value(i))
		}
	}
	return b, nil
}

// checkDatasets compares the dataset column's dictionary with the header's
// list.
func (b *Batch) checkDatasets() error {
	if b.header.Kind == KindPair {
		return nil
	}
	d := b.column("dataset").(*array.Dictionary).Dictionary().(*array.String)
	if d.Len() != len(b.header.Datasets) {
		return fmt.Errorf("the dictionary of datasets has %d entries, want %d", d.Len(), len(b.header.Datasets))
	}
	for i, want := range b.header.Datasets {
		if d.Value(i) != want {
			return fmt.Errorf("the dictionary of datasets has %q for %q", d.Value(i), want)
		}
	}
	return nil
}

// digest decodes row i, checks its values, and hashes it.
func (b *Batch) digest(i int) (digest uint64, id string, err error) {
	switch b.header.Kind {
	case KindSample:
		s, err := b.Sample(i)
		if err == nil {
			err = b.header.CheckSample(&s)
		}
		return s.Digest(b.header.Pseudo), s.ID, err
	case KindMix:
		m, err := b.Mix(i)
		if err == nil {
			err = b.header.CheckMix(&m)
		}
		return m.Digest(), m.ID, err
	default:
		p, err := b.Pair(i)
		if err == nil {
			err = b.header.CheckPair(&p)
		}
		return p.Digest(), p.ID, err
	}
}

func (b *Batch) column(name string) arrow.Array {
	i := b.record.Schema().FieldIndices(name)
	if len(i) != 1 {
		panic(fmt.Sprintf("pipeline: a %s batch has no column %s", b.header.Kind, name))
	}
	return b.record.Column(i[0])
}

// text is a copy: names are kept longer than batches.
func (b *Batch) text(name string, i int) string {
	return strings.Clone(b.column(name).(*array.String).Value(i))
}

// raster is row i of a raster column.
func (b *Batch) raster(name string, i, height, width, channels int) (raster.Raster, error) {
	c := b.column(name)
	if c.IsNull(i) {
		return raster.Raster{}, nil
	}
	var pix []byte
	switch c := c.(type) {
	case *array.Binary:
		pix = c.Value(i)
	case *array.FixedSizeList:
		n := height * width * channels
		values := c.ListValues().(*array.Uint8).Uint8Values()
		if (i+1)*n > len(values) {
			return raster.Raster{}, fmt.Errorf("%s of row %d lies outside its column", name, i)
		}
		pix = values[i*n : (i+1)*n : (i+1)*n]
	}
	r, err := raster.Wrap(height, width, channels, pix)
	if err != nil {
		return r, fmt.Errorf("%s: %w", name, err)
	}
	return r, nil
}

// Sample is row i of a sample batch, or the Sample inside a mix batch; its
// rasters are views into the batch.
func (b *Batch) Sample(i int) (Sample, error) {
	s := Sample{ID: b.text("id", i), Split: b.text("split", i)}
	d := b.column("dataset").(*array.Dictionary)
	s.Dataset = d.Dictionary().(*array.String).Value(d.GetValueIndex(i))
	h, w := int(b.column("height").(*array.Int32).Value(i)), int(b.column("width").(*array.Int32).Value(i))
	if h <= 0 || w <= 0 || h > raster.MaxPixels/w {
		return s, fmt.Errorf("sample %q declares %dx%d pixels", s.ID, w, h)
	}
	if z := b.header.Size; z.Fixed() && (z.Height != h || z.Width != w) {
		return s, fmt.Errorf("sample %q is %dx%d in a stream of %dx%d", s.ID, w, h, z.Width, z.Height)
	}
	var err error
	if s.Image, err = b.raster("image", i, h, w, 3); err != nil {
		return s, fmt.Errorf("sample %q: %w", s.ID, err)
	}
	if s.Label, err = b.raster("label", i, h, w, 1); err != nil {
		return s, fmt.Errorf("sample %q: %w", s.ID, err)
	}
	if b.header.Pseudo {
		s.Confidence = b.column("confidence").(*array.Float32).Value(i)
	}
	return s, s.Validate()
}

// Mix is row i of a mix batch; its rasters are views into the batch.
func (b *Batch) Mix(i int) (Mix, error) {
	s, err := b.Sample(i)
	m := Mix{Sample: s, TargetID: b.text("target_id", i), Weight: b.column("weight").(*array.Float32).Value(i)}
	if err != nil {
		return m, err
	}
	if m.Mask, err = b.raster("mask", i, s.Image.Height(), s.Image.Width(), 1); err != nil {
		return m, fmt.Errorf("mix %q: %w", m.ID, err)
	}
	classes := b.column("classes").(*array.List)
	start, end := classes.ValueOffsets(i)
	if end-start > maxClasses {
		return m, fmt.Errorf("mix %q: %d classes, want at most %d", m.ID, end-start, maxClasses)
	}
	for _, id := range classes.ListValues().(*array.Uint8).Uint8Values()[start:end] {
		m.Classes = append(m.Classes, raster.TrainID(id))
	}
	return m, m.Validate()
}

// Pair is row i of a pair batch; its rasters are views into the batch.
func (b *Batch) Pair(i int) (Pair, error) {
	p := Pair{ID: b.text("id", i), Scale: b.column("scale").(*array.Float32).Value(i)}
	ints := func(name string, n int) []int32 {
		return b.column(name).(*array.FixedSizeList).ListValues().(*array.Int32).Int32Values()[i*n : (i+1)*n]
	}
	for name, crop := range map[string]*Crop{"a": &p.A, "b": &p.B} {
		o, at := ints("overlap_"+name, 4), ints("origin_"+name, 2)
		crop.Overlap = raster.Box{Y0: int(o[0]), X0: int(o[1]), Y1: int(o[2]), X1: int(o[3])}
		crop.Origin = [2]int{int(at[0]), int(at[1])}
		crop.Flip = b.column("flip_" + name).(*array.Boolean).Value(i)
		var err error
		if crop.Image, err = b.raster("image_"+name, i, b.header.Size.Height, b.header.Size.Width, 3); err != nil {
			return p, fmt.Errorf("pair %q: %w", p.ID, err)
		}
		if crop.Label, err = b.raster("label_"+name, i, b.header.Size.Height, b.header.Size.Width, 1); err != nil {
			return p, fmt.Errorf("pair %q: %w", p.ID, err)
		}
	}
	return p, p.Validate()
}

// Tensor is the values buffer of a fixed-size raster column (image, label,
// mask, image_a, …) as one contiguous [N,H,W,C] block, and its shape. It is a
// view into the batch. It fails where sizes vary or rows may lack the column.
func (b *Batch) Tensor(column string) (pix []byte, shape [4]int, err error) {
	i := b.record.Schema().FieldIndices(column)
	if len(i) != 1 {
		return nil, shape, fmt.Errorf("a %s batch has no column %s", b.header.Kind, column)
	}
	c, ok := b.record.Column(i[0]).(*array.FixedSizeList)
	if !ok {
		return nil, shape, fmt.Errorf("column %s is not a tensor: sizes vary, or rows may lack it", column)
	}
	n := int(c.DataType().(*arrow.FixedSizeListType).Len())
	h, w := b.header.Size.Height, b.header.Size.Width
	pix = c.ListValues().(*array.Uint8).Uint8Values()
	return pix, [4]int{b.Len(), h, w, n / (h * w)}, nil
}

// IDs are the rows' sample ids.
func (b *Batch) IDs() []string {
	out := make([]string, b.Len())
	for i := range out {
		out[i] = b.text("id", i)
	}
	return out
}
