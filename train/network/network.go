package network

import (
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/loss"
	"github.com/pipa-uda/pipa/train/model"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/weights/safetensors"
)

// A Network is a student or a teacher. Features and fused maps may be bfloat16,
// logits are float32: what losses compute is.
type Network struct {
	*model.Segmentor
	scales   scales
	shape    model.Shape
	geometry config.Geometry
	bfloat16 bool         // where that is safe
	tape     *nn.Tape     // of training passes; nil keeps their activations
	group    *torch.Group // the ranks that share a batch
	sync     bool         // batch norms have the statistics of all of them
}

// scales is the form of a network: how it puts together what its segmentor sees.
type scales interface {
	// train is a pass of training; detail is the box that [scales.detail] drew.
	train(n *Network, x *torch.Tensor, detail raster.Box) Pass
	// predict is the logits of whole images, of sides that pad chose, at any size.
	predict(n *Network, x *torch.Tensor, m nn.Mode) *torch.Tensor
	// pad is the least side of an image, from length on, that can be predicted.
	pad(n *Network, length int) int
	// decoded is what the whole network decodes crops to, and ending its channels
	// and stride.
	decoded(n *Network, x *torch.Tensor, m nn.Mode) *torch.Tensor
	ending(n *Network) (channels, stride int)

	detail(height, width int, intN func(int) int) raster.Box
	whole(x *torch.Tensor) *torch.Tensor
	withDetail(crop [2]int) scales
}

// A Pass is what a pass of training leaves for the losses.
type Pass struct {
	Features []*torch.Tensor // of the whole image, which [Network.Whole] shows
	// Closest is the closest look at the image, of the part in the box Shown: of
	// all of it at one scale, of the detail at two.
	Closest model.Output
	Shown   raster.Box

	supervise func(name string, label, weight *torch.Tensor) []loss.Term
}

// Supervise is the pass's cross entropy with label [N,H,W], each pixel times its
// weight [N,H,W], or 1 where that is nil: this rank's share, as the mean is over
// equally many pixels on each. At two scales the detail has a term of its own.
func (p Pass) Supervise(name string, label, weight *torch.Tensor) []loss.Term {
	return p.supervise(name, label, weight)
}

// Train is a pass of training of normalized images [N,3,H,W]. detail is what
// [Network.Detail] drew for them.
func (n *Network) Train(x *torch.Tensor, detail raster.Box) Pass { return n.scales.train(n, x, detail) }

// Detail draws what a pass of training sees in detail; at one scale that is
// nothing in particular.
func (n *Network) Detail(height, width int, intN func(int) int) raster.Box {
	return n.scales.detail(height, width, intN)
}

// WithDetail is the same network with a detail of another size.
func (n *Network) WithDetail(crop [2]int) *Network {
	out := *n
	out.scales = n.scales.withDetail(crop)
	return &out
}

// Whole is whole images as the encoder sees them for [Pass.Features].
func (n *Network) Whole(x *torch.Tensor) *torch.Tensor { return n.scales.whole(x) }

// Forward is one look at images, at their own scale.
func (n *Network) Forward(x *torch.Tensor, m nn.Mode) (out model.Output) {
	n.Autocast(x, func() { out = n.Segmentor.Forward(x, n.Mode(m)) })
	out.Logits = out.Logits.To(torch.Float32)
	return out
}

// Predict is the logits of whole images [N,3,H,W], at the images' size. At two
// scales no gradient passes. An image that is too small, or at two scales one whose
// sides are not multiples of what it takes for them to meet, is padded with the mean
// color at its lower right, and the padding's logits are cut off.
func (n *Network) Predict(x *torch.Tensor, m nn.Mode) *torch.Tensor {
	h, w := x.Dim(2), x.Dim(3)
	if ph, pw := n.scales.pad(n, h), n.scales.pad(n, w); ph > h || pw > w {
		x = x.Pad(0, 0, pw-w, 0, ph-h)
	}
	return n.scales.predict(n, x, m).To(torch.Float32).UpsampleBilinear(x.Dim(2), x.Dim(3), false).Narrow(2, 0, h).Narrow(3, 0, w)
}

// Decoded is what the whole network decodes crops to, [N,channels,h,w] as
// [Network.Ending] says: at one scale the fused map; at two, each of which has a
// fused map of its own, the logits of both.
func (n *Network) Decoded(x *torch.Tensor, m nn.Mode) *torch.Tensor { return n.scales.decoded(n, x, m) }

// Ending is the channels and the stride of what [Network.Decoded] gives.
func (n *Network) Ending() (channels, stride int) { return n.scales.ending(n) }

// Shape is the encoder's.
func (n *Network) Shape() model.Shape { return n.shape }

// Stride is that of the decoder's maps.
func (n *Network) Stride() int { return n.geometry.Stride }

// Multiple is what the sides of images to train on are multiples of.
func (n *Network) Multiple() int { return n.geometry.Multiple }

// Mode is m with what the network adds to it.
func (n *Network) Mode(m nn.Mode) nn.Mode {
	if m.Dropout {
		m.Tape = n.tape
	}
	m.Group, m.SyncBatchNorm = n.group, n.sync
	return m
}

// Autocast calls f, whose operations join x's scope, in the network's precision.
func (n *Network) Autocast(x *torch.Tensor, f func()) { x.Scope().Autocast(n.bfloat16, f) }

// Join makes the network one of those of a group, which share each batch.
func (n *Network) Join(g *torch.Group) { n.group = g }

// Recomputes reports whether a part of a pass's graph is made anew by
// [Network.Backward].
func (n *Network) Recomputes() bool { return n.tape != nil }

// Backward carries gradients on through what a pass of training has yet to compute
// again; with retain it can be called once more. It fails as s's operations do.
func (n *Network) Backward(s *torch.Scope, retain bool) {
	if n.tape == nil {
		return
	}
	if err := n.tape.Backward(retain); err != nil {
		s.Fail("recompute", "%v", err)
	}
}

// Reset forgets a pass of training that failed.
func (n *Network) Reset() {
	if n.tape != nil {
		n.tape.Reset()
	}
}

// parts are what the names of a network's parameters begin with. What else a
// student has are heads of its losses, which only training needs.
var parts = []string{"backbone.", "decode_head."}

// Parts are what the names of a network's parameters begin with.
func Parts() []string { return slices.Clone(parts) }

// IsHead reports whether a student's parameter is one of a loss, not of its network.
func IsHead(name string) bool {
	return !slices.ContainsFunc(parts, func(p string) bool { return strings.HasPrefix(name, p) })
}

// Load sets a network's parameters, all that store has, from a file of a student
// or a teacher, and passes over the heads of losses.
func Load(store *nn.Store, f *safetensors.File) error { return store.Load(f.Only(parts...)) }
