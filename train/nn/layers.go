package nn

import (
	"math"

	"github.com/pipa-uda/pipa/train/torch"
)

// An Init fills a new parameter.
type Init func(t *torch.Tensor)

// Constant fills with one value.
func Constant(v float64) Init { return func(t *torch.Tensor) { t.FillInPlace(v) } }

// Normal draws from a normal distribution around 0.
func Normal(std float64) Init { return func(t *torch.Tensor) { t.NormalInPlace(0, std) } }

// Uniform draws from [-bound, bound).
func Uniform(bound float64) Init { return func(t *torch.Tensor) { t.UniformInPlace(-bound, bound) } }

// KaimingFanOut is He's normal initialization for ReLU by the fan-out (mmcv
// kaiming_init, the convolution modules of mmseg's heads).
func KaimingFanOut(kernel, out, groups int) Init {
	return Normal(math.Sqrt(2 / float64(kernel*kernel*out/groups)))
}

// DefaultConv is PyTorch's default for the weight of a square convolution,
// U(±1/√fan-in) of in channels.
func DefaultConv(in, kernel int) Init { return Uniform(1 / math.Sqrt(float64(in*kernel*kernel))) }

// Linear is a fully connected layer over the last dimension.
type Linear struct{ Weight, Bias *torch.Tensor }

// NewLinear makes a layer in → out. A nil init is PyTorch's default for both
// weight and bias, U(±1/√in); otherwise the bias starts at 0.
func NewLinear(p Path, in, out int, init Init) *Linear {
	bias := Constant(0)
	if init == nil {
		init = Uniform(1 / math.Sqrt(float64(in)))
		bias = init
	}
	return &Linear{p.Param("weight", init, out, in), p.Param("bias", bias, out)}
}

// Forward maps [..., in] to [..., out].
func (l *Linear) Forward(x *torch.Tensor) *torch.Tensor { return x.Linear(l.Weight, l.Bias) }

// Conv describes a square convolution. Zero values mean stride, dilation and
// groups of 1, no padding, no bias, and PyTorch's default initialization.
type Conv struct {
	Kernel, Stride, Padding, Dilation, Groups int
	Bias                                      bool
	Init                                      Init
}

// Conv2d is a convolution of [N,C,H,W].
type Conv2d struct {
	Weight, Bias *torch.Tensor
	conv         Conv
}

// NewConv2d makes a convolution in → out channels.
func NewConv2d(p Path, in, out int, c Conv) *Conv2d {
	c.Stride, c.Dilation, c.Groups = max(c.Stride, 1), max(c.Dilation, 1), max(c.Groups, 1)
	weight, bias := c.Init, Constant(0)
	if weight == nil {
		weight = DefaultConv(in/c.Groups, c.Kernel)
		bias = weight
	}
	l := &Conv2d{Weight: p.Param("weight", weight, out, in/c.Groups, c.Kernel, c.Kernel), conv: c}
	if c.Bias {
		l.Bias = p.Param("bias", bias, out)
	}
	return l
}

// Forward convolves.
func (l *Conv2d) Forward(x *torch.Tensor) *torch.Tensor {
	return x.Conv2d(l.Weight, l.Bias, l.conv.Stride, l.conv.Padding, l.conv.Dilation, l.conv.Groups)
}

// BatchNorm2d normalizes the channels of [N,C,H,W]; eps 1e-5, momentum 0.1.
type BatchNorm2d struct{ weight, bias, mean, variance, batches *torch.Tensor }

// NewBatchNorm2d makes a batch norm over n channels.
func NewBatchNorm2d(p Path, n int) *BatchNorm2d { return newBatchNorm2d(p, n, 1) }

// NewZeroBatchNorm2d makes one whose scale starts at 0, so that a residual
// branch that it ends begins as the identity.
func NewZeroBatchNorm2d(p Path, n int) *BatchNorm2d { return newBatchNorm2d(p, n, 0) }

func newBatchNorm2d(p Path, n int, scale float64) *BatchNorm2d {
	return &BatchNorm2d{
		p.Param("weight", Constant(scale), n), p.Param("bias", Constant(0), n),
		p.Buffer("running_mean", 0, torch.Float32, n), p.Buffer("running_var", 1, torch.Float32, n),
		p.Buffer("num_batches_tracked", 0, torch.Int64),
	}
}

// Forward normalizes by the batch's or the running statistics.
func (l *BatchNorm2d) Forward(x *torch.Tensor, m Mode) *torch.Tensor {
	mean, variance := l.mean, l.variance
	switch {
	case m.BatchStatistics && m.again:
		mean, variance = nil, nil
	case m.BatchStatistics:
		l.batches.AddInPlace(1)
	}
	if m.BatchStatistics && m.SyncBatchNorm && m.Group != nil {
		return l.together(x, mean, variance, m.Group)
	}
	return x.BatchNorm(l.weight, l.bias, mean, variance, m.BatchStatistics, momentum, eps)
}

const (
	momentum = 0.1
	eps      = 1e-5
)

// together normalizes by the statistics of all ranks' batches, which are
// equally large: the variance is the mean of theirs and the variance of their
// means (Chan et al., "Updating Formulae and a Pairwise Algorithm for Computing
// Sample Variances", 1979). running may be nil.
func (l *BatchNorm2d) together(x, runningMean, runningVariance *torch.Tensor, g *torch.Group) *torch.Tensor {
	dtype, c := x.DType(), x.Dim(1)
	x = x.To(torch.Float32)
	own := x.Scope().Call("var_mean.dim", x, []int{0, 2, 3}, false, false)
	zeros := func(ranks int) *torch.Tensor { return x.Scope().Zeros(torch.Float32, ranks, 2, c) }
	all := g.Sum(torch.Cat(0, zeros(g.Rank()), torch.Stack(0, own...).Unsqueeze(0), zeros(g.Size()-g.Rank()-1)))
	means, variances := all.Select(1, 1), all.Select(1, 0)
	mean := means.MeanDim(false, 0)
	variance := variances.Add(means.Sub(mean).Pow(2)).MeanDim(false, 0)
	if runningMean != nil {
		n := float64(x.Numel() / c * g.Size())
		runningMean.MulInPlace(1-momentum).AddScaledInPlace(mean.Detach(), momentum)
		runningVariance.MulInPlace(1-momentum).AddScaledInPlace(variance.Detach(), momentum*n/max(n-1, 1))
	}
	channels := func(t *torch.Tensor) *torch.Tensor { return t.Reshape(1, c, 1, 1) }
	scale := l.weight.Div(variance.Add(eps).Sqrt())
	return x.Sub(channels(mean)).Mul(channels(scale)).Add(channels(l.bias)).To(dtype)
}

// LayerNorm normalizes over the last dimension.
type LayerNorm struct {
	weight, bias *torch.Tensor
	n            int
	eps          float64
}

// NewLayerNorm makes a layer norm over n features.
func NewLayerNorm(p Path, n int, eps float64) *LayerNorm {
	return &LayerNorm{p.Param("weight", Constant(1), n), p.Param("bias", Constant(0), n), n, eps}
}

// Forward normalizes [..., n] in float32, as autocast does on a GPU; for the
// CPU, libtorch has no such rule.
func (l *LayerNorm) Forward(x *torch.Tensor) *torch.Tensor {
	return x.To(torch.Float32).LayerNorm(l.n, l.weight, l.bias, l.eps)
}

// DropPath drops whole residual branches, sample by sample, with probability p
// and scales the kept ones by 1/(1-p) (Huang et al., "Deep Networks with
// Stochastic Depth", 2016). x is [N, ...] of 3 dimensions.
func DropPath(x *torch.Tensor, p float64, m Mode) *torch.Tensor {
	if p == 0 || !m.Dropout {
		return x
	}
	return x.Mul(m.keep(x, p, 1, 1))
}

// ChannelDropout drops whole channels of [N,C,H,W] with probability p.
func ChannelDropout(x *torch.Tensor, p float64, m Mode) *torch.Tensor {
	if p == 0 || !m.Dropout {
		return x
	}
	return x.Mul(m.keep(x, p, x.Dim(1), 1, 1).To(x.DType()))
}

// keep draws for x's samples what is dropped, 0, and what is kept, 1/(1-p):
// [N, rest...]. The draws are made for the samples of all ranks, so that each
// sample gets the same whatever the number of ranks.
func (m Mode) keep(x *torch.Tensor, p float64, rest ...int) *torch.Tensor {
	views, ranks := max(m.Views, 1), m.Group.Size()
	n := x.Dim(0) / views
	all := x.Scope().Zeros(torch.Float32, append([]int{views, ranks, n}, rest...)...).BernoulliInPlace(1 - p).Div(1 - p)
	return all.Select(1, m.Group.Rank()).Reshape(append([]int{views * n}, rest...)...)
}
