package loss

import (
	"fmt"
	"math/rand/v2"

	"github.com/pipa-uda/pipa/pipeline"
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
	Images  []int
	Classes []pipeline.TrainID
	Pixels  [][]int // of each row, index y*w+x into the image's map
}

// Sample chooses the anchors from label and prediction maps of n images with
// area pixels each, both at feature size. Half of a row's views are hard
// (prediction differs from the label) and half easy, as far as there are
// enough of both. rng draws them; a nil rng takes the first of each kind.
// Without an eligible class the result has no rows.
func (c PixelContrast) Sample(label, prediction []uint8, area int, rng *rand.Rand) (Anchors, error) {
	if len(label) != len(prediction) || area <= 0 || len(label)%area != 0 {
		return Anchors{}, fmt.Errorf("pixel contrast: %d labels and %d predictions for images of %d pixels", len(label), len(prediction), area)
	}
	a := Anchors{}
	for image := range len(label) / area {
		var count [256]int
		for _, l := range label[image*area : (image+1)*area] {
			count[l]++
		}
		for class, n := range count {
			if n > c.MaxViews && (c.IgnoreAsClass || pipeline.TrainID(class) != pipeline.Ignore) {
				a.Images = append(a.Images, image)
				a.Classes = append(a.Classes, pipeline.TrainID(class))
			}
		}
	}
	if len(a.Images) == 0 {
		return a, nil
	}
	a.Views = min(c.MaxSamples/len(a.Images), c.MaxViews)
	if a.Views == 0 {
		return Anchors{}, nil
	}
	for row, image := range a.Images {
		var hard, easy []int
		for i := range area {
			if label[image*area+i] != a.Classes[row] {
				continue
			}
			if prediction[image*area+i] != a.Classes[row] {
				hard = append(hard, i)
			} else {
				easy = append(easy, i)
			}
		}
		keepHard := a.split(len(hard), len(easy))
		a.Pixels = append(a.Pixels, append(draw(hard, keepHard, rng), draw(easy, a.Views-keepHard, rng)...))
	}
	return a, nil
}

// split is how many of a row's views are hard. The halves are compared as
// fractions, so with odd Views a side needs (Views+1)/2.
func (a *Anchors) split(hard, easy int) int {
	switch enoughHard, enoughEasy := 2*hard >= a.Views, 2*easy >= a.Views; {
	case enoughHard && enoughEasy:
		return a.Views / 2
	case enoughHard:
		return a.Views - easy
	default:
		return hard
	}
}

// draw takes k of the items, by the first k steps of a Fisher-Yates shuffle.
func draw(items []int, k int, rng *rand.Rand) []int {
	if rng != nil {
		for i := range k {
			j := i + rng.IntN(len(items)-i)
			items[i], items[j] = items[j], items[i]
		}
	}
	return items[:k]
}

// Loss contrasts the anchors in embed, unit vectors [N,D,h,w]. It is exactly 0,
// without gradient, where the anchors have fewer than two classes. With a group
// the anchors are those of all ranks' images, embed is of this rank's, and the
// loss is its share.
func (c PixelContrast) Loss(embed *torch.Tensor, a Anchors) *torch.Tensor {
	if !a.contrasts() {
		return embed.Scope().Zeros(torch.Float32)
	}
	s := embed.Scope()
	area := embed.Dim(2) * embed.Dim(3)
	n := embed.Dim(0)
	var index, class []int64
	before := 0 // anchors of lower ranks' images
	for row, pixels := range a.Pixels {
		image := a.Images[row] - c.Group.Rank()*n
		for _, p := range pixels {
			class = append(class, int64(a.Classes[row]))
			switch {
			case image < 0:
				before++
			case image < n:
				index = append(index, int64(image*area+p))
			}
		}
	}
	vectors := embed.Permute(0, 2, 3, 1).Reshape(-1, embed.Dim(1)).IndexSelect(0, s.FromInt64(index, len(index)))
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
