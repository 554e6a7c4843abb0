package infer

import (
	"errors"
	"fmt"

	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/model"
	"github.com/pipa-uda/pipa/train/network"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
)

// size is that of an image of h×w at a scale.
func size(i config.Inference, h, w int, scale float64) (fh, fw int) {
	fit := i.Resize
	if fit == [2]int{} {
		fit = [2]int{h, w}
	}
	for k := range fit {
		fit[k] = int(float64(fit[k]) * scale)
	}
	fh, fw = augment.FitSize(h, w, fit)
	return max(fh, 1), max(fw, 1)
}

// A Predictor segments images, of any size, with one network. Scoring,
// prediction and the scores during a run are made by it.
type Predictor struct {
	Net *network.Network
	How config.Inference

	piece int // pixels in one piece; 0 means the constant
}

// scales are the ratios at which an image is seen.
func (p Predictor) scales() []float64 {
	if len(p.How.Scales) == 0 {
		return []float64{1}
	}
	return p.How.Scales
}

// sides are those from which an image is seen: false is as it is, true mirrored.
func (p Predictor) sides() []bool {
	if p.How.Flip {
		return []bool{false, true}
	}
	return []bool{false}
}

// scores are the probabilities of the classes in an image, [1,C,H,W] float32 at
// the image's own size. As in mmsegmentation 0.x, logits are resized to that
// size before the softmax, a mirrored image's probabilities are mirrored back,
// and those of all scales and of both sides are averaged (mmseg/models/
// segmentors/encoder_decoder.py, inference and aug_test; mmseg/datasets/
// pipelines/test_time_aug.py). It holds about four such tensors at a time,
// whatever the number of windows and scales. It wants a scope without
// gradients.
func (p Predictor) scores(s *torch.Scope, image raster.Raster) *torch.Tensor {
	h, w := image.Height(), image.Width()
	scales, sides := p.scales(), p.sides()
	var sum *torch.Tensor
	for _, scale := range scales {
		seen := image
		if fh, fw := size(p.How, h, w, scale); fh != h || fw != w {
			seen = augment.ResizeBilinear(image, fh, fw, raster.Box{Y1: fh, X1: fw})
		}
		for _, mirrored := range sides {
			pass := s.Tidy(func(c *torch.Scope) *torch.Tensor { return p.pass(c, seen, mirrored, h, w) })
			if sum == nil {
				sum = pass
				continue
			}
			sum.AddInPlace(pass)
			pass.Free()
		}
	}
	if n := len(scales) * len(sides); n > 1 {
		sum.DivInPlace(n)
	}
	return sum
}

// pass is the probabilities of one look at an image, at h×w.
func (p Predictor) pass(s *torch.Scope, image raster.Raster, mirrored bool, h, w int) *torch.Tensor {
	x := normalized(s, image, 0, image.Height(), mirrored)
	logits := func(x *torch.Tensor) *torch.Tensor { return p.Net.Predict(x, nn.Scoring) }
	var y *torch.Tensor
	if p.How.Window[0] > 0 {
		y = model.Slide(x, p.How.Window, p.How.Stride, max(p.How.Batch, 1), logits)
	} else {
		y = s.Tidy(func(c *torch.Scope) *torch.Tensor { return logits(x.In(c)) })
	}
	y = y.UpsampleBilinear(h, w, false).Softmax(1)
	if mirrored {
		y = y.Flip(3)
	}
	return y
}

// A MemoryError says that an image, seen as it is to be, needs more memory than
// the device has.
type MemoryError struct {
	Height, Width int // of the image
	Err           *torch.OpError
}

func (e *MemoryError) Error() string {
	return fmt.Sprintf("%v\nan image of %dx%d needs more memory than there is", e.Err, e.Width, e.Height)
}
func (e *MemoryError) Unwrap() error { return e.Err }

// tooLarge makes an error a [MemoryError] where it is one.
func tooLarge(image raster.Raster, err error) error {
	if op := (*torch.OpError)(nil); errors.As(err, &op) && op.OutOfMemory() {
		return &MemoryError{image.Height(), image.Width(), op}
	}
	return err
}
