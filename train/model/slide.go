package model

import (
	"slices"

	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/torch"
)

// Windows are the boxes of a sliding window over an image of this size: rows of
// boxes stride apart, the last of each shifted back inside. A window larger
// than the image is cut to it. All boxes have one size (mmseg 0.x,
// EncoderDecoder.slide_inference).
func Windows(height, width int, crop, stride [2]int) []raster.Box {
	starts := func(length, crop, stride int) []int {
		n := max(length-crop+stride-1, 0)/stride + 1
		at := make([]int, n)
		for i := range at {
			at[i] = max(min(i*stride+crop, length)-crop, 0)
		}
		return at
	}
	var boxes []raster.Box
	for _, y := range starts(height, crop[0], stride[0]) {
		for _, x := range starts(width, crop[1], stride[1]) {
			boxes = append(boxes, raster.Box{Y0: y, X0: x, Y1: min(y+crop[0], height), X1: min(x+crop[1], width)})
		}
	}
	return boxes
}

// cut takes a box out of [N,C,H,W].
func cut(x *torch.Tensor, b raster.Box) *torch.Tensor {
	return x.Narrow(2, b.Y0, b.Y1-b.Y0).Narrow(3, b.X0, b.X1-b.X0)
}

// shrink divides a box's corners, rounding down.
func shrink(b raster.Box, by int) raster.Box {
	return raster.Box{Y0: b.Y0 / by, X0: b.X0 / by, Y1: b.Y1 / by, X1: b.X1 / by}
}

// gather cuts boxes out of [N,C,H,W] into one batch, box by box.
func gather(x *torch.Tensor, boxes []raster.Box) *torch.Tensor {
	var parts []*torch.Tensor
	for _, b := range boxes {
		parts = append(parts, cut(x, b))
	}
	return torch.Cat(0, parts...)
}

// scatter averages the logits of the boxes that gather cut, which lie at
// 1/stride of them, where they overlap.
func scatter(logits *torch.Tensor, boxes []raster.Box, stride int) *torch.Tensor {
	m := newMosaic(logits.Scope(), boxes, stride, logits.Dim(0)/len(boxes), logits.Dim(1))
	m.add(logits, boxes)
	return m.mean()
}

// A mosaic averages the logits of boxes where they overlap.
type mosaic struct {
	sum, count *torch.Tensor // [N,C,H,W] and [1,1,H,W], float32
	stride     int           // the logits lie at 1/stride of the boxes
}

// newMosaic is empty, in scope s, for boxes of n images of which the last
// reaches the lower right corner.
func newMosaic(s *torch.Scope, boxes []raster.Box, stride, n, channels int) mosaic {
	last := shrink(boxes[len(boxes)-1], stride)
	return mosaic{s.Zeros(torch.Float32, n, channels, last.Y1, last.X1), s.Zeros(torch.Float32, 1, 1, last.Y1, last.X1), stride}
}

// add adds the logits of some boxes, box by box.
func (m mosaic) add(logits *torch.Tensor, boxes []raster.Box) {
	n := m.sum.Dim(0)
	for i, b := range boxes {
		b = shrink(b, m.stride)
		cut(m.sum, b).AddInPlace(logits.Narrow(0, i*n, n).To(torch.Float32))
		cut(m.count, b).AddInPlace(1)
	}
}

func (m mosaic) mean() *torch.Tensor { return m.sum.DivInPlace(m.count) }

// Slide predicts an image [N,3,H,W] larger than the network is trained on:
// forward maps windows [windows*N,3,h,w], up to batch windows at a time, to
// logits of their size, which are averaged where windows overlap. What a batch
// leaves is freed before the next. It is for inference; no gradient passes.
func Slide(x *torch.Tensor, crop, stride [2]int, batch int, forward func(*torch.Tensor) *torch.Tensor) *torch.Tensor {
	boxes := Windows(x.Dim(2), x.Dim(3), crop, stride)
	s := x.Scope()
	var m mosaic
	for some := range slices.Chunk(boxes, batch) {
		err := s.Run(func(c *torch.Scope) error {
			logits := forward(gather(x.In(c), some))
			if m.sum == nil {
				m = newMosaic(s, boxes, 1, x.Dim(0), logits.Dim(1))
			}
			m.add(logits, some)
			return nil
		})
		if err != nil {
			panic(err) // an *OpError, on its way to the Run around
		}
	}
	return m.mean()
}
