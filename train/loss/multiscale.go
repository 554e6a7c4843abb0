package loss

import (
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/torch"
)

// MultiScale is HRDA's supervision (Hoyer et al., 2022, eq. 9; lhoyer/HRDA
// mmseg/models/decode_heads/hrda_head.py, losses): cross entropy of the fused
// logits times 1-λ, and of the detail's logits on its box times λ. label is
// [N,H,W] and weight nil or [N,H,W], both of the whole image.
func MultiScale(fused, detail, label, weight *torch.Tensor, box raster.Box, lambda float64) (whole, part *torch.Tensor) {
	whole = CrossEntropy(fused, label, weight).Mul(1 - lambda)
	crop := func(t *torch.Tensor) *torch.Tensor {
		if t == nil {
			return nil
		}
		return t.Narrow(1, box.Y0, box.Y1-box.Y0).Narrow(2, box.X0, box.X1-box.X0).Contiguous()
	}
	return whole, CrossEntropy(detail, crop(label), crop(weight)).Mul(lambda)
}
