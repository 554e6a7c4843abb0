package pipeline

import (
	"fmt"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// Rows may be made in the batch's own memory, which saves their copy: the
// builder hands out rasters, a function fills them. This is for streams of one
// size, where the memory a row needs is known.

// Reserve makes room for rows more rows in a stream of one size, so that the
// columns do not grow on the way. It is a matter of speed alone.
func (b *Builder) Reserve(rows int) {
	if b.err != nil {
		return
	}
	for i, f := range b.schema.Fields() {
		if t, fixed := f.Type.(*arrow.FixedSizeListType); fixed {
			width := t.Elem().(arrow.FixedWidthDataType).BitWidth() / 8
			bytes := int(min(int64(rows)*int64(t.Len())*int64(width), MaxBatchBytes)) // or one row, which grows as it comes
			c := &b.columns[i]
			c.values = slices.Grow(c.values, bytes)
		}
	}
}

// AddSample adds a row to a sample batch of one size whose rasters fill writes:
// both are the batch's memory, with anything in it, and label is empty where
// the stream is not labeled. fill returns the row with exactly these rasters;
// where it fails no row is added.
func (b *Builder) AddSample(fill func(image, label raster.Raster) (Sample, error)) error {
	images, err := b.inPlace(KindSample, "image", "label")
	if err != nil {
		return err
	}
	s, err := fill(images.rasters[0], images.rasters[1])
	if err == nil {
		err = images.same(s.Image, s.Label)
	}
	if err == nil {
		err = b.appendSample(s, true)
	}
	if err != nil {
		images.drop()
	}
	return err
}

// AddPair is AddSample for a pair: fill gets a pair whose images, and labels
// where the stream is labeled, are the batch's memory, and completes it.
func (b *Builder) AddPair(fill func(p *Pair) error) error {
	images, err := b.inPlace(KindPair, "image_a", "image_b", "label_a", "label_b")
	if err != nil {
		return err
	}
	r := images.rasters
	p := Pair{A: Crop{Image: r[0], Label: r[2]}, B: Crop{Image: r[1], Label: r[3]}}
	if err = fill(&p); err == nil {
		err = images.same(p.A.Image, p.B.Image, p.A.Label, p.B.Label)
	}
	if err == nil {
		err = b.appendPair(p, true)
	}
	if err != nil {
		images.drop()
	}
	return err
}

// placed are a row's rasters in the columns' memory.
type placed struct {
	columns []*columnBuffer // nil for a raster that the stream has not
	before  []int           // their lengths without the row
	rasters []raster.Raster
}

// inPlace extends the raster columns of these names by a row.
func (b *Builder) inPlace(kind Kind, names ...string) (*placed, error) {
	if b.err != nil {
		return nil, b.err
	}
	if z := b.header.Size; kind != b.header.Kind || !z.Fixed() {
		return nil, fmt.Errorf("add a %s in place to a stream of %s of size %v: it must be of that kind and of one size", kind, b.header.Kind.Plural(), z)
	}
	p := &placed{}
	for _, name := range names {
		i := b.schema.FieldIndices(name)[0]
		t, fixed := b.schema.Field(i).Type.(*arrow.FixedSizeListType)
		if !fixed { // a label in a stream that is not labeled
			p.columns, p.before, p.rasters = append(p.columns, nil), append(p.before, 0), append(p.rasters, raster.Raster{})
			continue
		}
		c, n := &b.columns[i], int(t.Len())
		before := len(c.values)
		c.values = slices.Grow(c.values, n)[:before+n]
		z := b.header.Size
		r, err := raster.Wrap(z.Height, z.Width, n/(z.Height*z.Width), c.values[before:])
		if err != nil {
			p.drop()
			return nil, err
		}
		p.columns, p.before, p.rasters = append(p.columns, c), append(p.before, before), append(p.rasters, r)
	}
	return p, nil
}

// drop takes the row back.
func (p *placed) drop() {
	for i, c := range p.columns {
		if c != nil {
			c.values = c.values[:p.before[i]]
		}
	}
}

// same fails unless the rasters are those that were handed out.
func (p *placed) same(rasters ...raster.Raster) error {
	for i, r := range rasters {
		want := p.rasters[i]
		if r.Empty() != want.Empty() || !r.Empty() && &r.Pix()[0] != &want.Pix()[0] {
			return fmt.Errorf("add a row in place: raster %d is not the one handed out", i)
		}
	}
	return nil
}
