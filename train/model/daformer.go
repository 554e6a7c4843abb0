package model

import (
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
)

// Fusion is how the DAFormer decoder fuses the embedded maps.
type Fusion string

// The fusions of lhoyer/DAFormer configs/_base_/models/daformer_*_mitb5.py.
const (
	SeparableASPP Fusion = "sepaspp" // DAFormer's own
	ASPP          Fusion = "aspp"    // with full convolutions
	Pointwise     Fusion = "conv1"   // one 1×1 convolution
)

// DAFormerConfig gives the sizes of the DAFormer decoder (Hoyer et al.,
// "DAFormer", 2022; lhoyer/DAFormer mmseg/models/decode_heads/
// daformer_head.py).
type DAFormerConfig struct {
	Classes  int
	Channels int     // of the embedded and the fused maps; 256 as published
	Dropout  float64 // of fused channels before the classifier; 0.1 as published
	Fusion   Fusion  // empty is SeparableASPP
}

// Finest implements [DecoderSpec]: it takes all maps.
func (c DAFormerConfig) Finest(Shape) int { return 0 }

// Fused implements [DecoderSpec].
func (c DAFormerConfig) Fused() int { return c.Channels }

// Attention implements [DecoderSpec]: a decoder of these sizes with a pointwise
// fusion, whichever the decoder itself has.
func (c DAFormerConfig) Attention() DecoderSpec {
	c.Fusion = Pointwise
	return c
}

// New implements [DecoderSpec].
func (c DAFormerConfig) New(p nn.Path, s Shape, classes int) Decoder {
	c.Classes = classes
	return NewDAFormerHead(p, s.Dims, c)
}

// The dilations of the ASPP branches.
var asppDilations = [4]int{1, 6, 12, 18}

// DAFormerHead decodes all of an encoder's maps.
type DAFormerHead struct {
	config     DAFormerConfig
	classifier *nn.Conv2d
	embeds     []*nn.Linear
	fuse       fuser
}

// NewDAFormerHead makes a decoder of maps with these channels.
func NewDAFormerHead(p nn.Path, dims []int, c DAFormerConfig) *DAFormerHead {
	h := &DAFormerHead{config: c,
		classifier: nn.NewConv2d(p.Sub("conv_seg"), c.Channels, c.Classes, nn.Conv{Kernel: 1, Bias: true, Init: nn.Normal(0.01)})}
	for i, d := range dims {
		h.embeds = append(h.embeds, nn.NewLinear(p.Sub("embed_layers").At(i).Sub("proj"), d, c.Channels, nil))
	}
	if f := p.Sub("fuse_layer"); c.Fusion == Pointwise {
		h.fuse = newConvModule(f, len(dims)*c.Channels, c.Channels, nn.Conv{Kernel: 1})
	} else {
		h.fuse = newPyramid(f, len(dims)*c.Channels, c.Channels, c.Fusion != ASPP)
	}
	return h
}

// embed maps every encoder map to the same channels and the first one's size,
// and joins them, in scope s.
func embed(s *torch.Scope, layers []*nn.Linear, features []*torch.Tensor) *torch.Tensor {
	rows, cols := features[0].Dim(2), features[0].Dim(3)
	return s.Tidy(func(c *torch.Scope) *torch.Tensor {
		maps := make([]*torch.Tensor, len(features))
		for i, f := range features {
			maps[i] = c.Tidy(func(c *torch.Scope) *torch.Tensor {
				n, fh, fw := f.Dim(0), f.Dim(2), f.Dim(3)
				x := layers[i].Forward(f.In(c).Flatten(2, 3).Transpose(1, 2)).Transpose(1, 2).Reshape(n, -1, fh, fw)
				if fh != rows || fw != cols {
					x = x.UpsampleBilinear(rows, cols, false)
				}
				return x
			})
		}
		return torch.Cat(1, maps...)
	})
}

// Forward implements [Decoder]: the logits, and the fused map [N,Channels,h,w]
// they are made from, before dropout, both at the finest map's size.
func (h *DAFormerHead) Forward(features []*torch.Tensor, m nn.Mode) (logits, fused *torch.Tensor) {
	fused = features[0].Scope().Tidy(func(c *torch.Scope) *torch.Tensor { return h.fuse.forward(embed(c, h.embeds, features), m) })
	return h.classifier.Forward(nn.ChannelDropout(fused, h.config.Dropout, m)), fused
}

// fuser maps the joined maps to the fused one.
type fuser interface {
	forward(x *torch.Tensor, m nn.Mode) *torch.Tensor
}

// pyramid is atrous spatial pyramid pooling: branches of different dilation,
// joined by a 3×3 convolution.
type pyramid struct {
	branches   [4]fuser
	bottleneck *convModule
}

func newPyramid(p nn.Path, in, out int, separable bool) *pyramid {
	l := &pyramid{}
	for i, d := range asppDilations {
		at := p.Sub("aspp_modules").At(i)
		switch {
		case d == 1:
			l.branches[i] = newConvModule(at, in, out, nn.Conv{Kernel: 1})
		case separable:
			l.branches[i] = newSeparableConv(at, in, out, d)
		default:
			l.branches[i] = newConvModule(at, in, out, nn.Conv{Kernel: 3, Padding: d, Dilation: d})
		}
	}
	l.bottleneck = newConvModule(p.Sub("bottleneck"), 4*out, out, nn.Conv{Kernel: 3, Padding: 1})
	return l
}

func (l *pyramid) forward(x *torch.Tensor, m nn.Mode) *torch.Tensor {
	joined := x.Scope().Tidy(func(c *torch.Scope) *torch.Tensor {
		var maps []*torch.Tensor
		for _, b := range l.branches {
			maps = append(maps, b.forward(x.In(c), m))
		}
		return torch.Cat(1, maps...)
	})
	return l.bottleneck.forward(joined, m)
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
	return x.Scope().Tidy(func(c *torch.Scope) *torch.Tensor { return l.bn.Forward(l.conv.Forward(x.In(c)), m).Relu() })
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
