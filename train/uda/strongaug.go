package uda

import (
	"math"
	"math/rand/v2"

	"github.com/pipa-uda/pipa/train/torch"
)

// The ImageNet statistics that images are normalized by, on a scale of 0 to
// 255 (mmseg's img_norm_cfg).
var (
	Mean = [3]float64{123.675, 116.28, 103.53}
	Std  = [3]float64{58.395, 57.12, 57.375}
)

// StrongAugmentation says how the mixed images are disturbed (lhoyer/DAFormer
// mmseg/models/utils/dacs_transforms.py). A jitter of no strength is left out:
// its way through HSV and back would round.
type StrongAugmentation struct {
	Jitter       float64 // strength of brightness, contrast, saturation and hue, 0.2
	JitterChance float64 // 0.8
	BlurChance   float64 // 0.5
}

// Draws are the random choices of one batch. Whether to jitter and to blur is
// drawn for the batch, the factors for each image.
type Draws struct {
	Jitter, Blur bool
	Images       []ImageDraws
}

// ImageDraws are the choices for one image.
type ImageDraws struct {
	// Factors of brightness, contrast and saturation, around 1, and the shift
	// of the hue in turns, around 0.
	Factors [4]float64
	Order   [4]int  // the order they are applied in, by index into Factors
	Sigma   float64 // of the blur, in pixels, 0.15 to 1.15
}

// Draw makes the choices for n images.
func (a StrongAugmentation) Draw(n int, rng *rand.Rand) Draws {
	d := Draws{Jitter: rng.Float64() < a.JitterChance && a.Jitter > 0, Blur: rng.Float64() < a.BlurChance}
	for range n {
		var i ImageDraws
		for k := range i.Factors {
			i.Factors[k] = a.Jitter * (2*rng.Float64() - 1)
			if k < 3 {
				i.Factors[k]++
			}
		}
		copy(i.Order[:], rng.Perm(4))
		i.Sigma = 0.15 + rng.Float64()
		d.Images = append(d.Images, i)
	}
	return d
}

// Of are the draws of images first to first+n-1.
func (d Draws) Of(first, n int) Draws {
	d.Images = d.Images[first : first+n]
	return d
}

// Apply disturbs normalized images [N,3,H,W] by the draws.
func Apply(images *torch.Tensor, d Draws) *torch.Tensor {
	if !d.Jitter && !d.Blur {
		return images
	}
	out := make([]*torch.Tensor, len(d.Images))
	for i, draws := range d.Images {
		image := images.Narrow(0, i, 1)
		if d.Jitter {
			image = Jitter(image, draws.Factors, draws.Order)
		}
		if d.Blur {
			image = Blur(image, draws.Sigma)
		}
		out[i] = image
	}
	return torch.Cat(0, out...)
}

// channels is a [1,3,1,1] tensor on t's device.
func channels(s *torch.Scope, v [3]float64) *torch.Tensor {
	return s.FromFloat32([]float32{float32(v[0] / 255), float32(v[1] / 255), float32(v[2] / 255)}, 1, 3, 1, 1)
}

// Jitter changes the colors of normalized images [N,3,H,W] as kornia 0.5.8
// does on the scale of 0 to 1: brightness is added and contrast multiplied,
// both clamped; saturation and hue change in HSV, their input unclamped
// (kornia/enhance/adjust.py).
func Jitter(images *torch.Tensor, factors [4]float64, order [4]int) *torch.Tensor {
	mean, std := channels(images.Scope(), Mean), channels(images.Scope(), Std)
	x := images.Mul(std).Add(mean)
	for _, operation := range order {
		f := factors[operation]
		switch operation {
		case 0:
			x = x.Add(f-1).Clamp(0, 1)
		case 1:
			x = x.Mul(f).Clamp(0, 1)
		case 2:
			h, s, v := toHSV(x)
			x = fromHSV(h, s.Mul(f).Clamp(0, 1), v)
		case 3:
			h, s, v := toHSV(x)
			x = fromHSV(h.Add(f*2*math.Pi).Fmod(2*math.Pi), s, v)
		}
	}
	return x.Sub(mean).Div(std)
}

// toHSV splits [N,3,H,W] into hue in radians, saturation and value, each
// [N,H,W] (kornia/color/hsv.py, rgb_to_hsv).
func toHSV(rgb *torch.Tensor) (h, s, v *torch.Tensor) {
	const eps = 1e-6
	v, which := rgb.MaxDim(1, false)
	low, _ := rgb.Neg().MaxDim(1, false)
	delta := v.Add(low)
	s = delta.Div(v.Add(eps))
	delta = delta.MaskedFill(delta.Eq(0), 1)
	c := v.Unsqueeze(1).Sub(rgb)
	r, g, b := c.Select(1, 0), c.Select(1, 1), c.Select(1, 2)
	hues := torch.Stack(1, b.Sub(g), r.Sub(b).Add(delta.Mul(2)), g.Sub(r).Add(delta.Mul(4))).Div(delta.Unsqueeze(1))
	h = hues.Gather(1, which.Unsqueeze(1)).Squeeze(1).Div(6).Remainder(1).Mul(2 * math.Pi)
	return h, s, v
}

// fromHSV is toHSV's inverse (hsv_to_rgb).
func fromHSV(h, s, v *torch.Tensor) *torch.Tensor {
	h = h.Div(2 * math.Pi).Mul(6)
	sector := h.Floor().Remainder(6)
	f := h.Remainder(6).Sub(sector)
	p := v.Mul(s.Neg().Add(1))
	q := v.Mul(f.Mul(s).Neg().Add(1))
	t := v.Mul(f.Neg().Add(1).Mul(s).Neg().Add(1))
	return ofSextants(sector, v, p, q, t)
}

// ofSextants are the red, green and blue [N,3,H,W] of each pixel's sextant of the
// hue's circle, a whole number from 0 to 5 [N,H,W].
func ofSextants(sextant, v, p, q, t *torch.Tensor) *torch.Tensor {
	i := sextant.To(torch.Int64)
	all := torch.Stack(1, v, q, p, p, t, v, t, v, v, q, p, p, p, p, t, v, v, q)
	return all.Gather(1, torch.Stack(1, i, i.Add(6), i.Add(12)))
}

// Blur convolves normalized images [N,3,H,W] with a Gaussian whose kernel size
// follows from the image's, borders mirrored.
func Blur(images *torch.Tensor, sigma float64) *torch.Tensor {
	s := images.Scope()
	down, across := gaussian(KernelSize(images.Dim(2)), sigma), gaussian(KernelSize(images.Dim(3)), sigma)
	ry, rx := len(down)/2, len(across)/2
	x := images.PadReflect(rx, rx, ry, ry)
	repeated := func(k []float32, h, w int) *torch.Tensor { return s.FromFloat32(k, 1, 1, h, w).Repeat(3, 1, 1, 1) }
	x = x.Conv2d(repeated(down, len(down), 1), nil, 1, 0, 1, 3)
	return x.Conv2d(repeated(across, 1, len(across)), nil, 1, 0, 1, 3)
}

// KernelSize is the odd size of the blur's kernel along an axis of n pixels.
func KernelSize(n int) int {
	tenth := math.Ceil(0.1 * float64(n))
	return int(math.Floor(tenth - 0.5 + math.Mod(tenth, 2)))
}

// gaussian is a normalized kernel, cut where its weights fall below 1e-11 of
// the sum: beyond 7 pixels for the largest sigma in use.
func gaussian(size int, sigma float64) []float32 {
	radius := min(size/2, int(math.Ceil(7*sigma)))
	weights, sum := make([]float64, 2*radius+1), 0.0
	for i := range weights {
		d := float64(i - radius)
		weights[i] = math.Exp(-d * d / (2 * sigma * sigma))
		sum += weights[i]
	}
	out := make([]float32, len(weights))
	for i, w := range weights {
		out[i] = float32(w / sum)
	}
	return out
}
