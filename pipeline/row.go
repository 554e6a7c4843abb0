package pipeline

import (
	"fmt"

	"github.com/pipa-uda/pipa/pipeline/raster"
)

// Kind names what a stream's rows are.
type Kind string

// The kinds of stream (docs/design.md, Streams).
const (
	KindSample Kind = "sample"
	KindMix    Kind = "mix"
	KindPair   Kind = "pair"
)

// Plural is the kind's name for several rows.
func (k Kind) Plural() string {
	if k == KindMix {
		return "mixes"
	}
	return string(k) + "s"
}

// A Sample is an image with its label. The label is the zero Raster where the
// target is unlabeled.
type Sample struct {
	ID      string        // dataset/split/stem
	Dataset string        // its layout's name, such as gta
	Split   string        // train, val, test
	Image   raster.Raster // [H,W,3] RGB
	Label   raster.Raster // [H,W,1] train IDs, 255 = ignore; or empty
	// Confidence is the share of the image's pixels, 0 to 1, whose predicted
	// class reached the predictor's threshold: what DACS weighs a pseudo-label
	// with. It is kept in streams whose header says Pseudo.
	Confidence float32
}

// Validate checks that the image has 3 channels and that a label matches it.
func (s *Sample) Validate() error {
	if err := checkImage("image", s.Image); err != nil {
		return fmt.Errorf("sample %q: %w", s.ID, err)
	}
	if err := checkPlane("label", s.Label, s.Image); err != nil {
		return fmt.Errorf("sample %q: %w", s.ID, err)
	}
	if !(s.Confidence >= 0 && s.Confidence <= 1) {
		return fmt.Errorf("sample %q: its confidence is %v, want 0 to 1", s.ID, s.Confidence)
	}
	return nil
}

// A Mix is a ClassMix image: the Sample's Image and Label are the mixed ones,
// its ID, Dataset and Split those of the source.
type Mix struct {
	Sample
	TargetID string
	Mask     raster.Raster    // [H,W,1], 1 where the pixel comes from the source
	Classes  []raster.TrainID // classes pasted from the source, ascending
	Weight   float32          // weight of the target's pixels in the loss, 0..1; source pixels weigh 1
}

// Validate checks the sample, the mask's size, the weight, and how many classes there are.
func (m *Mix) Validate() error {
	if err := m.Sample.Validate(); err != nil {
		return err
	}
	if m.Mask.Empty() {
		return fmt.Errorf("mix %q: no mask", m.ID)
	}
	if err := checkPlane("mask", m.Mask, m.Image); err != nil {
		return fmt.Errorf("mix %q: %w", m.ID, err)
	}
	if len(m.Classes) > maxClasses {
		return fmt.Errorf("mix %q: %d classes, want at most %d", m.ID, len(m.Classes), maxClasses)
	}
	if !(m.Weight >= 0 && m.Weight <= 1) {
		return fmt.Errorf("mix %q: its weight is %v, want 0 to 1", m.ID, m.Weight)
	}
	return nil
}

// A Crop is one half of a Pair.
type Crop struct {
	Image   raster.Raster // [P,P,3] RGB, as stored: after the flip
	Label   raster.Raster // [P,P,1] train IDs, or empty
	Overlap raster.Box    // the shared region inside this crop as stored, after the flip
	Flip    bool          // mirrored left to right
	Origin  [2]int        // y, x of the crop's corner in the resized frame
}

// A Pair is two partially overlapping crops of one resized image. Un-flipped,
// A's overlap and B's overlap show the same scene pixels.
type Pair struct {
	ID    string
	A, B  Crop
	Scale float32 // resized size over original size
}

// Validate checks both crops' rasters, overlap boxes and origins, and the scale.
func (p *Pair) Validate() error {
	for _, c := range []struct {
		name string
		crop *Crop
	}{{"a", &p.A}, {"b", &p.B}} {
		if err := checkImage("image_"+c.name, c.crop.Image); err != nil {
			return fmt.Errorf("pair %q: %w", p.ID, err)
		}
		if err := checkPlane("label_"+c.name, c.crop.Label, c.crop.Image); err != nil {
			return fmt.Errorf("pair %q: %w", p.ID, err)
		}
		if o := c.crop.Overlap; !o.In(c.crop.Image.Height(), c.crop.Image.Width()) {
			return fmt.Errorf("pair %q: overlap_%s %v lies outside the %dx%d crop", p.ID, c.name, o, c.crop.Image.Height(), c.crop.Image.Width())
		}
		if o := c.crop.Origin; min(o[0], o[1]) < 0 || max(o[0], o[1]) > maxFrame {
			return fmt.Errorf("pair %q: origin_%s is %v, want 0 to %d", p.ID, c.name, o, maxFrame)
		}
	}
	if !p.A.Image.SameSize(p.B.Image) {
		return fmt.Errorf("pair %q: crops differ in size", p.ID)
	}
	if a, b := p.A.Overlap, p.B.Overlap; a.Height() != b.Height() || a.Width() != b.Width() {
		return fmt.Errorf("pair %q: overlaps differ in size: a %v, b %v", p.ID, a, b)
	}
	if p.A.Label.Empty() != p.B.Label.Empty() {
		return fmt.Errorf("pair %q: only one crop has a label", p.ID)
	}
	if !(p.Scale > 0 && p.Scale <= maxFrame) {
		return fmt.Errorf("pair %q: its scale is %v, want more than 0, up to %d", p.ID, p.Scale, maxFrame)
	}
	return nil
}

func checkImage(name string, r raster.Raster) error {
	if r.Empty() {
		return fmt.Errorf("no %s", name)
	}
	if r.Channels() != 3 {
		return fmt.Errorf("%s has %d channels, want 3 (RGB)", name, r.Channels())
	}
	return nil
}

func checkPlane(name string, r, image raster.Raster) error {
	if r.Empty() {
		return nil
	}
	if r.Channels() != 1 {
		return fmt.Errorf("%s has %d channels, want 1", name, r.Channels())
	}
	if !r.SameSize(image) {
		return fmt.Errorf("%s is %dx%d, image is %dx%d", name, r.Width(), r.Height(), image.Width(), image.Height())
	}
	return nil
}

// trainIDs are classes as a column stores them.
func trainIDs(classes []raster.TrainID) []byte {
	bytes := make([]byte, len(classes))
	for i, id := range classes {
		bytes[i] = byte(id)
	}
	return bytes
}
