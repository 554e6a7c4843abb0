package model

import (
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
)

// A Shape is what an encoder makes of images, whatever its weights. All that
// depends on sizes is worked out from it: what crops must be multiples of, how far
// small images are padded, and what decoders and heads are fed.
type Shape struct {
	Dims    []int // channels of its maps, fine to coarse
	Strides []int // of its maps: an image of h rows gives a map of ⌈h/stride⌉
	// Multiple is what the sides of images to train on must be multiples of, so
	// that the cells of all maps lie wholly inside.
	Multiple int
	Least    int // the shortest side of an image that it can see
}

// Last is the index of the coarsest map.
func (s Shape) Last() int { return len(s.Dims) - 1 }

// Width is the channels of all maps together, as [JoinFeatures] joins them.
func (s Shape) Width() int {
	width := 0
	for _, d := range s.Dims {
		width += d
	}
	return width
}

// An EncoderSpec is an encoder before it has parameters.
type EncoderSpec interface {
	Shape() Shape
	// New makes the encoder with its parameters under p, named as in its published
	// files, with the published initialization drawn from the default generator.
	New(p nn.Path) (Encoder, error)
}

// An Encoder turns normalized images [N,3,H,W] into maps, fine to coarse.
type Encoder interface {
	Shape() Shape
	Forward(x *torch.Tensor, m nn.Mode) []*torch.Tensor
}

// A DecoderSpec is a decoder before it has parameters.
type DecoderSpec interface {
	// Finest is the index, among an encoder's maps, of the finest one that the
	// decoder takes: it takes this one and all coarser ones. Logits and fused map
	// have its stride.
	Finest(s Shape) int
	Fused() int // channels of the fused map; 0 where there is none
	// Attention is what weighs HRDA's scales against each other where this decodes
	// them.
	Attention() DecoderSpec
	// New makes the decoder of an encoder's maps, for a number of classes, with its
	// parameters under p.
	New(p nn.Path, s Shape, classes int) Decoder
}

// A Decoder turns an encoder's maps into logits [N,classes,h,w], and the map
// they are classified from, which is nil for a decoder without one.
type Decoder interface {
	Forward(features []*torch.Tensor, m nn.Mode) (logits, fused *torch.Tensor)
}

// A Segmentor is an encoder with a decoder. Its parameters are named
// backbone.* and decode_head.*.
type Segmentor struct {
	Backbone Encoder
	Head     Decoder
}

// Output is what a forward pass leaves for the losses.
type Output struct {
	Features []*torch.Tensor // the encoder's maps
	Fused    *torch.Tensor   // the decoder's map before the classifier, or nil
	Logits   *torch.Tensor   // [N,classes,h,w]
}

// Forward takes normalized images [N,3,H,W].
func (s *Segmentor) Forward(x *torch.Tensor, m nn.Mode) Output {
	features := s.Backbone.Forward(x, m)
	logits, fused := s.Head.Forward(features, m)
	return Output{features, fused, logits}
}
