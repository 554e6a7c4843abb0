package model

import (
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/train/torch"
)

// Windows are the boxes of a sliding window over an image of this size: rows of
// boxes stride apart, the last of each shifted back inside. A window larger
// than the image is cut to it. All boxes have one size (mmseg 0.x,
// EncoderDecoder.slide_inference).
func Windows(height, width int, crop, stride [2]int) []pipeline.Box {
	starts := func(length, crop, stride int) []int {
		n := max(length-crop+stride-1, 0)/stride + 1
		at := make([]int, n)
		for i := range at {
			at[i] = max(min(i*stride+crop, length)-crop, 0)
		}
		return at
	}
	var boxes []pipeline.Box
	for _, y := range starts(height, crop[0], stride[0]) {
		for _, x := range starts(width, crop[1], stride[1]) {
			boxes = append(boxes, pipeline.Box{Y0: y, X0: x, Y1: min(y+crop[0], height), X1: min(x+crop[1], width)})
		}
	}
	return boxes
}

// cut takes a box out of [N,C,H,W].
func cut(x *torch.Tensor, b pipeline.Box) *torch.Tensor {
	return x.Narrow(2, b.Y0, b.Y1-b.Y0).Narrow(3, b.X0, b.X1-b.X0)
}

// shrink divides a box's corners, rounding down.
func shrink(b pipeline.Box, by int) pipeline.Box {
	return pipeline.Box{Y0: b.Y0 / by, X0: b.X0 / by, Y1: b.Y1 / by, X1: b.X1 / by}
}

// gather cuts boxes out of [N,C,H,W] into one batch, box by box.
func gather(x *torch.Tensor, boxes []pipeline.Box) *torch.Tensor {
	var parts []*torch.Tensor
	for _, b := range boxes {
		parts = append(parts, cut(x, b))
	}
	return torch.Cat(0, parts...)
}

// scatter averages the logits of the boxes that gather cut, which lie at
// 1/stride of them, where they overlap.
func scatter(logits *torch.Tensor, boxes []pipeline.Box, stride int) *torch.Tensor {
	n := logits.Dim(0) / len(boxes)
	last := shrink(boxes[len(boxes)-1], stride)
	s := logits.Scope()
	sum, count := s.Zeros(torch.Float32, n, logits.Dim(1), last.Y1, last.X1), s.Zeros(torch.Float32, 1, 1, last.Y1, last.X1)
	for i, b := range boxes {
		b = shrink(b, stride)
		cut(sum, b).AddInPlace(logits.Narrow(0, i*n, n).To(torch.Float32))
		cut(count, b).AddInPlace(1)
	}
	return sum.Div(count)
}

// Slide predicts an image larger than the network is trained on: forward maps
// windows [windows*N,3,h,w] to logits of their size, which are averaged where
// windows overlap. It is for inference; no gradient passes.
func Slide(x *torch.Tensor, crop, stride [2]int, forward func(*torch.Tensor) *torch.Tensor) *torch.Tensor {
	boxes := Windows(x.Dim(2), x.Dim(3), crop, stride)
	return scatter(forward(gather(x, boxes)), boxes, 1)
}
