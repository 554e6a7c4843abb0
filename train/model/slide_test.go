package model

import (
	"slices"
	"testing"

	"github.com/pipa-uda/pipa/fixtures/golden"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/torch/torchtest"
)

// TestSlideAveragesProbabilities: given a forward pass that ends in a softmax,
// [Slide] averages probabilities, as VFM-UDA's evaluation does.
func TestSlideAveragesProbabilities(t *testing.T) {
	torchtest.Golden(t, "vfm_slide", func(t *testing.T, s *torch.Scope, c *golden.Case) {
		golden.Fixed(c, "average", "softmax")
		size := golden.Param[[2]int](c, "resized_size")
		crop, stride := golden.Param[[2]int](c, "slide_crop"), golden.Param[[2]int](c, "slide_stride")
		logits, boxes := torchtest.Tensor(s, c, "window_logits"), c.Ints("boxes")
		at := 0
		scores := Slide(s.Zeros(torch.Float32, 1, 3, size[0], size[1]), crop, stride, 3, func(x *torch.Tensor) *torch.Tensor {
			n := x.Dim(0)
			at += n
			return logits.In(x.Scope()).Narrow(0, at-n, n).Softmax(1)
		})
		golden.Near(t, "scores", scores.Float32s(), c.Floats("scores"), 4e-6)
		if !slices.Equal(scores.Argmax(1, false).Int64s(), c.Ints("prediction")) {
			t.Error("the prediction differs")
		}
		for i, b := range Windows(size[0], size[1], crop, stride) {
			if w := boxes[4*i:]; b != (raster.Box{Y0: int(w[0]), Y1: int(w[1]), X0: int(w[2]), X1: int(w[3])}) {
				t.Errorf("window %d is %v, want %v", i, b, w[:4])
			}
		}
	})
}
