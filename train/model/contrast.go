package model

import (
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
)

// PixelProjection is PiPa's projection of encoder features for the pixel
// contrast (chen742/PiPa mmseg/models/segmentors/projection.py). Its
// parameters are named proj_head.*.
type PixelProjection struct {
	conv1, conv2 *nn.Conv2d
	bn           *nn.BatchNorm2d
}

// NewPixelProjection makes a projection of an encoder's joined maps to dim.
func NewPixelProjection(root nn.Path, s Shape, dim int) *PixelProjection {
	p := root.Sub("proj_head").Sub("proj")
	width := s.Width()
	return &PixelProjection{
		conv1: nn.NewConv2d(p.At(0), width, width, nn.Conv{Kernel: 1, Bias: true}),
		bn:    nn.NewBatchNorm2d(p.At(1).At(0), width),
		conv2: nn.NewConv2d(p.At(2), width, dim, nn.Conv{Kernel: 1, Bias: true}),
	}
}

// Forward maps JoinFeatures' map to unit vectors [N,dim,h,w].
func (h *PixelProjection) Forward(joined *torch.Tensor, m nn.Mode) *torch.Tensor {
	return h.conv2.Forward(h.bn.Forward(h.conv1.Forward(joined), m).Relu()).Normalize(1)
}

// JoinFeatures resizes an encoder's maps to the first one's size (bilinear,
// align_corners as in mmseg/models/segmentors/encoder_decoder.py of PiPa) and
// concatenates their channels.
func JoinFeatures(features []*torch.Tensor) *torch.Tensor {
	h, w := features[0].Dim(2), features[0].Dim(3)
	maps := []*torch.Tensor{features[0]}
	for _, f := range features[1:] {
		maps = append(maps, f.UpsampleBilinear(h, w, true))
	}
	return torch.Cat(1, maps...)
}

// PixelClassifier is the head whose argmax the released code takes for the
// prediction when it tells hard anchors from easy ones. No loss reaches it.
// Its parameters are named cls_head.*.
type PixelClassifier struct {
	Dropout      float64 // of channels before the last convolution; 0.1 as published
	conv1, conv2 *nn.Conv2d
	bn           *nn.BatchNorm2d
}

// NewPixelClassifier makes the head for an encoder's joined maps.
func NewPixelClassifier(root nn.Path, s Shape, classes int) *PixelClassifier {
	p := root.Sub("cls_head")
	width := s.Width()
	return &PixelClassifier{
		Dropout: 0.1,

		conv1: nn.NewConv2d(p.At(0), width, width, nn.Conv{Kernel: 3, Padding: 1, Bias: true}),
		bn:    nn.NewBatchNorm2d(p.At(1).At(0), width),
		conv2: nn.NewConv2d(p.At(3), width, classes, nn.Conv{Kernel: 1}),
	}
}

// Forward maps JoinFeatures' map to logits [N,classes,h,w].
func (h *PixelClassifier) Forward(joined *torch.Tensor, m nn.Mode) *torch.Tensor {
	return h.conv2.Forward(nn.ChannelDropout(h.bn.Forward(h.conv1.Forward(joined), m).Relu(), h.Dropout, m))
}

// PatchProjection is PiPa's projection of a decoder map for the patch contrast
// (chen742/PiPa mmseg/models/uda/dacs.py, self.project). Its parameters are
// named project.*.
type PatchProjection struct{ conv1, conv2 *nn.Conv2d }

// NewPatchProjection makes a projection of in channels to dim.
func NewPatchProjection(root nn.Path, in, dim int) *PatchProjection {
	p := root.Sub("project")
	return &PatchProjection{
		nn.NewConv2d(p.At(0), in, in, nn.Conv{Kernel: 1, Bias: true}),
		nn.NewConv2d(p.At(2), in, dim, nn.Conv{Kernel: 1, Bias: true}),
	}
}

// Forward maps [N,in,h,w] to unit vectors [N,dim,h,w].
func (h *PatchProjection) Forward(x *torch.Tensor) *torch.Tensor {
	return h.conv2.Forward(h.conv1.Forward(x).Relu()).Normalize(1)
}
