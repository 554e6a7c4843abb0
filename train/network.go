package train

import (
	"fmt"
	"strings"

	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/loss"
	"github.com/pipa-uda/pipa/train/model"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
)

// network is a student or a teacher: a segmentor at one scale, or HRDA's two,
// which share it.
type network struct {
	*model.Segmentor
	hrda     *model.HRDA // nil at one scale
	autocast bool        // bfloat16 where that is safe
	tape     *nn.Tape    // of training passes; nil keeps their activations

	group         *torch.Group // the ranks that share a batch
	syncBatchNorm bool
}

// mode is m with what the network adds to it.
func (n network) mode(m nn.Mode) nn.Mode {
	if m.Dropout {
		m.Tape = n.tape
	}
	m.Group, m.SyncBatchNorm = n.group, n.syncBatchNorm
	return m
}

// decoders are the names that network.decoder may have.
var decoders = []string{"daformer", "daformer-aspp", "daformer-conv1", "segformer", "deeplabv2"}

func geometry(c config.Network) config.Geometry {
	return config.Geometry{Multiple: 32, Stride: 4, Fused: c.Decoder != "deeplabv2"}
}

// newNetwork makes the network at p.
func newNetwork(c config.Network, p nn.Path, classes int) (network, error) {
	encoder, err := newEncoder(c, p.Sub("backbone"))
	if err != nil {
		return network{}, err
	}
	head := p.Sub("decode_head")
	if !c.HRDA.Enabled() {
		decoder, err := newDecoder(c, head, c.Decoder, encoder.Dims(), classes)
		return network{Segmentor: &model.Segmentor{Backbone: encoder, Head: decoder}, autocast: c.BFloat16()}, err
	}
	shared, err := newDecoder(c, head.Sub("head"), c.Decoder, encoder.Dims(), classes)
	if err != nil {
		return network{}, err
	}
	// The attention is a decoder of its own, with the pointwise fusion where
	// the shared one has a pyramid.
	kind, stride := c.Decoder, 4
	switch c.Decoder {
	case "daformer", "daformer-aspp":
		kind = "daformer-conv1"
	case "deeplabv2":
		stride = 8
	}
	attention, err := newDecoder(c, head.Sub("scale_attention"), kind, encoder.Dims(), classes)
	if err != nil {
		return network{}, err
	}
	h := model.NewHRDA(model.Segmentor{Backbone: encoder, Head: shared}, attention, c.HRDA.Crop, stride)
	return network{Segmentor: &h.Segmentor, hrda: h, autocast: c.BFloat16()}, nil
}

// forward is one pass at one scale. Features and the fused map may be
// bfloat16, logits are float32: what losses compute is.
func (n network) forward(x *torch.Tensor, m nn.Mode) (out model.Output) {
	x.Scope().Autocast(n.autocast, func() { out = n.Segmentor.Forward(x, n.mode(m)) })
	out.Logits = out.Logits.To(torch.Float32)
	return out
}

// newEncoder makes the encoder at p.
func newEncoder(c config.Network, p nn.Path) (model.Encoder, error) {
	if strings.HasPrefix(c.Encoder, "resnet") {
		r, err := model.ResNet(c.Encoder)
		if err != nil {
			return nil, fmt.Errorf("configuration: network.encoder: %w", err)
		}
		return model.NewResNet(p, r), nil
	}
	m := model.MiTConfig{}
	if c.Encoder == "mit" {
		if len(c.Dims) != 4 || len(c.Depths) != 4 {
			return nil, fmt.Errorf("configuration: network.dims is %v and network.depths %v, want four numbers each for encoder mit", c.Dims, c.Depths)
		}
		m.Dims, m.Depths = [4]int(c.Dims), [4]int(c.Depths)
	} else {
		var err error
		if m, err = model.MiT(c.Encoder); err != nil {
			return nil, fmt.Errorf("configuration: network.encoder: %w", err)
		}
	}
	m.DropPath = c.DropPath
	return model.NewMixTransformer(p, m)
}

// newDecoder makes a decoder of a kind at p, for an encoder's maps.
func newDecoder(c config.Network, p nn.Path, kind string, dims [4]int, classes int) (model.Decoder, error) {
	d := model.DAFormerConfig{Classes: classes, Channels: c.Channels, Dropout: c.Dropout}
	switch kind {
	case "daformer":
		return model.NewDAFormerHead(p, dims, d), nil
	case "daformer-aspp":
		d.Fusion = model.ASPP
		return model.NewDAFormerHead(p, dims, d), nil
	case "daformer-conv1":
		d.Fusion = model.Pointwise
		return model.NewDAFormerHead(p, dims, d), nil
	case "segformer":
		return model.NewSegFormerHead(p, dims, classes, c.Channels, c.Dropout), nil
	case "deeplabv2":
		return model.NewDeepLabV2Head(p, dims[3], classes), nil
	}
	return nil, fmt.Errorf("configuration: network.decoder is %q, want one of %q", kind, decoders)
}

// predict is the logits of whole images [N,3,H,W], at the images' size. At two
// scales no gradient passes. An image too small for the encoder, or at two
// scales one whose sides are no multiple of the logits' stride, is padded with
// the mean colour at its lower right, and the padding's logits are cut off.
func (n network) predict(x *torch.Tensor, m nn.Mode) *torch.Tensor {
	h, w := x.Dim(2), x.Dim(3)
	if ph, pw := n.padded(h), n.padded(w); ph > h || pw > w {
		x = x.Pad(0, 0, pw-w, 0, ph-h)
	}
	var logits *torch.Tensor
	if n.hrda != nil {
		x.Scope().Autocast(n.autocast, func() { logits = n.hrda.Forward(x, n.mode(m)).Logits })
	} else {
		logits = n.forward(x, m).Logits
	}
	return logits.To(torch.Float32).UpsampleBilinear(x.Dim(2), x.Dim(3), false).Narrow(2, 0, h).Narrow(3, 0, w)
}

// padded is the least side of an image, from length on, that the network can
// see.
func (n network) padded(length int) int {
	const least = 32 // the encoder's coarsest stride
	if n.hrda == nil {
		return max(length, least)
	}
	k := n.hrda.Multiple()
	return max((length+k-1)/k*k, 2*least)
}

// pass is what a training pass leaves for the losses.
type pass struct {
	logits   *torch.Tensor
	coarse   [4]*torch.Tensor // the features of the whole image
	fine     model.Output     // where there is detail: of the detail's box
	box      raster.Box       // the detail's, empty at one scale
	twoScale bool
	ranks    int // that share the batch
}

// train runs a training pass. box is the detail's, unused at one scale.
func (n network) train(x *torch.Tensor, box raster.Box) pass {
	if n.hrda == nil {
		out := n.forward(x, nn.Training)
		return pass{logits: out.Logits, coarse: out.Features, fine: out, ranks: n.group.Size()}
	}
	var out model.MultiScale
	x.Scope().Autocast(n.autocast, func() { out = n.hrda.ForwardCrop(x, box, n.mode(nn.Training)) })
	out.Detail.Logits = out.Detail.Logits.To(torch.Float32)
	return pass{logits: out.Logits.To(torch.Float32), coarse: out.Context.Features, fine: out.Detail, box: box, twoScale: true, ranks: n.group.Size()}
}

// supervise adds a pass's cross entropy to parts, and at two scales the
// detail's: this rank's share, as the mean is over equally many pixels on each.
func (p pass) supervise(parts map[string]*torch.Tensor, name string, label, weight *torch.Tensor, detailWeight float64) {
	if !p.twoScale {
		parts[name] = loss.CrossEntropy(p.logits, label, weight).Div(float64(p.ranks))
		return
	}
	whole, part := loss.MultiScale(p.logits, p.fine.Logits, label, weight, p.box, detailWeight)
	parts[name], parts[name+"_detail"] = whole.Div(float64(p.ranks)), part.Div(float64(p.ranks))
}

// shown is the part of an image of height×width that fine shows.
func (p pass) shown(height, width int) raster.Box {
	if p.twoScale {
		return p.box
	}
	return raster.Box{Y1: height, X1: width}
}

// backward carries gradients on through what a training pass left on the tape.
// It fails as s's operations do.
func (n network) backward(s *torch.Scope, retain bool) {
	if n.tape == nil {
		return
	}
	if err := n.tape.Backward(retain); err != nil {
		s.Fail("recompute", "%v", err)
	}
}

// reset forgets a training pass that failed.
func (n network) reset() {
	if n.tape != nil {
		n.tape.Reset()
	}
}
