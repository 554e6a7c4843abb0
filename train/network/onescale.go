package network

import (
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/loss"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
)

// oneScale sees the whole image once.
type oneScale struct{ fused int } // channels of the fused map

func (oneScale) train(n *Network, x *torch.Tensor, _ raster.Box) Pass {
	out := n.Forward(x, nn.Training)
	return Pass{Features: out.Features, Closest: out, Shown: raster.Box{Y1: x.Dim(2), X1: x.Dim(3)},
		supervise: func(name string, label, weight *torch.Tensor) []loss.Term {
			return []loss.Term{{Name: name, Value: loss.CrossEntropy(out.Logits, label, weight).Div(float64(n.group.Size())), Weight: 1}}
		}}
}

func (oneScale) predict(n *Network, x *torch.Tensor, m nn.Mode) *torch.Tensor {
	return n.Forward(x, m).Logits
}

func (oneScale) pad(n *Network, length int) int { return max(length, n.shape.Least) }

func (oneScale) decoded(n *Network, x *torch.Tensor, m nn.Mode) *torch.Tensor {
	return n.Forward(x, m).Fused
}

func (s oneScale) ending(n *Network) (channels, stride int) { return s.fused, n.Stride() }

func (oneScale) detail(int, int, func(int) int) raster.Box { return raster.Box{} }
func (oneScale) whole(x *torch.Tensor) *torch.Tensor       { return x }
func (s oneScale) withDetail([2]int) scales                { return s }
