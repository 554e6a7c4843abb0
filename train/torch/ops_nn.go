package torch

import "math"

// Matrix products.

func (t *Tensor) Matmul(o *Tensor) *Tensor { return t.one("matmul", t, o) }

// Linear is x·weightᵀ + bias over the last dimension; bias may be nil.
func (t *Tensor) Linear(weight, bias *Tensor) *Tensor { return t.one("linear", t, weight, bias) }

// Conv2d convolves [N,C,H,W]; bias may be nil. Numbers apply to both axes.
func (t *Tensor) Conv2d(weight, bias *Tensor, stride, padding, dilation, groups int) *Tensor {
	return t.one("conv2d", t, weight, bias, []int{stride, stride}, []int{padding, padding}, []int{dilation, dilation}, groups)
}

// ConvTranspose2d is the transposed convolution of [N,C,H,W] without padding or
// bias; weight is [C,out,k,k].
func (t *Tensor) ConvTranspose2d(weight *Tensor, stride int) *Tensor {
	return t.one("conv_transpose2d.input", t, weight, nil, []int{stride, stride})
}

// BatchNorm normalizes each channel by the batch's statistics (training,
// updating the running ones) or by the running ones.
func (t *Tensor) BatchNorm(weight, bias, mean, variance *Tensor, training bool, momentum, eps float64) *Tensor {
	return t.one("batch_norm", t, weight, bias, mean, variance, training, momentum, eps, false)
}

// LayerNorm normalizes over the last dimension, of size n.
func (t *Tensor) LayerNorm(n int, weight, bias *Tensor, eps float64) *Tensor {
	return t.one("layer_norm", t, []int{n}, weight, bias, eps)
}

func (t *Tensor) Relu() *Tensor    { return t.one("relu", t) }
func (t *Tensor) Silu() *Tensor    { return t.one("silu", t) }
func (t *Tensor) Sigmoid() *Tensor { return t.one("sigmoid", t) }

// Gelu is exact, by the error function.
func (t *Tensor) Gelu() *Tensor { return t.one("gelu", t) }

// Attention is softmax(t·keysᵀ/√E)·values over the last two dimensions, of
// queries [..., L, E] and keys and values [..., S, E]: in one fused operator,
// which keeps no [L, S] weights, where libtorch has it (from 2.0).
func (t *Tensor) Attention(keys, values *Tensor) *Tensor {
	const fused = "scaled_dot_product_attention"
	if h, _ := t.scope.lib.find(fused); h != 0 {
		return t.one(fused, t, keys, values)
	}
	scale := 1 / math.Sqrt(float64(t.Dim(-1)))
	return t.Matmul(keys.Transpose(-2, -1)).Mul(scale).Softmax(-1).Matmul(values)
}

func (t *Tensor) Softmax(dim int) *Tensor    { return t.one("softmax.int", t, dim) }
func (t *Tensor) LogSoftmax(dim int) *Tensor { return t.one("log_softmax.int", t, dim) }

// Dropout zeroes elements, FeatureDropout whole channels, with probability p,
// and scales the rest by 1/(1-p); both from the default generator.

func (t *Tensor) Dropout(p float64) *Tensor        { return t.one("dropout", t, p, true) }
func (t *Tensor) FeatureDropout(p float64) *Tensor { return t.one("feature_dropout", t, p, true) }

func (t *Tensor) AvgPool2d(kernel, stride int) *Tensor {
	return t.one("avg_pool2d", t, []int{kernel, kernel}, []int{stride, stride})
}
func (t *Tensor) MaxPool2d(kernel, stride, padding int, ceil bool) *Tensor {
	return t.one("max_pool2d", t, []int{kernel, kernel}, []int{stride, stride}, []int{padding, padding}, []int{1, 1}, ceil)
}
func (t *Tensor) AdaptiveAvgPool2d(h, w int) *Tensor {
	return t.one("adaptive_avg_pool2d", t, []int{h, w})
}

// UpsampleBilinear resizes [N,C,H,W].
func (t *Tensor) UpsampleBilinear(h, w int, alignCorners bool) *Tensor {
	return t.one("upsample_bilinear2d", t, []int{h, w}, alignCorners)
}

// UpsampleBilinearBy resizes [N,C,H,W] by a factor, corners not aligned; the
// new size is rounded down.
func (t *Tensor) UpsampleBilinearBy(factor float64) *Tensor {
	return t.one("upsample_bilinear2d.vec", t, nil, false, []float64{factor, factor})
}

// UpsampleBicubicBy resizes [N,C,H,W] to h×w with coordinates by factors of their
// own, corners not aligned, a = -0.75 (torch.nn.functional.interpolate, given
// scale factors).
func (t *Tensor) UpsampleBicubicBy(h, w int, down, across float64) *Tensor {
	return t.one("upsample_bicubic2d", t, []int{h, w}, false, down, across)
}

// UpsampleBicubicAntialiased resizes [N,C,H,W], corners not aligned, a = -0.5,
// with a kernel that is as wide as an output cell where it shrinks.
func (t *Tensor) UpsampleBicubicAntialiased(h, w int) *Tensor {
	return t.one("_upsample_bicubic2d_aa", t, []int{h, w}, false)
}

// UpsampleNearest resizes [N,C,H,W], taking floor(i*in/out).
func (t *Tensor) UpsampleNearest(h, w int) *Tensor {
	return t.one("upsample_nearest2d", t, []int{h, w})
}

// Normalize divides by the Euclidean norm along dim, which counts as at least
// 1e-12 (torch.nn.functional.normalize).
func (t *Tensor) Normalize(dim int) *Tensor {
	return t.Div(t.NormDim(true, dim).ClampMin(1e-12))
}

// NLLPixels is the negative log-likelihood of [N,C,H,W] log-probabilities at
// the int64 classes [N,H,W], as [N,H,W]; 0 where the class is ignore.
func (t *Tensor) NLLPixels(classes *Tensor, ignore int) *Tensor {
	const reductionNone = 0
	return t.one("nll_loss2d", t, classes, nil, reductionNone, ignore)
}
