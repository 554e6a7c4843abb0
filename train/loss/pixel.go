package loss

import (
	"fmt"
	"math/rand/v2"

	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/torch"
)

// PixelContrast is PiPa's pixel-wise contrast: an InfoNCE over anchors that are
// sampled from the source's feature pixels, with the pixels of the same class
// as positives and those of other classes as negatives (chen742/PiPa
// mmseg/models/decode_heads/decode_head.py, PixelContrastLoss).
type PixelContrast struct {
	Temperature     float64 // 0.1
	BaseTemperature float64 // 0.07; the loss is scaled by Temperature/BaseTemperature
	MaxSamples      int     // anchors of a step, 1024
	// MaxViews is the most anchors of a class in an image, 100. A class takes
	// part in an image where it has more pixels than this.
	MaxViews int
	// IgnoreAsClass contrasts 255 like a class, as the released code does.
	IgnoreAsClass bool
	// Group is the ranks whose images are contrasted together; nil is this
	// process alone.
	Group *torch.Group
}

// Anchors are the feature pixels a step contrasts: Views pixels for each row,
// a row being a class in one image.
type Anchors struct {
	Views   int
	Images  []int // of each row
	Classes []raster.TrainID
	Pixels  *torch.Tensor // int64 [rows*Views], index (image*h+y)*w+x into the maps of all images; nil without rows
}

// Sample chooses the anchors of n images of h×w feature pixels: label has the
// labels at that size ([ShrinkLabels]), prediction, uint8 [n,h,w], what the
// network takes them for. Half of a row's views are hard (the prediction differs
// from the label) and half easy, as far as there are enough of both. rng draws
// them; a nil rng takes the first of each kind. Without an eligible class the
// result has no rows.
//
// How many anchors there are follows from the labels, which the host knows, and
// only which ones from the prediction: it is looked at on its device, and nobody
// waits for it.
func (c PixelContrast) Sample(label []uint8, prediction *torch.Tensor, rng *rand.Rand) (Anchors, error) {
	area := prediction.Dim(1) * prediction.Dim(2)
	if len(label) != prediction.Numel() {
		return Anchors{}, fmt.Errorf("pixel contrast: %d labels for predictions %v", len(label), prediction)
	}
	a := Anchors{}
	var candidates [][]int64 // of each row, the pixels of its class
	for image := range len(label) / area {
		var pixels [256][]int64
		for i, class := range label[image*area : (image+1)*area] {
			pixels[class] = append(pixels[class], int64(image*area+i))
		}
		for class, found := range pixels {
			if len(found) > c.MaxViews && (c.IgnoreAsClass || raster.TrainID(class) != raster.Ignore) {
				a.Images = append(a.Images, image)
				a.Classes = append(a.Classes, raster.TrainID(class))
				candidates = append(candidates, found)
			}
		}
	}
	if len(candidates) > 0 {
		a.Views = min(c.MaxSamples/len(candidates), c.MaxViews)
	}
	if a.Views == 0 {
		return Anchors{}, nil
	}
	if rng != nil {
		for _, row := range candidates {
			rng.Shuffle(len(row), func(i, j int) { row[i], row[j] = row[j], row[i] })
		}
	}
	a.Pixels = a.choose(candidates, prediction.Reshape(-1))
	return a, nil
}

// choose takes each row's first hard candidates and first easy ones, as many as
// there are to be, hard before easy: int64 [rows*Views]. Every candidate is
// given its place among the anchors, or the one behind the last, which is
// dropped.
func (a Anchors) choose(candidates [][]int64, prediction *torch.Tensor) *torch.Tensor {
	s := prediction.Scope()
	rows, views := len(candidates), a.Views
	var pixels, row, position, first, count []int64
	var class []uint8
	for r, list := range candidates {
		first, count = append(first, int64(len(pixels))), append(count, int64(len(list)))
		pixels = append(pixels, list...)
		for i := range list {
			row, position, class = append(row, int64(r)), append(position, int64(i)), append(class, uint8(a.Classes[r]))
		}
	}
	n := len(pixels)
	rowOf, pixel := s.FromInt64(row, n), s.FromInt64(pixels, n)
	start, size := s.FromInt64(first, rows), s.FromInt64(count, rows)

	hard := prediction.IndexSelect(0, pixel).Ne(s.FromUint8(class, n))
	before := torch.Cat(0, s.Zeros(torch.Int64, 1), hard.To(torch.Int64).CumSum(0)) // hard candidates before each, and in all
	at := before.IndexSelect(0, start)
	keep := keepHard(before.IndexSelect(0, start.Add(size)).Sub(at), size, views).IndexSelect(0, rowOf)

	hardRank := before.Narrow(0, 0, n).Sub(at.IndexSelect(0, rowOf))
	easyRank := s.FromInt64(position, n).Sub(hardRank).Add(keep)
	dropped := hardRank.FullLike(float64(rows * views))
	rank := hard.Where(hardRank, easyRank)
	kept := rank.Lt(hard.Where(keep, keep.FullLike(float64(views))))
	place := kept.Where(rowOf.Mul(views).Add(rank), dropped)
	return s.Zeros(torch.Int64, rows*views+1).IndexPutInPlace(pixel, place).Narrow(0, 0, rows*views)
}

// keepHard is how many of each row's views are hard, of which there are hard
// among its count candidates, both [rows]. The halves are compared as fractions,
// so with odd views a side needs (views+1)/2.
func keepHard(hard, count *torch.Tensor, views int) *torch.Tensor {
	easy := count.Sub(hard)
	enoughHard, enoughEasy := hard.Mul(2).Ge(views), easy.Mul(2).Ge(views)
	half := hard.FullLike(float64(views / 2))
	return enoughHard.Where(enoughEasy.Where(half, easy.Neg().Add(views)), hard)
}

// Loss contrasts the anchors in embed, unit vectors [N,D,h,w]. It is exactly 0,
// without gradient, where the anchors have fewer than two classes. With a group
// the anchors are those of all ranks' images, embed is of this rank's, and the
// loss is its share.
func (c PixelContrast) Loss(embed *torch.Tensor, a Anchors) *torch.Tensor {
	s := embed.Scope()
	if !a.contrasts() {
		return s.Zeros(torch.Float32)
	}
	n, area := embed.Dim(0), embed.Dim(2)*embed.Dim(3)
	first := c.Group.Rank() * n // of this rank's images
	before, own := 0, 0         // anchors of lower ranks' images, and of this one's
	class := make([]int64, 0, len(a.Classes)*a.Views)
	for row, image := range a.Images {
		for range a.Views {
			class = append(class, int64(a.Classes[row]))
		}
		switch {
		case image < first:
			before += a.Views
		case image < first+n:
			own += a.Views
		}
	}
	pixels := a.Pixels.Narrow(0, before, own).Sub(first * area)
	vectors := embed.Permute(0, 2, 3, 1).Reshape(-1, embed.Dim(1)).IndexSelect(0, pixels)
	loss := c.contrast(c.Group.Assemble(vectors, before, len(class)), s.FromInt64(class, len(class)))
	if c.Group == nil {
		return loss
	}
	// Every rank has the whole loss, and the gradient of its own vectors.
	return loss.Sub(loss.Detach().Mul(1 - 1/float64(c.Group.Size())))
}

func (a Anchors) contrasts() bool {
	for _, class := range a.Classes {
		if class != a.Classes[0] {
			return true
		}
	}
	return false
}

// contrast is the loss of unit vectors [M,D] with their classes [M]: for each
// anchor i the mean over its positives j of
//
//	-s_ij + log(exp(s_ij) + Σ_k exp(s_ik))     k of other classes
//
// with s the cosines over the temperature, then the mean over anchors. An
// anchor without a positive counts 0.
func (c PixelContrast) contrast(vectors, class *torch.Tensor) *torch.Tensor {
	s := vectors.Matmul(vectors.Transpose(0, 1)).Div(c.Temperature)
	highest, _ := s.Detach().MaxDim(1, true)
	s = s.Sub(highest)
	same := class.Unsqueeze(1).Eq(class.Unsqueeze(0)).To(vectors.DType())
	positive := same.Sub(s.Scope().Call("eye", vectors.Dim(0), vectors.DType(), nil, string(vectors.Device()))[0])
	exp := s.Exp()
	negatives := exp.Mul(same.Neg().Add(1)).SumDim(true, 1)
	each := s.Sub(exp.Add(negatives).Log()).Mul(positive).SumDim(false, 1).Div(positive.SumDim(false, 1).ClampMin(1))
	return each.Mean().Mul(-c.Temperature / c.BaseTemperature)
}
