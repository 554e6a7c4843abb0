package loss

import (
	"fmt"

	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/torch"
)

// PatchContrast is PiPa's patch-wise contrast: the pixels that two overlapping
// crops share attract each other, and are repelled from pixels of other classes
// of this step and the last ones (chen742/PiPa mmseg/models/uda/dacs.py, after
// dvlab-research/Context-Aware-Consistency).
type PatchContrast struct {
	Temperature float64 // 0.1
	Threshold   float64 // a positive's partner must be more confident than this, 0.9
	Stride      int     // of the maps in crop pixels, 8
	Steps       int     // of negatives that count, this one included, 3
	// Group is the ranks that share their negatives; nil is this process alone.
	Group *torch.Group
}

// A View is one crop of each image in the batch, as maps at the stride.
type View struct {
	Features   *torch.Tensor // [N,C,h,w], unit vectors
	Classes    *torch.Tensor // [N,h,w] int64, pseudo-labels
	Confidence *torch.Tensor // [N,h,w], their probabilities
	Overlap    []raster.Box  // the shared region in crop pixels, before flipping
	Flip       []bool        // whether the crop, and so its maps, are mirrored
	// Negatives are the pixels that other classes' anchors are pushed from:
	// indices into the N*h*w of all ranks' images, those of rank 0 first.
	Negatives []int64
}

// A Bank keeps the negatives of the last steps, oldest first. The zero Bank is
// empty.
type Bank struct {
	Entries []BankEntry
}

// A BankEntry is one step's negatives.
type BankEntry struct {
	Features *torch.Tensor // [M,C]
	Classes  *torch.Tensor // [M] int64
}

// Push adds a step's negatives, keeping copies in scope, and drops the oldest
// beyond keep.
func (b *Bank) Push(scope *torch.Scope, e BankEntry, keep int) error {
	err := scope.NoGrad(func(c *torch.Scope) error {
		b.Entries = append(b.Entries, BankEntry{
			e.Features.In(c).Detach().Clone().In(scope),
			e.Classes.In(c).Clone().In(scope),
		})
		return nil
	})
	if err != nil {
		return err
	}
	for len(b.Entries) > keep {
		b.Entries[0].Features.Free()
		b.Entries[0].Classes.Free()
		b.Entries = b.Entries[1:]
	}
	return nil
}

// Result is the patch loss with what the next step and the log need.
type Result struct {
	Loss      *torch.Tensor // the sum of both directions
	Positives *torch.Tensor // the number of anchors that count, of both directions
	Negatives BankEntry     // of this step, for the bank
}

// Loss contrasts view a with view b against the bank and the views' own
// negatives. Where no pixel qualifies it is exactly 0. With a group the
// negatives and the number of positives are those of all ranks, as
// concat_all_gather of the released code intends, and the loss is this rank's
// share.
func (c PatchContrast) Loss(a, b View, bank Bank) (Result, error) {
	for _, v := range []View{a, b} {
		if err := c.check(v); err != nil {
			return Result{}, fmt.Errorf("patch contrast: %w", err)
		}
	}
	now := join(c.negatives(a), c.negatives(b))
	all := BankEntry{}
	step := a.Features.Scope() // the bank's entries live longer; what is made of them must not
	for _, e := range bank.Entries[max(0, len(bank.Entries)-c.Steps+1):] {
		all = join(all, BankEntry{e.Features.In(step), e.Classes.In(step)})
	}
	all = join(all, now)
	oa, ob := c.overlap(a), c.overlap(b)
	if oa.Features.Dim(0) != ob.Features.Dim(0) {
		return Result{}, fmt.Errorf("patch contrast: the overlaps have %d and %d cells", oa.Features.Dim(0), ob.Features.Dim(0))
	}
	la, na := c.direction(oa, ob, all)
	lb, nb := c.direction(ob, oa, all)
	return Result{Loss: la.Add(lb), Positives: na.Add(nb), Negatives: now}, nil
}

func (c PatchContrast) check(v View) error {
	n, h, w := v.Features.Dim(0), v.Features.Dim(2), v.Features.Dim(3)
	if len(v.Overlap) != n || len(v.Flip) != n {
		return fmt.Errorf("%d overlaps and %d flips for %d crops", len(v.Overlap), len(v.Flip), n)
	}
	for i, box := range v.Overlap {
		if !c.cells(box).In(h, w) {
			return fmt.Errorf("overlap %v of crop %d lies outside its %dx%d map at stride %d", box, i, h, w, c.Stride)
		}
	}
	for _, i := range v.Negatives {
		if i < 0 || i >= int64(c.Group.Size()*n*h*w) {
			return fmt.Errorf("negative %d lies outside the maps of %d cells", i, c.Group.Size()*n*h*w)
		}
	}
	return nil
}

func (c PatchContrast) cells(b raster.Box) raster.Box {
	return raster.Box{Y0: b.Y0 / c.Stride, X0: b.X0 / c.Stride, Y1: b.Y1 / c.Stride, X1: b.X1 / c.Stride}
}

// negatives reads a view's negatives from the maps as they are, mirrored or
// not, in their order, each from the rank that has it.
func (c PatchContrast) negatives(v View) BankEntry {
	s := v.Features.Scope()
	cells := int64(v.Classes.Numel())
	first := int64(c.Group.Rank()) * cells
	var index, rows []int64 // of this rank's: the cell, and which of the negatives it is
	for row, i := range v.Negatives {
		if i >= first && i < first+cells {
			index, rows = append(index, i-first), append(rows, int64(row))
		}
	}
	cell, row := s.FromInt64(index, len(index)), s.FromInt64(rows, len(rows))
	read := func(flat *torch.Tensor) *torch.Tensor {
		own := flat.IndexSelect(0, cell)
		if c.Group == nil {
			return own
		}
		shape := own.Shape()
		shape[0] = int64(len(v.Negatives))
		return c.Group.Sum(s.Call("zeros", shape, own.DType(), nil, string(own.Device()))[0].IndexPutInPlace(own, row))
	}
	flat := v.Features.Detach().Permute(0, 2, 3, 1).Reshape(-1, v.Features.Dim(1))
	return BankEntry{read(flat), read(v.Classes.Reshape(-1))}
}

func join(a, b BankEntry) BankEntry {
	if a.Features == nil {
		return b
	}
	return BankEntry{torch.Cat(0, a.Features, b.Features), torch.Cat(0, a.Classes, b.Classes)}
}

// shared are the cells of a view's overlaps, one a row, un-flipped.
type shared struct{ Features, Classes, Confidence *torch.Tensor }

func (c PatchContrast) overlap(v View) shared {
	var f, k, p []*torch.Tensor
	for i, box := range v.Overlap {
		cut := func(t *torch.Tensor, rows int) *torch.Tensor { // t's last dimensions are rows and columns
			t = t.Select(0, i)
			if v.Flip[i] {
				t = t.Flip(rows + 1)
			}
			cells := c.cells(box)
			return t.Narrow(rows, cells.Y0, cells.Height()).Narrow(rows+1, cells.X0, cells.Width())
		}
		f = append(f, cut(v.Features, 1).Permute(1, 2, 0).Reshape(-1, v.Features.Dim(1)))
		k = append(k, cut(v.Classes, 0).Reshape(-1))
		p = append(p, cut(v.Confidence, 0).Reshape(-1))
	}
	return shared{torch.Cat(0, f...), torch.Cat(0, k...), torch.Cat(0, p...)}
}

// steadied is how many negatives take part in the row maximum that steadies the
// exponentials; the released code takes its first chunk's.
const steadied = 8000

const epsilon = 1e-8

// cosines bounds how many cosines of anchors and negatives are held at once:
// 32 MB in float32, of which a backward pass needs about six. At the published
// sizes there are up to 150 million.
const cosines = 8 << 20

// direction is the loss of anchors a against their partners b, with gradient
// to a only, and the number of anchors that count: those whose partner is
// confident, and more so than they are. Anchors do not depend on each other, so
// that they are taken some at a time, each lot with its gradient.
func (c PatchContrast) direction(a, b shared, negatives BankEntry) (loss, count *torch.Tensor) {
	s := a.Features.Scope()
	mask := b.Confidence.Gt(c.Threshold).LogicalAnd(a.Confidence.Lt(b.Confidence)).To(a.Features.DType())
	count = c.Group.Sum(mask.Sum())
	anchors, rows := a.Features.Dim(0), max(cosines/max(negatives.Features.Dim(0), 1), 1)
	var values, gradients []*torch.Tensor
	differentiable := a.Features.RequiresGrad()
	for from := 0; from < anchors; from += rows {
		n := min(rows, anchors-from)
		var gradient *torch.Tensor
		values = append(values, s.Tidy(func(k *torch.Scope) *torch.Tensor {
			cut := func(t *torch.Tensor) *torch.Tensor { return t.In(k).Detach().Narrow(0, from, n) }
			features := cut(a.Features)
			if differentiable {
				features = features.Clone().SetRequiresGrad(true)
			}
			sum := c.sum(features, cut(b.Features), cut(a.Classes), cut(mask), negatives)
			if differentiable {
				sum.Backward()
				gradient = features.Grad(k).In(s)
			}
			return sum.Detach()
		}))
		gradients = append(gradients, gradient)
	}
	per := count.Add(1e-12)
	loss = torch.Stack(0, values...).Sum().Div(per)
	if !differentiable {
		return loss, count
	}
	// What is linear in the features with this gradient has it, and its own
	// value is taken away again.
	linear := a.Features.Mul(torch.Cat(0, gradients...)).Sum().Div(per)
	return loss.Add(linear.Sub(linear.Detach())), count
}

// sum adds up the loss of anchors [n,C] whose partners are equally many.
func (c PatchContrast) sum(anchors, partners, classes, mask *torch.Tensor, negatives BankEntry) *torch.Tensor {
	positive := anchors.Mul(partners).SumDim(true, 1).Div(c.Temperature)
	others := anchors.Matmul(negatives.Features.Transpose(0, 1)).Div(c.Temperature)
	first := others.Narrow(1, 0, min(steadied, others.Dim(1)))
	highest, _ := torch.Cat(1, positive, first).MaxDim(1, true)
	differs := classes.Unsqueeze(1).Ne(negatives.Classes.Unsqueeze(0)).To(others.DType())
	numerator := positive.Sub(highest).Exp()
	denominator := numerator.Add(others.Sub(highest).Exp().Mul(differs).SumDim(true, 1))
	each := numerator.Div(denominator.Add(epsilon)).Add(epsilon).Log().Neg().Squeeze(1)
	return each.Mul(mask).Sum()
}
