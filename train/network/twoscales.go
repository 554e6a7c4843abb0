package network

import (
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/loss"
	"github.com/pipa-uda/pipa/train/model"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
)

// twoScales sees the whole image for its context and a part of it in detail
// (docs/method.md, HRDA).
type twoScales struct {
	hrda         *model.HRDA
	detailWeight float64 // of the detail's own cross entropy
	classes      int
}

func (s twoScales) train(n *Network, x *torch.Tensor, detail raster.Box) Pass {
	var out model.MultiScale
	n.Autocast(x, func() { out = s.hrda.ForwardCrop(x, detail, n.Mode(nn.Training)) })
	out.Detail.Logits, out.Logits = out.Detail.Logits.To(torch.Float32), out.Logits.To(torch.Float32)
	return Pass{Features: out.Context.Features, Closest: out.Detail, Shown: detail,
		supervise: func(name string, label, weight *torch.Tensor) []loss.Term {
			fused, part := loss.MultiScale(out.Logits, out.Detail.Logits, label, weight, detail, s.detailWeight)
			ranks := float64(n.group.Size())
			return []loss.Term{{Name: name, Value: fused.Div(ranks), Weight: 1}, {Name: name + "_detail", Value: part.Div(ranks), Weight: 1}}
		}}
}

func (s twoScales) predict(n *Network, x *torch.Tensor, m nn.Mode) (logits *torch.Tensor) {
	n.Autocast(x, func() { logits = s.hrda.Forward(x, n.Mode(m)).Logits })
	return logits
}

// pad makes the logits of both scales meet, and the context large enough.
func (s twoScales) pad(n *Network, length int) int {
	k := model.HRDAMultiple(n.Stride())
	return max((length+k-1)/k*k, model.HRDAMultiple(n.shape.Least))
}

func (s twoScales) decoded(n *Network, x *torch.Tensor, m nn.Mode) *torch.Tensor {
	return n.Predict(x, m)
}

func (s twoScales) ending(*Network) (channels, stride int) { return s.classes, 1 }

func (s twoScales) detail(height, width int, intN func(int) int) raster.Box {
	return s.hrda.CropBox(height, width, intN)
}

func (s twoScales) whole(x *torch.Tensor) *torch.Tensor { return s.hrda.Context(x) }

func (s twoScales) withDetail(crop [2]int) scales {
	s.hrda = s.hrda.WithCrop(crop)
	return s
}
