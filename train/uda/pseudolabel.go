package uda

import "github.com/pipa-uda/pipa/train/torch"

// PseudoLabels are a teacher's verdict on target images.
type PseudoLabels struct {
	Label       *torch.Tensor // [N,H,W] int64, never 255
	Probability *torch.Tensor // [N,H,W] of the label
	// Confident is the share of the whole batch's pixels whose probability
	// reaches the threshold, a scalar.
	Confident *torch.Tensor
	Weight    *torch.Tensor // [N,H,W]: Confident everywhere, 0 in the margins
}

// In is the same tensors in another scope.
func (p PseudoLabels) In(s *torch.Scope) PseudoLabels {
	return PseudoLabels{p.Label.In(s), p.Probability.In(s), p.Confident.In(s), p.Weight.In(s)}
}

// Label takes the teacher's logits [N,C,H,W] at image size. The weight of the
// first top and the last bottom rows is 0, where the sky or the bonnet misleads
// (lhoyer/DAFormer mmseg/models/uda/dacs.py). The ranks of group share the
// batch, in equal parts; nil is this process alone.
func Label(logits *torch.Tensor, threshold float64, top, bottom int, group *torch.Group) PseudoLabels {
	p := judge(logits.Softmax(1), threshold, group)
	if top > 0 {
		p.Weight.Narrow(1, 0, top).ZeroInPlace()
	}
	if bottom > 0 {
		p.Weight.Narrow(1, p.Weight.Dim(1)-bottom, bottom).ZeroInPlace()
	}
	return p
}

// LabelMirrored takes the teacher's logits of the images and, in mirrored
// coordinates, of the mirrored images, both [N,C,H,W] at image size: the
// probabilities are averaged. valid [N,H,W] is 0 in the margins, whose weight is
// 0, and 1 elsewhere; nil has no margins (tue-mps/vfm-uda training/uda_vit/
// uda_vit_generic.py, get_pseudo_label_and_weight).
func LabelMirrored(logits, mirrored, valid *torch.Tensor, threshold float64, group *torch.Group) PseudoLabels {
	p := judge(logits.Softmax(1).Add(mirrored.Softmax(1).Flip(-1)).Div(2), threshold, group)
	if valid != nil {
		p.Weight = p.Weight.Mul(valid)
	}
	return p
}

// judge labels by class probabilities [N,C,H,W], with one weight for the batch.
func judge(probabilities *torch.Tensor, threshold float64, group *torch.Group) PseudoLabels {
	probability, label := probabilities.MaxDim(1, false)
	confident := group.Sum(probability.Ge(threshold).To(torch.Float32).Mean().Div(float64(group.Size())))
	return PseudoLabels{label, probability, confident, probability.OnesLike().Mul(confident)}
}
