package model

import (
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
)

// SegFormerHead is the all-MLP decoder of SegFormer (Xie et al., 2021) as
// lhoyer/DAFormer has it (mmseg/models/decode_heads/segformer_head.py): a 1×1
// fusion of the embedded maps.
type SegFormerHead struct {
	embeds     []*nn.Linear
	fuse       *convModule
	classifier *nn.Conv2d
	dropout    float64
}

// SegFormerConfig gives the decoder's sizes. The published ones are 256 channels
// for MiT-B0 and B1, and 768 above.
type SegFormerConfig struct {
	Channels int     // of the embedded and the fused maps
	Dropout  float64 // of fused channels before the classifier
}

// Finest implements [DecoderSpec]: it takes all maps.
func (c SegFormerConfig) Finest(Shape) int { return 0 }

// Fused implements [DecoderSpec].
func (c SegFormerConfig) Fused() int { return c.Channels }

// Attention implements [DecoderSpec].
func (c SegFormerConfig) Attention() DecoderSpec { return c }

// New implements [DecoderSpec].
func (c SegFormerConfig) New(p nn.Path, s Shape, classes int) Decoder {
	return NewSegFormerHead(p, s.Dims, classes, c.Channels, c.Dropout)
}

// NewSegFormerHead makes a decoder of maps with these channels.
func NewSegFormerHead(p nn.Path, dims []int, classes, channels int, dropout float64) *SegFormerHead {
	h := &SegFormerHead{dropout: dropout}
	for i, d := range dims {
		h.embeds = append(h.embeds, nn.NewLinear(p.Sub("linear_c").At(i).Sub("proj"), d, channels, nil))
	}
	h.fuse = newConvModule(p.Sub("linear_fuse"), len(dims)*channels, channels, nn.Conv{Kernel: 1})
	h.classifier = nn.NewConv2d(p.Sub("linear_pred"), channels, classes, nn.Conv{Kernel: 1, Bias: true})
	return h
}

// Forward implements [Decoder].
func (h *SegFormerHead) Forward(features []*torch.Tensor, m nn.Mode) (logits, fused *torch.Tensor) {
	fused = features[0].Scope().Tidy(func(c *torch.Scope) *torch.Tensor { return h.fuse.forward(embed(c, h.embeds, features), m) })
	return h.classifier.Forward(nn.ChannelDropout(fused, h.dropout, m)), fused
}
