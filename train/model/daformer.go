package model

import (
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
)

// DAFormerConfig gives the sizes of the DAFormer decoder with separable ASPP
// (Hoyer et al., "DAFormer", 2022; lhoyer/DAFormer configs/_base_/models/
// daformer_sepaspp_mitb5.py).
type DAFormerConfig struct {
	Classes  int
	Channels int     // of the embedded and the fused maps; 256 as published
	Dropout  float64 // of fused channels before the classifier; 0.1 as published
}

// The dilations of the ASPP branches.
var asppDilations = [4]int{1, 6, 12, 18}

// DAFormerHead decodes the four encoder maps.
type DAFormerHead struct {
	config     DAFormerConfig
	classifier *nn.Conv2d
	embeds     [4]*nn.Linear
	branch0    *convModule
	branches   [3]*separableConv
	bottleneck *convModule
}

// NewDAFormerHead makes a decoder of maps with these channels.
func NewDAFormerHead(p nn.Path, dims [4]int, c DAFormerConfig) *DAFormerHead {
	h := &DAFormerHead{config: c,
		classifier: nn.NewConv2d(p.Sub("conv_seg"), c.Channels, c.Classes, nn.Conv{Kernel: 1, Bias: true, Init: nn.Normal(0.01)})}
	for i, d := range dims {
		h.embeds[i] = nn.NewLinear(p.Sub("embed_layers").At(i).Sub("proj"), d, c.Channels, nil)
	}
	joined := 4 * c.Channels
	aspp := p.Sub("fuse_layer").Sub("aspp_modules")
	h.branch0 = newConvModule(aspp.At(0), joined, c.Channels, nn.Conv{Kernel: 1})
	for i := range h.branches {
		h.branches[i] = newSeparableConv(aspp.At(i+1), joined, c.Channels, asppDilations[i+1])
	}
	h.bottleneck = newConvModule(p.Sub("fuse_layer").Sub("bottleneck"), joined, c.Channels, nn.Conv{Kernel: 3, Padding: 1})
	return h
}

// Forward returns the logits [N,classes,H/4,W/4] and the fused map
// [N,Channels,H/4,W/4] they are made from, before dropout.
func (h *DAFormerHead) Forward(features [4]*torch.Tensor, m nn.Mode) (logits, fused *torch.Tensor) {
	rows, cols := features[0].Dim(2), features[0].Dim(3)
	maps := make([]*torch.Tensor, 4)
	for i, f := range features {
		n, fh, fw := f.Dim(0), f.Dim(2), f.Dim(3)
		maps[i] = h.embeds[i].Forward(f.Flatten(2, 3).Transpose(1, 2)).Transpose(1, 2).Reshape(n, h.config.Channels, fh, fw)
		if fh != rows || fw != cols {
			maps[i] = maps[i].UpsampleBilinear(rows, cols, false)
		}
	}
	x := torch.Cat(1, maps...)
	branches := []*torch.Tensor{h.branch0.forward(x, m)}
	for _, b := range h.branches {
		branches = append(branches, b.forward(x, m))
	}
	fused = h.bottleneck.forward(torch.Cat(1, branches...), m)
	return h.classifier.Forward(nn.ChannelDropout(fused, h.config.Dropout, m)), fused
}

// convModule is convolution, batch norm, ReLU.
type convModule struct {
	conv *nn.Conv2d
	bn   *nn.BatchNorm2d
}

func newConvModule(p nn.Path, in, out int, c nn.Conv) *convModule {
	c.Init = nn.KaimingFanOut(c.Kernel, out, max(c.Groups, 1))
	return &convModule{nn.NewConv2d(p.Sub("conv"), in, out, c), nn.NewBatchNorm2d(p.Sub("bn"), out)}
}

func (l *convModule) forward(x *torch.Tensor, m nn.Mode) *torch.Tensor {
	return l.bn.Forward(l.conv.Forward(x), m).Relu()
}

// separableConv is a dilated depthwise 3×3 and a pointwise convModule.
type separableConv struct{ depthwise, pointwise *convModule }

func newSeparableConv(p nn.Path, in, out, dilation int) *separableConv {
	return &separableConv{
		newConvModule(p.Sub("depthwise_conv"), in, in, nn.Conv{Kernel: 3, Padding: dilation, Dilation: dilation, Groups: in}),
		newConvModule(p.Sub("pointwise_conv"), in, out, nn.Conv{Kernel: 1}),
	}
}

func (l *separableConv) forward(x *torch.Tensor, m nn.Mode) *torch.Tensor {
	return l.pointwise.forward(l.depthwise.forward(x, m), m)
}
