package model

import (
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
)

// UpscaleConfig is the light decoder of VFM-UDA (tue-mps/vfm-uda
// models/vit_variants/vit_lightweight_head.py), which makes the last map four
// times as fine. It has no sizes of its own.
type UpscaleConfig struct{}

// Finest implements [DecoderSpec]: it takes the last map.
func (UpscaleConfig) Finest(s Shape) int { return s.Last() }

// Fused implements [DecoderSpec].
func (UpscaleConfig) Fused() int { return 0 }

// Attention implements [DecoderSpec].
func (c UpscaleConfig) Attention() DecoderSpec { return c }

// New implements [DecoderSpec].
func (UpscaleConfig) New(p nn.Path, s Shape, classes int) Decoder {
	return NewUpscaleHead(p, s.Dims[s.Last()], classes)
}

// UpscaleHead is the decoder: two transposed convolutions, each of which doubles
// the map and halves its channels, and a convolution, with norms over the
// channels. No layer has a bias.
type UpscaleHead struct {
	up1, up2            *torch.Tensor // [in,out,2,2]
	norm1, norm2, norm3 *nn.LayerNorm
	conv, classifier    *nn.Conv2d
}

// NewUpscaleHead makes a decoder of a map of dim channels, a multiple of 4.
func NewUpscaleHead(p nn.Path, dim, classes int) *UpscaleHead {
	const eps = 1e-6
	up := p.Sub("upscale")
	transposed := func(at, in, out int) *torch.Tensor {
		// PyTorch's default: by the fan-in, which is of the second axis.
		return up.At(at).Param("weight", nn.DefaultConv(out, 2), in, out, 2, 2)
	}
	return &UpscaleHead{
		up1: transposed(0, dim, dim/2), norm1: nn.NewLayerNorm(up.At(1), dim/2, eps),
		up2: transposed(3, dim/2, dim/4), norm2: nn.NewLayerNorm(up.At(4), dim/4, eps),
		conv: nn.NewConv2d(up.At(5), dim/4, dim/4, nn.Conv{Kernel: 3, Padding: 1}), norm3: nn.NewLayerNorm(up.At(6), dim/4, eps),
		classifier: nn.NewConv2d(p.Sub("out"), dim/4, classes, nn.Conv{Kernel: 1, Init: nn.Normal(0.1)}),
	}
}

// Forward implements [Decoder]. The logits have a quarter of the map's stride.
func (h *UpscaleHead) Forward(features []*torch.Tensor, _ nn.Mode) (logits, fused *torch.Tensor) {
	x := features[len(features)-1]
	return x.Scope().Tidy(func(c *torch.Scope) *torch.Tensor {
		return h.classifier.Forward(h.upscale(x.In(c)))
	}), nil
}

func (h *UpscaleHead) upscale(x *torch.Tensor) *torch.Tensor {
	x = layerNorm2d(h.norm1, x.ConvTranspose2d(h.up1, 2)).Gelu()
	x = layerNorm2d(h.norm2, x.ConvTranspose2d(h.up2, 2))
	return layerNorm2d(h.norm3, h.conv.Forward(x))
}

// layerNorm2d normalizes [N,C,H,W] over its channels.
func layerNorm2d(l *nn.LayerNorm, x *torch.Tensor) *torch.Tensor {
	return l.Forward(x.Permute(0, 2, 3, 1)).Permute(0, 3, 1, 2)
}
