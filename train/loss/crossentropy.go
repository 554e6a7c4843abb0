package loss

import (
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/torch"
)

// CrossEntropy is mmseg's segmentation loss (mmseg/models/losses/
// cross_entropy_loss.py): logits [N,C,h,w] are resized to the label's size
// (bilinear), the per-pixel cross entropy, 0 where label [N,H,W] is 255, is
// multiplied by weight [N,H,W] (nil is 1), and the mean is over all pixels,
// ignored ones included.
func CrossEntropy(logits, label, weight *torch.Tensor) *torch.Tensor {
	pixels := resize(logits, label).LogSoftmax(1).NLLPixels(label, int(raster.Ignore))
	if weight != nil {
		pixels = pixels.Mul(weight)
	}
	return pixels.Mean()
}

// Accuracy is the percentage of pixels whose largest logit is their label's,
// of all pixels, ignored ones included (mmseg/models/losses/accuracy.py).
func Accuracy(logits, label *torch.Tensor) *torch.Tensor {
	return resize(logits, label).Argmax(1, false).Eq(label).To(torch.Float32).Mean().Mul(100)
}

func resize(logits, label *torch.Tensor) *torch.Tensor {
	h, w := label.Dim(-2), label.Dim(-1)
	if logits.Dim(2) == h && logits.Dim(3) == w {
		return logits
	}
	return logits.UpsampleBilinear(h, w, false)
}
