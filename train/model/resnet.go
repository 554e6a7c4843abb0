package model

import (
	"fmt"

	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
)

// ResNetConfig gives the size of a ResNet-V1c (He et al., 2016, with the
// three-convolution stem of Inception) as DACS and DAFormer use it for
// DeepLab-V2: output stride 8, the last two stages dilated by 2 and 4
// (lhoyer/DAFormer configs/_base_/models/deeplabv2_r50-d8.py; mmseg/models/
// backbones/resnet.py, ResNetV1c).
type ResNetConfig struct {
	Depths [4]int // blocks of each stage
	Width  int    // channels of the stem; 64 as published
}

// ResNet returns the configuration of resnet50 or resnet101.
func ResNet(name string) (ResNetConfig, error) {
	switch name {
	case "resnet50":
		return ResNetConfig{[4]int{3, 4, 6, 3}, 64}, nil
	case "resnet101":
		return ResNetConfig{[4]int{3, 4, 23, 3}, 64}, nil
	}
	return ResNetConfig{}, fmt.Errorf("no ResNet %q: want resnet50 or resnet101", name)
}

// Shape implements [EncoderSpec]. Dilation keeps the last two maps at the stride
// of the second. Images are at least as large as a cell of the network that the
// published weights were trained in, of stride 32.
func (c ResNetConfig) Shape() Shape {
	w := 4 * c.Width
	return Shape{Dims: []int{w, 2 * w, 4 * w, 8 * w}, Strides: []int{4, 8, 8, 8}, Multiple: 8, Least: 32}
}

// New implements [EncoderSpec].
func (c ResNetConfig) New(p nn.Path) (Encoder, error) { return NewResNet(p, c), nil }

// ResNetEncoder is the network.
type ResNetEncoder struct {
	config ResNetConfig
	stem   [3]*normedConv
	stages [4][]*bottleneck
}

// NewResNet makes a network with the published initialization, drawn from the
// default generator.
func NewResNet(p nn.Path, c ResNetConfig) *ResNetEncoder {
	r := &ResNetEncoder{config: c}
	stem := p.Sub("stem")
	widths := [4]int{3, c.Width / 2, c.Width / 2, c.Width}
	for i := range r.stem {
		stride := 1
		if i == 0 {
			stride = 2
		}
		r.stem[i] = newNormedConv(stem.At(3*i), stem.At(3*i+1), widths[i], widths[i+1], nn.Conv{Kernel: 3, Stride: stride, Padding: 1})
	}
	in := c.Width
	for stage, blocks := range c.Depths {
		stride, dilation := 1, [4]int{1, 1, 2, 4}[stage]
		if stage == 1 {
			stride = 2
		}
		width := c.Width << stage
		for i := range blocks {
			d := dilation
			if i == 0 {
				d = max(dilation/2, 1) // contract_dilation
			} else {
				stride = 1
			}
			r.stages[stage] = append(r.stages[stage], newBottleneck(p.Sub(fmt.Sprintf("layer%d", stage+1)).At(i), in, width, stride, d))
			in = 4 * width
		}
	}
	return r
}

// Shape implements [Encoder].
func (r *ResNetEncoder) Shape() Shape { return r.config.Shape() }

// Forward implements [Encoder]: maps at strides 4, 8, 8 and 8.
func (r *ResNetEncoder) Forward(x *torch.Tensor, m nn.Mode) (features []*torch.Tensor) {
	x = m.Segment(x, func(x *torch.Tensor, m nn.Mode) *torch.Tensor {
		for _, l := range r.stem {
			x = l.forward(x, m).Relu()
		}
		return x.MaxPool2d(3, 2, 1, false)
	})
	for _, stage := range r.stages {
		for _, b := range stage {
			x = m.Segment(x, b.forward)
		}
		features = append(features, x)
	}
	return features
}

// normedConv is a convolution and a batch norm.
type normedConv struct {
	conv *nn.Conv2d
	bn   *nn.BatchNorm2d
}

func newNormedConv(conv, bn nn.Path, in, out int, c nn.Conv) *normedConv {
	c.Init = nn.KaimingFanOut(c.Kernel, out, 1)
	return &normedConv{nn.NewConv2d(conv, in, out, c), nn.NewBatchNorm2d(bn, out)}
}

func (l *normedConv) forward(x *torch.Tensor, m nn.Mode) *torch.Tensor {
	return l.bn.Forward(l.conv.Forward(x), m)
}

// bottleneck is a residual block of 1×1, 3×3 and 1×1 convolutions; the stride
// lies in the 3×3 ("pytorch" style).
type bottleneck struct {
	convs      [3]*normedConv
	downsample *normedConv // nil where the shortcut needs none
}

func newBottleneck(p nn.Path, in, width, stride, dilation int) *bottleneck {
	at := func(i, in, out int, c nn.Conv) *normedConv {
		return newNormedConv(p.Sub(fmt.Sprintf("conv%d", i)), p.Sub(fmt.Sprintf("bn%d", i)), in, out, c)
	}
	b := &bottleneck{convs: [3]*normedConv{
		at(1, in, width, nn.Conv{Kernel: 1}),
		at(2, width, width, nn.Conv{Kernel: 3, Stride: stride, Padding: dilation, Dilation: dilation}),
		{ // mmseg's zero_init_residual
			nn.NewConv2d(p.Sub("conv3"), width, 4*width, nn.Conv{Kernel: 1, Init: nn.KaimingFanOut(1, 4*width, 1)}),
			nn.NewZeroBatchNorm2d(p.Sub("bn3"), 4*width),
		},
	}}
	if stride != 1 || in != 4*width {
		d := p.Sub("downsample")
		b.downsample = newNormedConv(d.At(0), d.At(1), in, 4*width, nn.Conv{Kernel: 1, Stride: stride})
	}
	return b
}

func (b *bottleneck) forward(x *torch.Tensor, m nn.Mode) *torch.Tensor {
	y := b.convs[0].forward(x, m).Relu()
	y = b.convs[1].forward(y, m).Relu()
	y = b.convs[2].forward(y, m)
	if b.downsample != nil {
		x = b.downsample.forward(x, m)
	}
	return y.Add(x).Relu()
}

// DeepLabV2Config is the decoder of DeepLab-V2, which has no sizes to choose.
type DeepLabV2Config struct{}

// Finest implements [DecoderSpec]: it takes the last map alone.
func (c DeepLabV2Config) Finest(s Shape) int { return s.Last() }

// Fused implements [DecoderSpec].
func (c DeepLabV2Config) Fused() int { return 0 }

// Attention implements [DecoderSpec].
func (c DeepLabV2Config) Attention() DecoderSpec { return c }

// New implements [DecoderSpec].
func (c DeepLabV2Config) New(p nn.Path, s Shape, classes int) Decoder {
	return NewDeepLabV2Head(p, s.Dims[s.Last()], classes)
}

// DeepLabV2Head is the atrous pyramid of DeepLab-V2: four dilated convolutions
// of the last map, summed (lhoyer/DAFormer mmseg/models/decode_heads/
// dlv2_head.py). It has no fused map.
type DeepLabV2Head struct{ branches [4]*nn.Conv2d }

// NewDeepLabV2Head makes a decoder of a last map with in channels.
func NewDeepLabV2Head(p nn.Path, in, classes int) *DeepLabV2Head {
	h := &DeepLabV2Head{}
	for i, dilation := range [4]int{6, 12, 18, 24} {
		h.branches[i] = nn.NewConv2d(p.Sub("aspp_modules").At(i).Sub("conv"), in, classes,
			nn.Conv{Kernel: 3, Padding: dilation, Dilation: dilation, Bias: true, Init: nn.KaimingFanOut(3, classes, 1)})
	}
	return h
}

// Forward implements [Decoder]: logits at the last map's stride, and no fused
// map.
func (h *DeepLabV2Head) Forward(features []*torch.Tensor, _ nn.Mode) (logits, fused *torch.Tensor) {
	last := features[len(features)-1]
	logits = h.branches[0].Forward(last)
	for _, b := range h.branches[1:] {
		logits = logits.Add(b.Forward(last))
	}
	return logits, nil
}
