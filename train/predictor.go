package train

import (
	"fmt"

	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/model"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
)

// Inference says how a network sees an image that it segments. The zero value
// shows it the whole image once, at its own size.
type Inference struct {
	Resize [2]int `json:"resize"` // the image is scaled to fit [height, width], keeping its ratio; zero keeps it
	Window [2]int `json:"window"` // [height, width] of a sliding window over that; zero shows the whole at once
	Stride [2]int `json:"stride"` // the windows lie this far apart
	Batch  int    `json:"batch"`  // windows in work at once; 0 means 1
	// Scales and Flip are test-time augmentation: the image is seen at each
	// scale times Resize, and mirrored too. Empty scales mean 1 alone.
	Scales []float64 `json:"scales"`
	Flip   bool      `json:"flip"`
}

// Inference is how the configuration has a network scored.
func (c EvalConfig) Inference() Inference {
	return Inference{Resize: c.Resize, Window: c.Window, Stride: c.Stride}
}

// Validate names the field that is out of range.
func (i Inference) Validate() error {
	both := func(s [2]int) bool { return s == [2]int{} || s[0] > 0 && s[1] > 0 }
	switch {
	case !both(i.Resize):
		return fmt.Errorf("inference: resize is %v, want a height and a width, or zeros", i.Resize)
	case !both(i.Window):
		return fmt.Errorf("inference: window is %v, want a height and a width, or zeros", i.Window)
	case i.Window[0] > 0 && (i.Stride[0] < 1 || i.Stride[1] < 1 || i.Stride[0] > i.Window[0] || i.Stride[1] > i.Window[1]):
		return fmt.Errorf("inference: stride is %v, want 1 to the window's %v, so that the windows cover the image", i.Stride, i.Window)
	case i.Batch < 0:
		return fmt.Errorf("inference: batch is %d, want 1 or more", i.Batch)
	}
	for _, s := range i.Scales {
		if !(s > 0 && s <= 8) {
			return fmt.Errorf("inference: a scale is %v, want more than 0, up to 8", s)
		}
	}
	return nil
}

// size is that of an image of h×w at a scale.
func (i Inference) size(h, w int, scale float64) (fh, fw int) {
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

// A predictor segments images, of any size, with one network. Scoring,
// prediction and the scores during a run are made by it.
type predictor struct {
	net network
	how Inference
}

// scores are the probabilities of the classes in an image, [1,C,H,W] float32 at
// the image's own size. As in mmsegmentation 0.x, logits are resized to that
// size before the softmax, a mirrored image's probabilities are mirrored back,
// and those of all scales and of both sides are averaged (mmseg/models/
// segmentors/encoder_decoder.py, inference and aug_test; mmseg/datasets/
// pipelines/test_time_aug.py). It holds about four such tensors at a time,
// whatever the number of windows and scales. It wants a scope without
// gradients.
func (p predictor) scores(s *torch.Scope, image raster.Raster) *torch.Tensor {
	h, w := image.Height(), image.Width()
	scales, sides := p.how.Scales, []bool{false}
	if len(scales) == 0 {
		scales = []float64{1}
	}
	if p.how.Flip {
		sides = []bool{false, true}
	}
	var sum *torch.Tensor
	for _, scale := range scales {
		seen := image
		if fh, fw := p.how.size(h, w, scale); fh != h || fw != w {
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
func (p predictor) pass(s *torch.Scope, image raster.Raster, mirrored bool, h, w int) *torch.Tensor {
	x := normalize(s.Wrap(image.Pix(), 1, image.Height(), image.Width(), 3))
	if mirrored {
		x = x.Flip(3)
	}
	logits := func(x *torch.Tensor) *torch.Tensor { return p.net.predict(x, nn.Scoring) }
	var y *torch.Tensor
	if p.how.Window[0] > 0 {
		y = model.Slide(x, p.how.Window, p.how.Stride, max(p.how.Batch, 1), logits)
	} else {
		y = s.Tidy(func(c *torch.Scope) *torch.Tensor { return logits(x.In(c)) })
	}
	y = y.UpsampleBilinear(h, w, false).Softmax(1)
	if mirrored {
		y = y.Flip(3)
	}
	return y
}
