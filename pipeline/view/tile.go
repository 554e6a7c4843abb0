package view

import (
	"fmt"
	"image"
	"strings"

	"github.com/disintegration/gift"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// A tile is one row of a stream: its pictures and the lines of text under
// them. It owns its memory.
type tile struct {
	pictures []picture
	notes    []string
}

// A picture is an image at no more than the size it will be shown at, and
// what is drawn over it in the coordinates of the original.
type picture struct {
	image         *image.NRGBA // nil where the row has none
	height, width int          // of the original
	box           raster.Box   // outlined; empty for none
	tag           string       // in the corner
	class         bool         // colors stand for classes: no smoothing when enlarged
}

// The colors of a mix's mask.
var (
	fromSource = [3]uint8{242, 142, 43}
	fromTarget = [3]uint8{78, 121, 167}
)

// captions are the headings of a kind's pictures.
func captions(h pipeline.Header) []string {
	switch h.Kind {
	case pipeline.KindMix:
		return []string{"mixed image", "label", "mask"}
	case pipeline.KindPair:
		if h.Labeled {
			return []string{"crop a", "crop b", "label a", "label b"}
		}
		return []string{"crop a", "crop b"}
	}
	if h.Labeled {
		return []string{"image", "label", "overlay"}
	}
	return []string{"image"}
}

// A tiler makes tiles of a stream's rows.
type tiler struct {
	header  pipeline.Header
	colors  [][3]uint8
	opacity float64
	width   int // of a picture at most
	seen    *[256]bool
}

// tile is row i of a batch.
func (t *tiler) tile(b *pipeline.Batch, i int) (tile, error) {
	switch t.header.Kind {
	case pipeline.KindSample:
		s, err := b.Sample(i)
		if err != nil {
			return tile{}, err
		}
		return t.sample(&s)
	case pipeline.KindMix:
		m, err := b.Mix(i)
		if err != nil {
			return tile{}, err
		}
		return t.mix(&m)
	case pipeline.KindPair:
		p, err := b.Pair(i)
		if err != nil {
			return tile{}, err
		}
		return t.pair(&p)
	}
	return tile{}, fmt.Errorf("rows of kind %q have no picture", t.header.Kind)
}

func (t *tiler) sample(s *pipeline.Sample) (tile, error) {
	out := tile{notes: []string{s.ID}, pictures: []picture{t.photo(s.Image)}}
	if t.header.Pseudo {
		out.notes = append(out.notes, fmt.Sprintf("confidence %.2f", s.Confidence))
	}
	if !t.header.Labeled {
		return out, nil
	}
	label, err := t.label(s.Label)
	if err != nil {
		return out, err
	}
	over := picture{}
	if !s.Label.Empty() {
		raster, err := Overlay(s.Image, s.Label, t.colors, t.opacity)
		if err != nil {
			return out, err
		}
		over = t.photo(raster)
	}
	out.pictures = append(out.pictures, label, over)
	return out, nil
}

func (t *tiler) mix(m *pipeline.Mix) (tile, error) {
	label, err := t.label(m.Label)
	if err != nil {
		return tile{}, err
	}
	mask, err := Colorize(m.Mask, [][3]uint8{fromTarget, fromSource})
	if err != nil {
		return tile{}, err
	}
	shown := t.photo(mask)
	shown.class = true
	names := make([]string, len(m.Classes))
	for i, c := range m.Classes {
		names[i] = t.name(c)
	}
	return tile{
		pictures: []picture{t.photo(m.Image), label, shown},
		notes:    []string{m.ID, "onto " + m.TargetID, fmt.Sprintf("weight %.2f · %s", m.Weight, strings.Join(names, ", "))},
	}, nil
}

func (t *tiler) pair(p *pipeline.Pair) (tile, error) {
	out := tile{}
	crops := []*pipeline.Crop{&p.A, &p.B}
	for _, c := range crops {
		out.pictures = append(out.pictures, t.crop(t.photo(c.Image), c))
	}
	if t.header.Labeled {
		for _, c := range crops {
			label, err := t.label(c.Label)
			if err != nil {
				return out, err
			}
			out.pictures = append(out.pictures, t.crop(label, c))
		}
	}
	share := float64(p.A.Overlap.Height()*p.A.Overlap.Width()) / float64(p.A.Image.Height()*p.A.Image.Width())
	out.notes = []string{p.ID, fmt.Sprintf("scale %.2f · overlap %.0f %% · corners %d,%d and %d,%d",
		p.Scale, 100*share, p.A.Origin[0], p.A.Origin[1], p.B.Origin[0], p.B.Origin[1])}
	return out, nil
}

// crop marks a crop's picture with its overlap and its flip.
func (t *tiler) crop(p picture, c *pipeline.Crop) picture {
	p.box = c.Overlap
	if c.Flip {
		p.tag = "flipped"
	}
	return p
}

func (t *tiler) name(id raster.TrainID) string {
	if int(id) < len(t.header.Classes) {
		return t.header.Classes[id]
	}
	if id == raster.Ignore {
		return "ignore"
	}
	return fmt.Sprintf("class %d", id)
}

// label is the picture of a label, or an empty one where the row has none.
func (t *tiler) label(label raster.Raster) (picture, error) {
	if label.Empty() {
		return picture{}, nil
	}
	for _, id := range label.Pix() {
		t.seen[id] = true
	}
	colored, err := Colorize(label, t.colors)
	if err != nil {
		return picture{}, err
	}
	p := t.photo(colored)
	p.class = true
	return p, nil
}

// photo copies a raster, scaled down to the tiler's width.
func (t *tiler) photo(r raster.Raster) picture {
	m := image.NewNRGBA(image.Rect(0, 0, r.Width(), r.Height()))
	for i := range r.Height() * r.Width() {
		copy(m.Pix[4*i:4*i+3], r.Pix()[3*i:3*i+3])
		m.Pix[4*i+3] = 255
	}
	p := picture{image: m, height: r.Height(), width: r.Width()}
	if r.Width() > t.width {
		p.image = scale(m, t.width, max(1, (r.Height()*t.width+r.Width()/2)/r.Width()), false)
	}
	return p
}

// scale resizes an image: averages of areas downwards, and upwards cubic or,
// where crisp, nearest.
func scale(m *image.NRGBA, width, height int, crisp bool) *image.NRGBA {
	if m.Bounds().Dx() == width && m.Bounds().Dy() == height {
		return m
	}
	resampling := gift.BoxResampling
	if width > m.Bounds().Dx() {
		resampling = gift.CubicResampling
		if crisp {
			resampling = gift.NearestNeighborResampling
		}
	}
	g := gift.New(gift.Resize(width, height, resampling))
	g.SetParallelization(false)
	out := image.NewNRGBA(image.Rect(0, 0, width, height))
	g.Draw(out, m)
	return out
}
