package model

import (
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
)

// SegFormerHead is the all-MLP decoder of SegFormer (Xie et al., 2021) as
// lhoyer/DAFormer has it (mmseg/models/decode_heads/segformer_head.py): a 1×1
// fusion of the embedded maps.
type SegFormerHead struct {
	embeds     [4]*nn.Linear
	fuse       *convModule
	classifier *nn.Conv2d
	dropout    float64
}

// NewSegFormerHead makes a decoder of maps with these channels. The published
// sizes are 256 channels for MiT-B0 and B1, and 768 above.
func NewSegFormerHead(p nn.Path, dims [4]int, classes, channels int, dropout float64) *SegFormerHead {
	h := &SegFormerHead{dropout: dropout}
	for i, d := range dims {
		h.embeds[i] = nn.NewLinear(p.Sub("linear_c").At(i).Sub("proj"), d, channels, nil)
	}
	h.fuse = newConvModule(p.Sub("linear_fuse"), 4*channels, channels, nn.Conv{Kernel: 1})
	h.classifier = nn.NewConv2d(p.Sub("linear_pred"), channels, classes, nn.Conv{Kernel: 1, Bias: true})
	return h
}

// Forward implements [Decoder].
func (h *SegFormerHead) Forward(features [4]*torch.Tensor, m nn.Mode) (logits, fused *torch.Tensor) {
	fused = features[0].Scope().Tidy(func(c *torch.Scope) *torch.Tensor { return h.fuse.forward(embed(c, h.embeds, features), m) })
	return h.classifier.Forward(nn.ChannelDropout(fused, h.dropout, m)), fused
}
