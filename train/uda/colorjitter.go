package uda

import "github.com/pipa-uda/pipa/train/torch"

// ColorJitter changes the colors of images [N,3,H,W] on the scale of 0 to 1 as
// torchvision 0.14 does on tensors (torchvision/transforms/functional_tensor.py):
// brightness, contrast and saturation blend with black, with the image's mean
// gray, and with each pixel's own; the hue shifts by turns, around HSV's circle.
// The operations come in order, by index into factors. It is not [Jitter], whose
// rules are kornia's.
func ColorJitter(images *torch.Tensor, factors [4]float64, order [4]int) *torch.Tensor {
	return images.Scope().Tidy(func(c *torch.Scope) *torch.Tensor {
		x := images.In(c)
		for _, operation := range order {
			f := factors[operation]
			switch operation {
			case 0:
				x = x.Mul(f).Clamp(0, 1)
			case 1:
				x = blend(x, gray(x).MeanDim(true, 1, 2, 3), f)
			case 2:
				x = blend(x, gray(x), f)
			case 3:
				x = shiftHue(x, f)
			}
		}
		return x
	})
}

// blend is factor·x + (1-factor)·other, inside 0 to 1.
func blend(x, other *torch.Tensor, factor float64) *torch.Tensor {
	return x.Mul(factor).Add(other.Mul(1-factor)).Clamp(0, 1)
}

// gray is the luma of [N,3,H,W], as [N,1,H,W].
func gray(x *torch.Tensor) *torch.Tensor {
	return x.Narrow(1, 0, 1).Mul(0.2989).Add(x.Narrow(1, 1, 1).Mul(0.587)).Add(x.Narrow(1, 2, 1).Mul(0.114))
}

// shiftHue goes to HSV and back, with hues on a circle of 1.
func shiftHue(x *torch.Tensor, turns float64) *torch.Tensor {
	r, g, b := x.Select(1, 0), x.Select(1, 1), x.Select(1, 2)
	high, _ := x.MaxDim(1, false)
	low, _ := x.Neg().MaxDim(1, false)
	spread := high.Add(low)
	flat := spread.Eq(0)
	s := spread.Div(high.MaskedFill(flat, 1))
	divisor := spread.MaskedFill(flat, 1)
	rc, gc, bc := high.Sub(r).Div(divisor), high.Sub(g).Div(divisor), high.Sub(b).Div(divisor)
	isR, isG := high.Eq(r), high.Eq(g)
	h := isR.Where(bc.Sub(gc), isG.Where(rc.Add(2).Sub(bc), gc.Add(4).Sub(rc)))
	h = h.Div(6).Add(1).Fmod(1).Add(turns).Remainder(1)

	sextant := h.Mul(6).Floor()
	f := h.Mul(6).Sub(sextant)
	v := high
	p := v.Mul(s.Neg().Add(1)).Clamp(0, 1)
	q := v.Mul(s.Mul(f).Neg().Add(1)).Clamp(0, 1)
	t := v.Mul(s.Mul(f.Neg().Add(1)).Neg().Add(1)).Clamp(0, 1)
	return ofSextants(sextant.Remainder(6), v, p, q, t)
}
