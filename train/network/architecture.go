package network

import (
	"fmt"
	"strings"

	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/model"
	"github.com/pipa-uda/pipa/train/nn"
)

// An Architecture is a network before it has parameters.
type Architecture struct {
	Encoder model.EncoderSpec
	Decoder model.DecoderSpec
	config  config.Network // what is left of it: the scales, and how they are computed
}

// An Encoder is one that a program brings. A run's configuration has its name, as
// network.encoder: custom:NAME, and is continued and used with an encoder of the
// same name alone: what else decides its numbers, such as sizes, belongs in it.
type Encoder interface {
	model.EncoderSpec
	Name() string
}

// Of is the architecture that a configuration names, with the program's encoder
// where it names one; nil is none. A name that there is not is a
// [config.ValueError].
func Of(c config.Network, custom Encoder) (Architecture, error) {
	encoder, err := encoderOf(c, custom)
	if err != nil {
		return Architecture{}, err
	}
	decoder, err := decoderOf(c)
	return Architecture{encoder, decoder, c}, err
}

// Encoders are the names that network.encoder may have. "mit" is a MiT of the
// configured sizes.
func Encoders() []string {
	return []string{"mit", "mit-b0", "mit-b1", "mit-b2", "mit-b3", "mit-b4", "mit-b5", "resnet50", "resnet101"}
}

func encoderOf(c config.Network, custom Encoder) (model.EncoderSpec, error) {
	if custom != nil {
		if want := config.Custom(custom.Name()); c.Encoder != want {
			return nil, &config.ValueError{Field: "network.encoder", Value: c.Encoder, Want: want + ", which the program passes"}
		}
		return custom, nil
	}
	if name, is := config.IsCustom(c.Encoder); is {
		return nil, &config.ValueError{Field: "network.encoder", Value: c.Encoder, Want: "the program that has the encoder " + name + " to pass it: it is not one of pipa's"}
	}
	switch {
	case c.Encoder == "mit":
		if len(c.Dims) != 4 || len(c.Depths) != 4 {
			return nil, &config.ValueError{Field: "network.dims and network.depths", Value: [2][]int{c.Dims, c.Depths}, Want: "four numbers each for encoder mit"}
		}
		return model.MiTConfig{Dims: [4]int(c.Dims), Depths: [4]int(c.Depths), DropPath: c.DropPath}, nil
	case strings.HasPrefix(c.Encoder, "mit-"):
		if m, err := model.MiT(c.Encoder); err == nil {
			m.DropPath = c.DropPath
			return m, nil
		}
	case strings.HasPrefix(c.Encoder, "resnet"):
		if r, err := model.ResNet(c.Encoder); err == nil {
			return r, nil
		}
	}
	return nil, &config.ValueError{Field: "network.encoder", Value: c.Encoder, Want: "one of " + strings.Join(Encoders(), ", ")}
}

// Decoders are the names that network.decoder may have.
func Decoders() []string {
	return []string{"daformer", "daformer-aspp", "daformer-conv1", "segformer", "deeplabv2"}
}

func decoderOf(c config.Network) (model.DecoderSpec, error) {
	daformer := model.DAFormerConfig{Channels: c.Channels, Dropout: c.Dropout}
	switch c.Decoder {
	case "daformer":
		return daformer, nil
	case "daformer-aspp":
		daformer.Fusion = model.ASPP
		return daformer, nil
	case "daformer-conv1":
		daformer.Fusion = model.Pointwise
		return daformer, nil
	case "segformer":
		return model.SegFormerConfig{Channels: c.Channels, Dropout: c.Dropout}, nil
	case "deeplabv2":
		return model.DeepLabV2Config{}, nil
	}
	return nil, &config.ValueError{Field: "network.decoder", Value: c.Decoder, Want: "one of " + strings.Join(Decoders(), ", ")}
}

// Geometry is what the sizes in a configuration are checked against.
func (a Architecture) Geometry() config.Geometry {
	s := a.Encoder.Shape()
	g := config.Geometry{Multiple: s.Multiple, Stride: s.Strides[a.Decoder.Finest(s)], Fused: a.Decoder.Fused() > 0}
	if a.config.HRDA.Enabled() {
		g.Multiple = leastCommonMultiple(g.Multiple, model.HRDAMultiple(g.Stride))
	}
	return g
}

func leastCommonMultiple(a, b int) int {
	m := a
	for m%b != 0 {
		m += a
	}
	return m
}

// New makes a network with its parameters under p: backbone.* and decode_head.*.
// The initialization draws from the default generator.
func (a Architecture) New(p nn.Path, classes int) (*Network, error) {
	encoder, err := a.Encoder.New(p.Sub("backbone"))
	if err != nil {
		return nil, fmt.Errorf("network.encoder: %w", err)
	}
	n := &Network{shape: encoder.Shape(), geometry: a.Geometry(), bfloat16: a.config.BFloat16(), sync: a.config.SyncBatchNorm}
	if a.config.Checkpointing {
		n.tape = &nn.Tape{}
	}
	head := p.Sub("decode_head")
	if !a.config.HRDA.Enabled() {
		n.Segmentor = &model.Segmentor{Backbone: encoder, Head: a.Decoder.New(head, n.shape, classes)}
		n.scales = oneScale{fused: a.Decoder.Fused()}
		return n, nil
	}
	shared := model.Segmentor{Backbone: encoder, Head: a.Decoder.New(head.Sub("head"), n.shape, classes)}
	attention := a.Decoder.Attention().New(head.Sub("scale_attention"), n.shape, classes)
	h := model.NewHRDA(shared, attention, a.config.HRDA.Crop, n.geometry.Stride)
	n.Segmentor = &h.Segmentor
	n.scales = twoScales{hrda: h, detailWeight: a.config.HRDA.DetailWeight, classes: classes}
	return n, nil
}
