package pipeline

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/pipeline/columns"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// recover fills in what the metadata do not say: from the columns where they tell,
// else from the options. DuckDB, polars and pandas keep no metadata.
func (d *door) recover(has map[string]bool) (err error) {
	h, o := &d.header, d.o
	if has[keyKind] && o.Kind != "" && o.Kind != h.Kind {
		return &FormatError{fmt.Sprintf("the stream says that it is of %s, not of %s", h.Kind.Plural(), o.Kind.Plural())}
	}
	lose := func(what, key string) bool {
		if !has[key] {
			d.lost = append(d.lost, what)
		}
		return !has[key]
	}
	if lose("kind", keyKind) {
		if h.Kind = o.Kind; h.Kind == "" {
			h.Kind = d.kindOf()
		}
	}
	labels := lose("labels", keyLabeled)
	sizes := lose("size", keySize)
	datasets := lose("datasets", keyDatasets)
	// The columns of any stream of the kind: what is required is asked again below.
	if d.plan, err = planOf(&d.schema, Header{Kind: h.Kind}, o.Decode); err != nil {
		return err
	}
	if size := d.plan.tensorSize(); size.Fixed() {
		h.Size = size // a program that cuts pixels changes the type, and may forget the metadata
	}
	if labels || datasets || sizes && !h.Size.Fixed() {
		v, err := d.survey()
		if err != nil {
			return err
		}
		if labels {
			h.Labeled = v.labeled && v.rows > 0
		}
		if datasets {
			h.Datasets = v.datasets
		}
		if sizes && !h.Size.Fixed() {
			h.Size = v.size
		}
		if h.Kind == KindPair && !h.Size.Fixed() && v.rows == 0 { // any size is that of no rows
			h.Size = raster.Size{Height: 1, Width: 1}
		}
	}
	if lose("classes", keyClasses) {
		if h.Classes = o.Classes; h.Classes == nil {
			h.Classes = d.classesOf(h.Datasets)
		}
		if h.Classes == nil && h.Labeled {
			return &ClassesLostError{}
		}
	}
	if !has[keyPseudo] && labels && h.Kind == KindSample && h.Labeled {
		h.Pseudo = d.schema.Field("confidence") != nil
	}
	d.plan, err = planOf(&d.schema, *h, o.Decode)
	return err
}

// A ClassesLostError says that labels have come without the names of their classes.
type ClassesLostError struct{}

func (*ClassesLostError) Error() string {
	return fmt.Sprintf("the stream has labels, and its metadata have lost the classes that they are of (%s)", keyClasses)
}

// kindOf tells the kind by the columns that the others have not.
func (d *door) kindOf() Kind {
	has := func(name string) bool { return d.schema.Field(name) != nil }
	switch {
	case has("image_a") && has("image_b"):
		return KindPair
	case has("mask") && has("target_id"):
		return KindMix
	}
	return KindSample
}

// classesOf are the classes that all datasets have.
func (d *door) classesOf(datasets []string) (classes []string) {
	if d.o.ClassesOf == nil {
		return nil
	}
	for i, name := range datasets {
		c := d.o.ClassesOf(name)
		if c == nil || i > 0 && !slices.Equal(c, classes) {
			return nil
		}
		classes = c
	}
	return classes
}

// tensorSize is what the type of the images says.
func (p *plan) tensorSize() raster.Size {
	for _, name := range []string{"image", "image_a"} {
		if c := p.rasters[name]; c != nil && c.size.Fixed() {
			return c.size
		}
	}
	return raster.Size{}
}

// A survey is what rows have in common.
type survey struct {
	rows     int
	labeled  bool
	datasets []string
	size     raster.Size
}

// survey looks at all rows of a file; of a stream at its first batch, since more
// cannot be seen before it is passed on.
func (d *door) survey() (v survey, err error) {
	v.labeled = d.plan.rasters["label"] != nil || d.plan.rasters["label_a"] != nil
	sizes := map[raster.Size]bool{}
	all := d.tables.Rewind()
	if names := d.plan.names; all { // pixels are looked at where nothing else says their size
		d.plan.names = slices.DeleteFunc(slices.Clone(names), func(name string) bool {
			return d.plan.rasters[name] != nil && !strings.HasPrefix(name, "label") && d.schema.Field("height") != nil
		})
		defer func() { d.plan.names = names }()
	}
	for {
		t, err := d.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return v, err
		}
		if err := d.look(&t, &v, sizes); err != nil {
			return v, err
		}
		if !all {
			d.peeked = &t
			break
		}
	}
	if all {
		d.tables.Rewind()
	}
	fixed := d.header.Kind == KindPair
	if c := d.schema.Field("image"); c != nil && c.Type.Kind == columns.List && c.Type.Size > 0 {
		fixed = true
	}
	if len(sizes) == 1 && (all || fixed) {
		for v.size = range sizes {
		}
	}
	return v, nil
}

// look adds a table's rows to a survey.
func (d *door) look(t *columns.Table, v *survey, sizes map[raster.Size]bool) error {
	if c := t.Columns["dataset"]; c != nil && c.Type.Index != nil {
		for _, part := range c.Dictionary {
			for i := range part.Len {
				if name, err := part.Text(i); err == nil && name != "" && !slices.Contains(v.datasets, name) {
					v.datasets = append(v.datasets, name)
				}
			}
		}
	}
	for i := range t.Rows {
		f := &fields{p: &d.plan, t: t, i: i}
		dataset, _ := datasetOf(f.text("id", ""))
		if dataset = f.text("dataset", dataset); !slices.Contains(v.datasets, dataset) {
			v.datasets = append(v.datasets, dataset)
		}
		for _, name := range []string{"label", "label_a"} {
			if c := t.Columns[name]; c != nil && d.plan.isNull(c, i) {
				v.labeled = false
			}
		}
		size := f.size()
		if f.err != nil {
			return fmt.Errorf("row %d: %w", v.rows, f.err)
		}
		if !size.Fixed() && len(sizes) < 2 {
			var err error
			if size, err = d.sizeOf(t, i); err != nil {
				return fmt.Errorf("row %d: %w", v.rows, err)
			}
		}
		sizes[size] = true
		v.rows++
	}
	return nil
}

// isNull reports whether row i has no raster: as Hugging Face writes it too.
func (p *plan) isNull(c *columns.Column, i int) bool {
	if c.IsNull(i) {
		return true
	}
	file, row, ok := c.Child(i, "bytes")
	return ok && file != nil && file.IsNull(row)
}

// sizeOf is the size of a row's image by the image itself. The crops of pairs are
// squares.
func (d *door) sizeOf(t *columns.Table, i int) (s raster.Size, err error) {
	name := "image"
	if d.header.Kind == KindPair {
		name = "image_a"
	}
	c, col := d.plan.rasters[name], t.Columns[name]
	if c.files {
		r, err := c.read(&d.plan, col, i, s)
		return raster.Size{Height: r.Height(), Width: r.Width()}, err
	}
	if name == "image" || col.IsNull(i) {
		return s, nil
	}
	pix, err := col.Bytes(i)
	side := int(math.Sqrt(float64(len(pix) / 3)))
	if err == nil && (side == 0 || 3*side*side != len(pix)) {
		err = unfit(name, fmt.Sprintf("%d bytes in a table that has lost its size", len(pix)), "the pixels of a square, 3 bytes each", wantRaster.mend)
	}
	return raster.Size{Height: side, Width: side}, err
}
