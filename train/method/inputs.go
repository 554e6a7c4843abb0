package method

import (
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/network"
	"github.com/pipa-uda/pipa/train/torch"
)

// Inputs are what one step computes on: normalized tensors on the device. The
// target's and the pairs' are nil in steps that have none.
type Inputs struct {
	Source Images
	Target *torch.Tensor // [N,3,H,W]
	Valid  *torch.Tensor // [N,H,W] float, 0 in the target's margins; nil where all counts
	Pairs  *Pairs
}

// Images are a labeled minibatch on the device.
type Images struct {
	Image  *torch.Tensor // [N,3,H,W], normalized
	Label  *torch.Tensor // [N,H,W] int64
	Labels []uint8       // the labels of all ranks' images on the host
}

// Pairs are overlapping crops on the device, as stored: flipped where Flip says
// so, with the overlap before flipping.
type Pairs struct{ A, B Crops }

// Crops are one crop of each pair.
type Crops struct {
	Image   *torch.Tensor // [N,3,S,S]
	Overlap []raster.Box
	Flip    []bool
}

// in is the same tensors in another scope, without the pairs.
func (x Inputs) in(s *torch.Scope) Inputs {
	out := Inputs{Source: x.Source.in(s), Target: x.Target.In(s)}
	if x.Valid != nil {
		out.Valid = x.Valid.In(s)
	}
	return out
}

func (x Images) in(s *torch.Scope) Images { return Images{x.Image.In(s), x.Label.In(s), x.Labels} }

func (p *Pairs) in(s *torch.Scope) *Pairs {
	out := *p
	out.A.Image, out.B.Image = p.A.Image.In(s), p.B.Image.In(s)
	return &out
}

// Load sends a step's batches to the scope's device as they lie in memory, and
// normalizes there. target and pairs may be nil.
func Load(s *torch.Scope, source, target, pairs *pipeline.Batch) (in Inputs, err error) {
	if in.Source.Image, err = load(s, source, "image"); err != nil {
		return in, err
	}
	labels, shape, err := source.Tensor("label")
	if err != nil {
		return in, err
	}
	in.Source.Labels = labels
	in.Source.Label = s.Wrap(labels, shape[:3]...).Upload().To(torch.Int64)
	if target != nil {
		if in.Target, err = load(s, target, "image"); err != nil {
			return in, err
		}
		if target.Header().Labeled {
			margins, shape, err := target.Tensor("label")
			if err != nil {
				return in, err
			}
			in.Valid = s.Wrap(margins, shape[:3]...).Upload().Ne(int(raster.Ignore)).To(torch.Float32)
		}
	}
	if pairs != nil {
		in.Pairs, err = loadPairs(s, pairs)
	}
	return in, err
}

func load(s *torch.Scope, b *pipeline.Batch, column string) (*torch.Tensor, error) {
	pix, shape, err := b.Tensor(column)
	if err != nil {
		return nil, err
	}
	return network.Normalize(s.Wrap(pix, shape[:]...)), nil
}

func loadPairs(s *torch.Scope, b *pipeline.Batch) (p *Pairs, err error) {
	p = &Pairs{}
	if p.A.Image, err = load(s, b, "image_a"); err != nil {
		return nil, err
	}
	if p.B.Image, err = load(s, b, "image_b"); err != nil {
		return nil, err
	}
	for i := range b.Len() {
		row, err := b.Pair(i)
		if err != nil {
			return nil, err
		}
		p.A.add(row.A)
		p.B.add(row.B)
	}
	return p, nil
}

func (c *Crops) add(crop pipeline.Crop) {
	box := crop.Overlap
	if crop.Flip {
		box = box.FlipX(crop.Image.Width())
	}
	c.Overlap, c.Flip = append(c.Overlap, box), append(c.Flip, crop.Flip)
}
