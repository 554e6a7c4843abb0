package model

import (
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
)

// An Encoder turns normalised images [N,3,H,W] into four maps, fine to coarse.
type Encoder interface {
	Forward(x *torch.Tensor, m nn.Mode) [4]*torch.Tensor
	Dims() [4]int // the maps' channels
}

// A Decoder turns an encoder's maps into logits [N,classes,h,w], and the map
// they are classified from, which is nil for a decoder without one.
type Decoder interface {
	Forward(features [4]*torch.Tensor, m nn.Mode) (logits, fused *torch.Tensor)
}

// A Segmentor is an encoder with a decoder. Its parameters are named
// backbone.* and decode_head.*.
type Segmentor struct {
	Backbone Encoder
	Head     Decoder
}

// Output is what a forward pass leaves for the losses.
type Output struct {
	Features [4]*torch.Tensor // the encoder's maps
	Fused    *torch.Tensor    // the decoder's map before the classifier, or nil
	Logits   *torch.Tensor    // [N,classes,h,w]
}

// Forward takes normalised images [N,3,H,W].
func (s *Segmentor) Forward(x *torch.Tensor, m nn.Mode) Output {
	features := s.Backbone.Forward(x, m)
	logits, fused := s.Head.Forward(features, m)
	return Output{features, fused, logits}
}
