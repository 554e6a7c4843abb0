package model

import (
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
)

// HRDA sees an image at two scales (Hoyer et al., "HRDA", 2022; lhoyer/HRDA
// mmseg/models/segmentors/hrda_encoder_decoder.py and decode_heads/
// hrda_head.py): the whole at half size for context, a crop at full size for
// detail, with one encoder and one decoder, and class-wise attention that
// weighs the two. Its parameters are named backbone.*, decode_head.head.* and
// decode_head.scale_attention.*.
type HRDA struct {
	Segmentor // shared by both scales
	attention Decoder
	crop      [2]int // of the detail, in pixels of the full image
	stride    int    // of the decoder's logits
}

// The whole image is seen at this scale.
const contextScale = 0.5

// NewHRDA joins a network whose decoder lies under decode_head.head with the
// attention under decode_head.scale_attention. stride is that of the logits: 4
// for the DAFormer decoder, 8 for DeepLab-V2.
func NewHRDA(shared Segmentor, attention Decoder, crop [2]int, stride int) *HRDA {
	return &HRDA{shared, attention, crop, stride}
}

// WithCrop is the same network with a detail of another size.
func (h *HRDA) WithCrop(crop [2]int) *HRDA {
	out := *h
	out.crop = crop
	return &out
}

// MultiScale is what a forward pass at two scales leaves.
type MultiScale struct {
	Context, Detail Output        // each scale's own
	Attention       *torch.Tensor // of the detail, [N,classes,h,w] at the context's size, in 0 to 1
	Weighted        *torch.Tensor // the context's logits times what attention leaves them
	Logits          *torch.Tensor // fused, at the detail's size for the whole image
}

// CropBox draws the detail's place in an image: corners that are multiples of
// 8. The largest offset that fits is never drawn where it is one
// (get_crop_bbox).
func (h *HRDA) CropBox(height, width int, intN func(int) int) raster.Box {
	offset := func(length, crop int) int {
		const divisor = 8
		if length == crop {
			return 0
		}
		return intN(max((length-crop+1)/divisor, 1)) * divisor
	}
	y, x := offset(height, h.crop[0]), offset(width, h.crop[1])
	return raster.Box{Y0: y, X0: x, Y1: y + h.crop[0], X1: x + h.crop[1]}
}

// ForwardCrop is the pass of training: the detail is the box alone, and outside
// it the context speaks.
func (h *HRDA) ForwardCrop(x *torch.Tensor, box raster.Box, m nn.Mode) MultiScale {
	out := MultiScale{Context: h.Segmentor.Forward(h.Context(x), m)}
	out.Detail = h.Segmentor.Forward(cut(x, box).Contiguous(), m)
	out.Attention = h.attend(out.Context.Features, m)

	low := out.Context.Logits
	// The box on the context's logits.
	mask := low.Scope().Zeros(torch.Float32, 1, 1, low.Dim(2), low.Dim(3))
	cut(mask, shrink(box, HRDAMultiple(h.stride))).FillInPlace(1)
	attention := out.Attention.Mul(mask)
	out.Weighted = attention.Neg().Add(1).Mul(low)

	at := shrink(box, h.stride)
	inserted := out.Detail.Logits.Pad(0, at.X0, 2*low.Dim(3)-at.X1, at.Y0, 2*low.Dim(2)-at.Y1)
	out.Logits = attention.UpsampleBilinearBy(1 / contextScale).Mul(inserted).Add(out.Weighted.UpsampleBilinearBy(1 / contextScale))
	return out
}

// Forward is the pass of pseudo-labels and of inference: the detail of the
// whole image comes from overlapping windows. No gradient passes. Detail has
// logits alone.
func (h *HRDA) Forward(x *torch.Tensor, m nn.Mode) MultiScale {
	out := MultiScale{Context: h.Segmentor.Forward(h.Context(x), m)}
	boxes := Windows(x.Dim(2), x.Dim(3), h.crop, [2]int{h.crop[0] / 2, h.crop[1] / 2})
	windows := h.Segmentor.Forward(gather(x, boxes), m)
	out.Detail.Logits = scatter(windows.Logits, boxes, h.stride)
	out.Attention = h.attend(out.Context.Features, m)
	out.Weighted = out.Attention.Neg().Add(1).Mul(out.Context.Logits)
	out.Logits = out.Attention.UpsampleBilinearBy(1 / contextScale).Mul(out.Detail.Logits).Add(out.Weighted.UpsampleBilinearBy(1 / contextScale))
	return out
}

// HRDAMultiple is what an image's sides must be multiples of where the logits have
// this stride: the stride of the context's logits in the whole image, so that those
// of both scales meet.
func HRDAMultiple(stride int) int { return int(float64(stride) / contextScale) }

// Context is the whole image as HRDA sees it: at half its size.
func (h *HRDA) Context(x *torch.Tensor) *torch.Tensor { return x.UpsampleBilinearBy(contextScale) }

// attend is the attention of the detail, by class and pixel.
func (h *HRDA) attend(features []*torch.Tensor, m nn.Mode) *torch.Tensor {
	logits, _ := h.attention.Forward(features, m)
	return logits.Sigmoid()
}
