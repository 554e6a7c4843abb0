package pipeline

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/pipeline/columns"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// A want is what a column's values have to be, in whatever layout.
type want struct {
	what string
	mend string // the type to cast to, or how the column is made
	fits func(t *columns.Type) bool
}

var (
	wantText  = want{"text", "cast(pa.string())", func(t *columns.Type) bool { return t.Kind == columns.Text }}
	wantInt   = want{"integers", "cast(pa.int32())", func(t *columns.Type) bool { return t.Kind == columns.Int }}
	wantFloat = want{"numbers", "cast(pa.float32())", func(t *columns.Type) bool {
		return t.Kind == columns.Int || t.Kind == columns.Float && t.Bits > 16
	}}
	wantBool  = want{"booleans", "cast(pa.bool_())", func(t *columns.Type) bool { return t.Kind == columns.Bool }}
	wantBytes = want{"a list of train IDs", "cast(pa.list_(pa.uint8()))", func(t *columns.Type) bool {
		return t.Kind == columns.Bytes || t.Kind == columns.List && t.Fields[0].Type.Kind == columns.Int
	}}
	wantInts = want{"lists of integers", "cast(pa.list_(pa.int32()))", func(t *columns.Type) bool {
		return t.Kind == columns.List && t.Fields[0].Type.Kind == columns.Int
	}}
	wantDigest = want{"integers of 64 bits", "drop_columns([\"digest\"]), it is made anew", func(t *columns.Type) bool {
		return t.Kind == columns.Int && t.Bits == 64
	}}
	wantRaster = want{"binary, a list of uint8, arrow.fixed_shape_tensor [H,W,C], or struct<bytes, path> of image files",
		"pa.array([a.tobytes() for a in arrays], pa.binary()), beside the columns height and width", fitsRaster}
)

func fitsRaster(t *columns.Type) bool {
	switch t.Kind {
	case columns.Bytes:
		return true
	case columns.List:
		for e := t; ; e = &e.Fields[0].Type {
			if e.Kind != columns.List {
				return e.Kind == columns.Int
			}
		}
	case columns.Struct:
		return slices.ContainsFunc(t.Fields, func(f columns.Field) bool { return f.Name == "bytes" && f.Type.Kind == columns.Bytes })
	}
	return false
}

// A role is a column of a kind of stream.
type role struct {
	name     string
	want     want
	optional bool // what it says may come from elsewhere
}

// rolesOf are the columns of streams with this header.
func rolesOf(h Header) []role {
	sample := []role{
		{"id", wantText, false}, {"dataset", wantText, true}, {"split", wantText, true},
		{"height", wantInt, true}, {"width", wantInt, true},
		{"image", wantRaster, false}, {"label", wantRaster, !h.Labeled},
	}
	digest := role{"digest", wantDigest, true}
	switch h.Kind {
	case KindSample:
		if h.Pseudo {
			sample = append(sample, role{"confidence", wantFloat, false})
		}
		return append(sample, digest)
	case KindMix:
		return append(sample, role{"target_id", wantText, false}, role{"mask", wantRaster, false},
			role{"classes", wantBytes, false}, role{"weight", wantFloat, false}, digest)
	default:
		return []role{
			{"id", wantText, false}, {"image_a", wantRaster, false}, {"image_b", wantRaster, false},
			{"overlap_a", wantInts, false}, {"overlap_b", wantInts, false}, {"flip_a", wantBool, false}, {"flip_b", wantBool, false},
			{"origin_a", wantInts, false}, {"origin_b", wantInts, false}, {"scale", wantFloat, false},
			{"label_a", wantRaster, !h.Labeled}, {"label_b", wantRaster, !h.Labeled}, digest,
		}
	}
}

// A plan is how a schema's columns become rows.
type plan struct {
	names   []string // of the columns that are read
	rasters map[string]*rasterColumn
	decode  func(file []byte, channels int) (raster.Raster, error)
}

// planOf finds the columns of a kind in a schema.
func planOf(s *columns.Schema, h Header, decode func([]byte, int) (raster.Raster, error)) (plan, error) {
	p := plan{rasters: map[string]*rasterColumn{}, decode: decode}
	for _, r := range rolesOf(h) {
		f := s.Field(r.name)
		if r.optional && (f == nil || f.Type.Kind == columns.Null) {
			continue
		}
		if f == nil {
			return p, missing(s, r, h.Kind)
		}
		if !r.want.fits(&f.Type) {
			return p, unfit(r.name, f.Type.String(), r.want.what, r.want.mend)
		}
		if r.want.what == wantRaster.what {
			channels := 1
			if strings.HasPrefix(r.name, "image") {
				channels = 3
			}
			c, err := newRasterColumn(f, channels)
			if err != nil {
				return p, err
			}
			p.rasters[r.name] = c
		}
		p.names = append(p.names, r.name)
	}
	return p, nil
}

// unfit is a [ColumnError] about a column that is there.
func unfit(name, found, want, mend string) *ColumnError {
	value := mend
	if strings.HasPrefix(mend, "cast(") {
		value = fmt.Sprintf("t[%q].%s", name, mend)
	}
	if !strings.HasPrefix(mend, "drop_columns") {
		value = fmt.Sprintf("t.set_column(t.schema.get_field_index(%q), %q, %s)", name, name, value)
	}
	return &ColumnError{Column: name, Found: found, Want: want, Mend: value}
}

func missing(s *columns.Schema, r role, k Kind) *ColumnError {
	names, times := []string{}, 0
	for _, f := range s.Fields {
		names = append(names, f.Name)
		if f.Name == r.name {
			times++
		}
	}
	found := fmt.Sprintf("none of that name among %s", strings.Join(names[:min(len(names), 40)], ", "))
	if times > 1 {
		found = fmt.Sprintf("%d of that name", times)
	}
	return &ColumnError{Column: r.name, Found: found, Want: fmt.Sprintf("%s in each row of a stream of %s", r.want.what, k.Plural()),
		Mend: fmt.Sprintf("t.append_column(%q, …), or rename_columns where it has another name", r.name)}
}

// extra are the columns that are dropped. Tables of this module's have class_pixels
// beside a stream's columns, which their labels say too.
func (p *plan) extra(s *columns.Schema) (names []string) {
	for _, f := range s.Fields {
		if !slices.Contains(p.names, f.Name) && f.Name != "class_pixels" && f.Type.Kind != columns.Null {
			names = append(names, f.Name)
		}
	}
	return names
}

// A rasterColumn is a column of rasters, and where their pixels lie.
type rasterColumn struct {
	name     string
	channels int
	files    bool        // rows are image files
	size     raster.Size // of all rows, where the type says it
	strides  [3]int      // of rows, columns and channels in a tensor's elements; all 0 where they lie as a raster's do
}

func newRasterColumn(f *columns.Field, channels int) (*rasterColumn, error) {
	c := &rasterColumn{name: f.Name, channels: channels, files: f.Type.Kind == columns.Struct}
	if f.Metadata["ARROW:extension:name"] != "arrow.fixed_shape_tensor" || f.Type.Kind != columns.List {
		return c, nil
	}
	err := c.tensor(f.Metadata["ARROW:extension:metadata"], f.Type.Size)
	if err != nil {
		return nil, unfit(f.Name, fmt.Sprintf("%v with the tensor metadata %.200s: %v", f.Type, f.Metadata["ARROW:extension:metadata"], err),
			fmt.Sprintf("tensors of [height, width, %d]", channels), "pa.FixedShapeTensorArray.from_numpy_ndarray(a), where a is [N, H, W, C]")
	}
	return c, nil
}

// tensor reads the metadata of arrow.fixed_shape_tensor (the canonical extension
// types of Arrow's format): the shape of the elements as they lie, the permutation
// that makes them what is meant, and the names of the dimensions as they lie.
func (c *rasterColumn) tensor(text string, elements int) error {
	var t struct {
		Shape       []int    `json:"shape"`
		Permutation []int    `json:"permutation"`
		Names       []string `json:"dim_names"`
	}
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return err
	}
	n := len(t.Shape)
	if n != 3 && (n != 2 || c.channels != 1) {
		return fmt.Errorf("it has %d dimensions", n)
	}
	strides, total := make([]int, n), 1
	for i := n - 1; i >= 0; i-- {
		strides[i] = total
		if t.Shape[i] <= 0 || total > elements/t.Shape[i] {
			return fmt.Errorf("its shape is of other than %d elements", elements)
		}
		total *= t.Shape[i]
	}
	if total != elements {
		return fmt.Errorf("its shape is of %d elements, rows have %d", total, elements)
	}
	axes := t.Permutation
	if axes == nil {
		axes = []int{0, 1, 2}[:n]
	}
	if sorted := slices.Sorted(slices.Values(axes)); !slices.Equal(sorted, []int{0, 1, 2}[:n]) {
		return fmt.Errorf("its permutation is %v", axes)
	}
	if named := namedAxes(t.Names); len(named) == n {
		axes = named
	}
	if n == 3 && t.Shape[axes[2]] != c.channels {
		return fmt.Errorf("it has %d channels, dimension %d being the last", t.Shape[axes[2]], axes[2])
	}
	c.size = raster.Size{Height: t.Shape[axes[0]], Width: t.Shape[axes[1]]}
	if !slices.IsSorted(axes) {
		for i, a := range axes {
			c.strides[i] = strides[a]
		}
	}
	return nil
}

// namedAxes are the dimensions by the names height, width and channel, or their
// letters; nil where they have others.
func namedAxes(names []string) []int {
	axes := make([]int, len(names))
	seen := 0
	for i, name := range names {
		at := slices.Index([]string{"h", "w", "c"}, strings.ToLower(name))
		if at < 0 {
			at = slices.Index([]string{"height", "width", "channel"}, strings.TrimSuffix(strings.ToLower(name), "s"))
		}
		if at < 0 || at >= len(axes) || seen>>at&1 == 1 {
			return nil
		}
		seen |= 1 << at
		axes[at] = i
	}
	return axes
}

// read is row i, of the given size where that is known.
func (c *rasterColumn) read(p *plan, col *columns.Column, i int, size raster.Size) (r raster.Raster, err error) {
	if col == nil || col.IsNull(i) {
		return r, nil
	}
	if c.files {
		return c.decode(p, col, i)
	}
	if c.size.Fixed() {
		size = c.size
	}
	if !size.Fixed() {
		return r, fmt.Errorf("%s has no size: add the columns height and width", c.name)
	}
	pix, err := col.Bytes(i)
	if err == nil {
		pix = c.inOrder(pix)
		r, err = raster.Wrap(size.Height, size.Width, c.channels, pix)
	}
	if err != nil {
		return r, fmt.Errorf("%s: %w", c.name, err)
	}
	return r, nil
}

// inOrder are a tensor's elements as a raster has them.
func (c *rasterColumn) inOrder(pix []byte) []byte {
	if c.strides == [3]int{} {
		return pix
	}
	out := make([]byte, 0, len(pix))
	for y := range c.size.Height {
		for x := range c.size.Width {
			for k := range c.channels {
				out = append(out, pix[y*c.strides[0]+x*c.strides[1]+k*c.strides[2]])
			}
		}
	}
	return out
}

// decode decodes row i of image files. A struct without bytes names a file that is
// elsewhere, unless it has no name either: then the row has none.
func (c *rasterColumn) decode(p *plan, col *columns.Column, i int) (r raster.Raster, err error) {
	file, row, _ := col.Child(i, "bytes")
	if file.IsNull(row) {
		if path, row, ok := col.Child(i, "path"); ok && path != nil && !path.IsNull(row) {
			name, _ := path.Bytes(row)
			return r, fmt.Errorf("%s: found the path %q without the file's bytes; in datasets: Image().embed_storage(table[%q])", c.name, name, c.name)
		}
		return r, nil
	}
	b, err := file.Bytes(row)
	if err == nil && p.decode == nil {
		err = fmt.Errorf("image files are not read here")
	}
	if err == nil {
		r, err = p.decode(b, c.channels)
	}
	if err != nil {
		return r, fmt.Errorf("%s: %w", c.name, err)
	}
	return r, nil
}
