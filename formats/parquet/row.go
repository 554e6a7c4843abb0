package parquet

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// A row is one row of any kind, field by field as the columns hold it.
type row struct {
	id, dataset, split, targetID string
	height, width                int32
	image, label, mask           picture
	classes                      []uint8
	weight, confidence           float32

	a, b  crop // of a pair
	scale float32

	classPixels []int32
	digest      uint64
}

// crop is one half of a pair.
type crop struct {
	image, label    picture
	overlap, origin []int32
	flip            bool
}

// A picture is a raster, as PNG once it is encoded; one of the two, or neither
// where the row has none.
type picture struct {
	raster raster.Raster
	png    []byte
}

// A column is a column of the table: its name, and where a row has its value.
// The type of what field points to is the type of the column.
type column struct {
	name  string
	field func(*row) any
}

// columnsOf are the columns of a stream's rows, in its order.
func columnsOf(h pipeline.Header) []column {
	sample := []column{
		{"id", func(r *row) any { return &r.id }},
		{"dataset", func(r *row) any { return &r.dataset }},
		{"split", func(r *row) any { return &r.split }},
		{"height", func(r *row) any { return &r.height }},
		{"width", func(r *row) any { return &r.width }},
		{"image", func(r *row) any { return &r.image }},
		{"label", func(r *row) any { return &r.label }},
	}
	if h.Pseudo {
		sample = append(sample, column{"confidence", func(r *row) any { return &r.confidence }})
	}
	mix := []column{
		{"target_id", func(r *row) any { return &r.targetID }},
		{"mask", func(r *row) any { return &r.mask }},
		{"classes", func(r *row) any { return &r.classes }},
		{"weight", func(r *row) any { return &r.weight }},
	}
	pair := []column{
		{"id", func(r *row) any { return &r.id }},
		{"image_a", func(r *row) any { return &r.a.image }},
		{"image_b", func(r *row) any { return &r.b.image }},
		{"overlap_a", func(r *row) any { return &r.a.overlap }},
		{"overlap_b", func(r *row) any { return &r.b.overlap }},
		{"flip_a", func(r *row) any { return &r.a.flip }},
		{"flip_b", func(r *row) any { return &r.b.flip }},
		{"origin_a", func(r *row) any { return &r.a.origin }},
		{"origin_b", func(r *row) any { return &r.b.origin }},
		{"scale", func(r *row) any { return &r.scale }},
		{"label_a", func(r *row) any { return &r.a.label }},
		{"label_b", func(r *row) any { return &r.b.label }},
	}
	every := []column{
		{"class_pixels", func(r *row) any { return &r.classPixels }},
		{"digest", func(r *row) any { return &r.digest }},
	}
	switch h.Kind {
	case pipeline.KindSample:
		return append(sample, every...)
	case pipeline.KindMix:
		return slices.Concat(sample, mix, every)
	default:
		return append(pair, every...)
	}
}

// rowOf takes row i out of a batch. Its rasters are views into the batch, the
// rest is the row's own. It is not for several goroutines on one batch: Arrow
// v15 sets up a dictionary column at the first look.
func rowOf(b *pipeline.Batch, i int) (*row, error) {
	switch b.Header().Kind {
	case pipeline.KindSample:
		s, err := b.Sample(i)
		if err != nil {
			return nil, err
		}
		return sampleRow(&s), nil
	case pipeline.KindMix:
		m, err := b.Mix(i)
		if err != nil {
			return nil, err
		}
		if len(m.Classes) > maxListLen {
			return nil, fmt.Errorf("mix %q: %d classes, there are at most %d", m.ID, len(m.Classes), maxListLen)
		}
		r := sampleRow(&m.Sample)
		r.targetID, r.mask.raster, r.classes, r.weight = m.TargetID, m.Mask, make([]uint8, len(m.Classes)), m.Weight
		for i, id := range m.Classes {
			r.classes[i] = uint8(id)
		}
		return r, nil
	default:
		p, err := b.Pair(i)
		if err != nil {
			return nil, err
		}
		r := &row{id: p.ID, scale: p.Scale, a: cropOf(&p.A), b: cropOf(&p.B)}
		r.dataset, _, _ = strings.Cut(p.ID, "/") // dataset/split/stem
		return r, nil
	}
}

// splitName is the row's split: of pairs as the ID, dataset/split/stem, has it.
func (r *row) splitName() string {
	if r.split != "" {
		return r.split
	}
	_, rest, _ := strings.Cut(r.id, "/")
	split, _, _ := strings.Cut(rest, "/")
	return split
}

func sampleRow(s *pipeline.Sample) *row {
	return &row{id: s.ID, dataset: strings.Clone(s.Dataset), split: s.Split, height: int32(s.Image.Height()), width: int32(s.Image.Width()),
		image: picture{raster: s.Image}, label: picture{raster: s.Label}, confidence: s.Confidence}
}

func cropOf(c *pipeline.Crop) crop {
	o := c.Overlap
	return crop{image: picture{raster: c.Image}, label: picture{raster: c.Label}, flip: c.Flip,
		overlap: []int32{int32(o.Y0), int32(o.X0), int32(o.Y1), int32(o.X1)}, origin: []int32{int32(c.Origin[0]), int32(c.Origin[1])}}
}

// derive fills in what is computed from the row: its digest and pixel counts.
func (r *row) derive(h pipeline.Header) error {
	switch h.Kind {
	case pipeline.KindSample:
		s := r.sample()
		if err := h.CheckSample(&s); err != nil {
			return err
		}
		r.digest = s.Digest(h.Pseudo)
	case pipeline.KindMix:
		m := r.mix()
		if err := h.CheckMix(&m); err != nil {
			return err
		}
		r.digest = m.Digest()
	default:
		p, err := r.pair()
		if err != nil {
			return err
		}
		if err := h.CheckPair(&p); err != nil {
			return err
		}
		r.digest = p.Digest()
	}
	r.classPixels = nil
	for _, label := range []raster.Raster{r.label.raster, r.a.label.raster, r.b.label.raster} {
		if !label.Empty() {
			r.classPixels = countClasses(r.classPixels, label, len(h.Classes))
		}
	}
	return nil
}

// countClasses adds a label's pixels to counts, which has an entry for every
// train ID below classes and a last one for all other values: those to ignore.
func countClasses(counts []int32, label raster.Raster, classes int) []int32 {
	if counts == nil {
		counts = make([]int32, classes+1)
	}
	var all [256]int32
	for _, id := range label.Pix() {
		all[id]++
	}
	for id, n := range all {
		counts[min(id, classes)] += n
	}
	return counts
}

// rasterBytes is the memory of the row's rasters.
func (r *row) rasterBytes() int {
	n := 0
	for _, p := range r.pictures() {
		n += len(p.raster.Pix())
	}
	return n
}

func (r *row) pictures() []*picture {
	return []*picture{&r.image, &r.label, &r.mask, &r.a.image, &r.b.image, &r.a.label, &r.b.label}
}

// appendTo adds the row to a batch.
func (r *row) appendTo(out *pipeline.Builder) error {
	switch out.Header().Kind {
	case pipeline.KindSample:
		return out.AppendSample(r.sample())
	case pipeline.KindMix:
		return out.AppendMix(r.mix())
	default:
		p, err := r.pair()
		if err != nil {
			return err
		}
		return out.AppendPair(p)
	}
}

// verify compares the digest and the pixel counts that a row was stored with
// with those it has.
func (r *row) verify(h pipeline.Header) error {
	found := *r
	if err := found.derive(h); err != nil {
		return err
	}
	if found.digest != r.digest {
		return fmt.Errorf("it is damaged: its digest is %016x, recorded is %016x", found.digest, r.digest)
	}
	if !slices.Equal(found.classPixels, r.classPixels) {
		return fmt.Errorf("its class_pixels are %v, its label has %v", r.classPixels, found.classPixels)
	}
	return nil
}

func (r *row) sample() pipeline.Sample {
	return pipeline.Sample{ID: r.id, Dataset: r.dataset, Split: r.split, Image: r.image.raster, Label: r.label.raster, Confidence: r.confidence}
}

func (r *row) mix() pipeline.Mix {
	m := pipeline.Mix{Sample: r.sample(), TargetID: r.targetID, Mask: r.mask.raster, Weight: r.weight}
	for _, id := range r.classes {
		m.Classes = append(m.Classes, raster.TrainID(id))
	}
	return m
}

func (r *row) pair() (pipeline.Pair, error) {
	p := pipeline.Pair{ID: r.id, Scale: r.scale}
	for _, c := range []struct {
		from *crop
		to   *pipeline.Crop
	}{{&r.a, &p.A}, {&r.b, &p.B}} {
		o, at := c.from.overlap, c.from.origin
		if len(o) != 4 || len(at) != 2 {
			return p, fmt.Errorf("an overlap has %d numbers and an origin %d, want 4 and 2", len(o), len(at))
		}
		*c.to = pipeline.Crop{Image: c.from.image.raster, Label: c.from.label.raster, Flip: c.from.flip,
			Overlap: raster.Box{Y0: int(o[0]), X0: int(o[1]), Y1: int(o[2]), X1: int(o[3])}, Origin: [2]int{int(at[0]), int(at[1])}}
	}
	return p, nil
}
