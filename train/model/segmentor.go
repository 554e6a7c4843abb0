package model

import (
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
)

// A Segmentor is an encoder with a decoder. Its parameters are named
// backbone.* and decode_head.*.
type Segmentor struct {
	Backbone *MixTransformer
	Head     *DAFormerHead
}

// NewSegmentor makes a network with the published initialisation, drawn from
// the default generator.
func NewSegmentor(p nn.Path, encoder MiTConfig, decoder DAFormerConfig) (*Segmentor, error) {
	backbone, err := NewMixTransformer(p.Sub("backbone"), encoder)
	if err != nil {
		return nil, err
	}
	return &Segmentor{backbone, NewDAFormerHead(p.Sub("decode_head"), encoder.Dims, decoder)}, nil
}

// Output is what a forward pass leaves for the losses.
type Output struct {
	Features [4]*torch.Tensor // the encoder's maps, strides 4, 8, 16, 32
	Fused    *torch.Tensor    // the decoder's map before the classifier, [N,Channels,H/4,W/4]
	Logits   *torch.Tensor    // [N,classes,H/4,W/4]
}

// Forward takes normalised images [N,3,H,W].
func (s *Segmentor) Forward(x *torch.Tensor, m nn.Mode) Output {
	features := s.Backbone.Forward(x, m)
	logits, fused := s.Head.Forward(features, m)
	return Output{features, fused, logits}
}
