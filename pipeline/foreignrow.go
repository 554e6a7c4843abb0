package pipeline

import (
	"fmt"
	"math"
	"strings"

	"github.com/pipa-uda/pipa/pipeline/columns"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// A foreignRow is a row of any kind: of samples and mixes the mix, of pairs the
// pair. Its rasters may be views into its table.
type foreignRow struct {
	mix  Mix
	pair Pair
}

func (r *foreignRow) id() string {
	if r.pair.ID != "" {
		return r.pair.ID
	}
	return r.mix.ID
}

func (r *foreignRow) bytes() (n int) {
	for _, p := range []raster.Raster{r.mix.Image, r.mix.Label, r.mix.Mask, r.pair.A.Image, r.pair.B.Image, r.pair.A.Label, r.pair.B.Label} {
		n += len(p.Pix())
	}
	return n
}

func (r *foreignRow) appendTo(out *Builder, k Kind) error {
	switch k {
	case KindSample:
		return out.AppendSample(r.mix.Sample)
	case KindMix:
		return out.AppendMix(r.mix)
	default:
		return out.AppendPair(r.pair)
	}
}

// A fields reads the values of a row, until one fails.
type fields struct {
	p   *plan
	t   *columns.Table
	i   int
	err error
}

func (f *fields) fail(name, found, want, mend string) {
	if f.err == nil {
		f.err = &ColumnError{Column: name, Found: found, Want: want, Mend: mend}
	}
}

// column is a column whose row has a value; a null is a failure.
func (f *fields) column(name, want string) *columns.Column {
	c := f.t.Columns[name]
	if c.IsNull(f.i) {
		f.fail(name, "null", want, fmt.Sprintf("t.filter(pc.is_valid(t[%q]))", name))
		return nil
	}
	return c
}

// text is a text; or, of a column that is not there or null, what it would be.
func (f *fields) text(name, otherwise string) string {
	c := f.t.Columns[name]
	if c == nil || otherwise != "" && c.IsNull(f.i) {
		return otherwise
	}
	if c = f.column(name, "text"); c == nil {
		return ""
	}
	s, err := c.Text(f.i)
	if err != nil {
		f.fail(name, err.Error(), "text in UTF-8", fmt.Sprintf("t[%q].cast(pa.string())", name))
	}
	return s
}

func (f *fields) float(name string) float32 {
	c := f.column(name, "a number")
	if c == nil {
		return 0
	}
	if v, ok := c.Float(f.i); ok {
		return float32(v)
	}
	v, _ := c.Int(f.i)
	return float32(v)
}

func (f *fields) flag(name string) bool {
	c := f.column(name, "true or false")
	if c == nil {
		return false
	}
	v, _ := c.Bool(f.i)
	return v
}

// ints is a list of n numbers of 32 bits.
func (f *fields) ints(name string, n int) []int {
	want := fmt.Sprintf("%d integers of 32 bits", n)
	mend := fmt.Sprintf("t[%q].cast(pa.list_(pa.int32(), %d))", name, n)
	out := make([]int, n)
	c := f.column(name, want)
	if c == nil {
		return out
	}
	list, err := c.Ints(f.i)
	if err != nil || len(list) != n {
		f.fail(name, fmt.Sprintf("%d integers, %v", len(list), err), want, mend)
		return out
	}
	for k, v := range list {
		if v < math.MinInt32 || v > math.MaxInt32 {
			f.fail(name, fmt.Sprint(v), want, mend)
		}
		out[k] = int(v)
	}
	return out
}

func (f *fields) raster(name string, size raster.Size) (r raster.Raster) {
	c := f.p.rasters[name]
	if c == nil {
		return r
	}
	r, err := c.read(f.p, f.t.Columns[name], f.i, size)
	if err != nil && f.err == nil {
		f.err = err
	}
	return r
}

// size is what height and width say; where they are not there it is zero.
func (f *fields) size() (s raster.Size) {
	for name, to := range map[string]*int{"height": &s.Height, "width": &s.Width} {
		c := f.t.Columns[name]
		if c == nil || c.IsNull(f.i) {
			return raster.Size{}
		}
		v, _ := c.Int(f.i)
		if v <= 0 || v > raster.MaxPixels {
			f.fail(name, fmt.Sprint(v), fmt.Sprintf("1 to %d", raster.MaxPixels), fmt.Sprintf("t.drop_columns([%q]), where the image's type says it", name))
			return raster.Size{}
		}
		*to = int(v)
	}
	if err := raster.CheckPixels(s.Height, s.Width, raster.MaxPixels); err != nil && f.err == nil {
		f.err = err
	}
	return s
}

// row is row i of a table.
func (p *plan) row(t *columns.Table, i int, h *Header) (r foreignRow, err error) {
	f := &fields{p: p, t: t, i: i}
	id := f.text("id", "")
	if f.err == nil && id == "" {
		f.fail("id", "an empty text", "dataset/split/stem", "t.set_column(…, pa.array([f\"gta/train/{i:05}\" for i in range(len(t))]))")
	}
	if h.Kind == KindPair {
		p.pair(f, &r.pair, h.Size)
		r.pair.ID = id
	} else {
		p.mix(f, &r.mix, id, h)
	}
	if f.err != nil && id != "" {
		return r, fmt.Errorf("%s: %w", id, f.err)
	}
	return r, f.err
}

func (p *plan) mix(f *fields, m *Mix, id string, h *Header) {
	dataset, split := datasetOf(id)
	m.ID, m.Dataset, m.Split = id, f.text("dataset", dataset), f.text("split", split)
	declared := f.size()
	size := declared
	if !size.Fixed() {
		size = h.Size
	}
	m.Image = f.raster("image", size)
	if m.Image.Empty() {
		f.column("image", "an image") // the null that it is
		return
	}
	size = raster.Size{Height: m.Image.Height(), Width: m.Image.Width()}
	if declared.Fixed() && declared != size {
		f.fail("height", fmt.Sprintf("a row that is declared %dx%d, whose image is %dx%d", declared.Width, declared.Height, size.Width, size.Height),
			"the image's size", "t.drop_columns([\"height\", \"width\"]), where the image's type says it")
	}
	m.Label = f.raster("label", size)
	if h.Pseudo {
		m.Confidence = f.float("confidence")
	}
	if h.Kind != KindMix {
		return
	}
	m.TargetID, m.Weight = f.text("target_id", ""), f.float("weight")
	m.Mask = f.raster("mask", size)
	if c := f.column("classes", wantBytes.what); c != nil {
		classes, err := c.Bytes(f.i)
		if err != nil {
			f.fail("classes", err.Error(), wantBytes.what, "t[\"classes\"].cast(pa.list_(pa.uint8()))")
		}
		for _, id := range classes {
			m.Classes = append(m.Classes, raster.TrainID(id))
		}
	}
}

func (p *plan) pair(f *fields, pair *Pair, size raster.Size) {
	pair.Scale = f.float("scale")
	for _, side := range []struct {
		name string
		crop *Crop
	}{{"a", &pair.A}, {"b", &pair.B}} {
		o, at := f.ints("overlap_"+side.name, 4), f.ints("origin_"+side.name, 2)
		side.crop.Overlap = raster.Box{Y0: o[0], X0: o[1], Y1: o[2], X1: o[3]}
		side.crop.Origin = [2]int(at)
		side.crop.Flip = f.flag("flip_" + side.name)
		side.crop.Image = f.raster("image_"+side.name, size)
		side.crop.Label = f.raster("label_"+side.name, size)
		if side.crop.Image.Empty() {
			f.column("image_"+side.name, "an image")
		}
	}
}

// datasetOf is what an ID, dataset/split/stem, says.
func datasetOf(id string) (dataset, split string) {
	dataset, rest, _ := strings.Cut(id, "/")
	split, _, _ = strings.Cut(rest, "/")
	return dataset, split
}
