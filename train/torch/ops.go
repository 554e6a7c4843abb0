package torch

// The methods here and in ops_nn.go name one ATen operator each; PyTorch's
// documentation of the same name describes it. Dimensions may be negative,
// counting from the last.

func (t *Tensor) one(name string, args ...any) *Tensor {
	t.live()
	return t.scope.Call(name, args...)[0]
}

func (t *Tensor) inPlace(name string, args ...any) *Tensor {
	t.scope.CallInPlace(name, args...)
	return t
}

// overload picks the operator's overload for a tensor or a number.
func overload(name string, o any) string {
	if _, ok := o.(*Tensor); ok {
		return name + ".Tensor"
	}
	return name + ".Scalar"
}

// Arithmetic and comparison; o is a *Tensor, int or float64, and broadcasts.

func (t *Tensor) Add(o any) *Tensor { return t.one(overload("add", o), t, o) }
func (t *Tensor) Sub(o any) *Tensor { return t.one(overload("sub", o), t, o) }
func (t *Tensor) Mul(o any) *Tensor { return t.one(overload("mul", o), t, o) }
func (t *Tensor) Div(o any) *Tensor { return t.one(overload("div", o), t, o) }
func (t *Tensor) Eq(o any) *Tensor  { return t.one(overload("eq", o), t, o) }
func (t *Tensor) Ne(o any) *Tensor  { return t.one(overload("ne", o), t, o) }
func (t *Tensor) Lt(o any) *Tensor  { return t.one(overload("lt", o), t, o) }
func (t *Tensor) Le(o any) *Tensor  { return t.one(overload("le", o), t, o) }
func (t *Tensor) Gt(o any) *Tensor  { return t.one(overload("gt", o), t, o) }
func (t *Tensor) Ge(o any) *Tensor  { return t.one(overload("ge", o), t, o) }

// Remainder has the sign of o, Fmod that of t.
func (t *Tensor) Remainder(o any) *Tensor { return t.one(overload("remainder", o), t, o) }
func (t *Tensor) Fmod(o any) *Tensor      { return t.one(overload("fmod", o), t, o) }

// In-place arithmetic returns its receiver.

func (t *Tensor) AddInPlace(o any) *Tensor { return t.inPlace(overload("add_", o), t, o) }
func (t *Tensor) SubInPlace(o any) *Tensor { return t.inPlace(overload("sub_", o), t, o) }
func (t *Tensor) MulInPlace(o any) *Tensor { return t.inPlace(overload("mul_", o), t, o) }
func (t *Tensor) DivInPlace(o any) *Tensor { return t.inPlace(overload("div_", o), t, o) }

func (t *Tensor) AddScaledInPlace(o *Tensor, alpha float64) *Tensor {
	return t.inPlace("add_.Tensor", t, o, alpha)
}
func (t *Tensor) LerpInPlace(end *Tensor, weight float64) *Tensor {
	return t.inPlace("lerp_.Scalar", t, end, weight)
}
func (t *Tensor) AddCMulInPlace(a, b *Tensor, value float64) *Tensor {
	return t.inPlace("addcmul_", t, a, b, value)
}
func (t *Tensor) AddCDivInPlace(a, b *Tensor, value float64) *Tensor {
	return t.inPlace("addcdiv_", t, a, b, value)
}
func (t *Tensor) CopyInPlace(from *Tensor) *Tensor { return t.inPlace("copy_", t, from) }
func (t *Tensor) FillInPlace(v float64) *Tensor    { return t.inPlace("fill_.Scalar", t, v) }
func (t *Tensor) ZeroInPlace() *Tensor             { return t.inPlace("zero_", t) }

// Elementwise functions.

func (t *Tensor) Neg() *Tensor          { return t.one("neg", t) }
func (t *Tensor) Abs() *Tensor          { return t.one("abs", t) }
func (t *Tensor) Exp() *Tensor          { return t.one("exp", t) }
func (t *Tensor) Log() *Tensor          { return t.one("log", t) }
func (t *Tensor) Sqrt() *Tensor         { return t.one("sqrt", t) }
func (t *Tensor) Floor() *Tensor        { return t.one("floor", t) }
func (t *Tensor) Pow(e float64) *Tensor { return t.one("pow.Tensor_Scalar", t, e) }
func (t *Tensor) Clamp(lo, hi float64) *Tensor {
	return t.one("clamp", t, lo, hi)
}
func (t *Tensor) ClampMin(lo float64) *Tensor  { return t.one("clamp_min", t, lo) }
func (t *Tensor) Maximum(o *Tensor) *Tensor    { return t.one("maximum", t, o) }
func (t *Tensor) Minimum(o *Tensor) *Tensor    { return t.one("minimum", t, o) }
func (t *Tensor) LogicalAnd(o *Tensor) *Tensor { return t.one("logical_and", t, o) }
func (t *Tensor) LogicalOr(o *Tensor) *Tensor  { return t.one("logical_or", t, o) }
func (t *Tensor) LogicalNot() *Tensor          { return t.one("logical_not", t) }
func (t *Tensor) IsFinite() *Tensor            { return t.one("isfinite", t) }

// Where takes a where t, a mask, is true, and b elsewhere.
func (t *Tensor) Where(a, b *Tensor) *Tensor { return t.one("where.self", t, a, b) }

// Reductions. Sum, Mean, Max, All and Any reduce everything to one element.

func (t *Tensor) Sum() *Tensor  { return t.one("sum", t) }
func (t *Tensor) Mean() *Tensor { return t.one("mean", t) }
func (t *Tensor) Max() *Tensor  { return t.one("max", t) }
func (t *Tensor) Min() *Tensor  { return t.one("min", t) }
func (t *Tensor) All() *Tensor  { return t.one("all", t) }
func (t *Tensor) Any() *Tensor  { return t.one("any", t) }
func (t *Tensor) SumDim(keep bool, dims ...int) *Tensor {
	return t.one("sum.dim_IntList", t, dims, keep)
}
func (t *Tensor) MeanDim(keep bool, dims ...int) *Tensor {
	return t.one("mean.dim", t, dims, keep)
}
func (t *Tensor) MaxDim(dim int, keep bool) (values, indices *Tensor) {
	r := t.scope.Call("max.dim", t, dim, keep)
	return r[0], r[1]
}
func (t *Tensor) Argmax(dim int, keep bool) *Tensor { return t.one("argmax", t, dim, keep) }
func (t *Tensor) LogSumExp(dim int, keep bool) *Tensor {
	return t.one("logsumexp", t, []int{dim}, keep)
}
func (t *Tensor) CumSum(dim int) *Tensor { return t.one("cumsum", t, dim) }

// Norm is the Euclidean norm of all elements, NormDim along dimensions.
func (t *Tensor) Norm() *Tensor { return t.one("linalg_vector_norm", t) }
func (t *Tensor) NormDim(keep bool, dims ...int) *Tensor {
	return t.one("linalg_vector_norm", t, 2, dims, keep)
}

// BinCount counts the values 0..n-1 of an integer vector; there may be larger
// ones, which lengthen the result.
func (t *Tensor) BinCount(n int) *Tensor { return t.one("bincount", t, nil, n) }

// TopK returns the k largest elements along dim, descending.
func (t *Tensor) TopK(k, dim int) (values, indices *Tensor) {
	r := t.scope.Call("topk", t, k, dim)
	return r[0], r[1]
}

// Sort orders along dim, equal elements in the order they have.
func (t *Tensor) Sort(dim int, descending bool) (values, indices *Tensor) {
	r := t.scope.Call("sort.stable", t, true, dim, descending)
	return r[0], r[1]
}

// Shape. View-like operations share memory with their receiver.

func (t *Tensor) View(shape ...int) *Tensor    { return t.one("view", t, shape) }
func (t *Tensor) Reshape(shape ...int) *Tensor { return t.one("reshape", t, shape) }
func (t *Tensor) Flatten(start, end int) *Tensor {
	return t.one("flatten.using_ints", t, start, end)
}
func (t *Tensor) Permute(dims ...int) *Tensor   { return t.one("permute", t, dims) }
func (t *Tensor) Transpose(a, b int) *Tensor    { return t.one("transpose.int", t, a, b) }
func (t *Tensor) Contiguous() *Tensor           { return t.one("contiguous", t) }
func (t *Tensor) Unsqueeze(dim int) *Tensor     { return t.one("unsqueeze", t, dim) }
func (t *Tensor) Squeeze(dim int) *Tensor       { return t.one("squeeze.dim", t, dim) }
func (t *Tensor) Expand(shape ...int) *Tensor   { return t.one("expand", t, shape) }
func (t *Tensor) Select(dim, index int) *Tensor { return t.one("select.int", t, dim, index) }
func (t *Tensor) Flip(dims ...int) *Tensor      { return t.one("flip", t, dims) }
func (t *Tensor) Repeat(repeats ...int) *Tensor { return t.one("repeat", t, repeats) }
func (t *Tensor) Roll(shift, dim int) *Tensor   { return t.one("roll", t, []int{shift}, []int{dim}) }
func (t *Tensor) Unbind(dim int) []*Tensor      { return t.scope.Call("unbind.int", t, dim) }
func (t *Tensor) Chunk(n, dim int) []*Tensor    { return t.scope.Call("chunk", t, n, dim) }
func (t *Tensor) Split(size, dim int) []*Tensor { return t.scope.Call("split.Tensor", t, size, dim) }

// Narrow is elements start up to, not including, start+length of dim.
func (t *Tensor) Narrow(dim, start, length int) *Tensor {
	return t.one("narrow", t, dim, start, length)
}

// Slice is every step-th element from start up to, not including, end of dim.
func (t *Tensor) Slice(dim, start, end, step int) *Tensor {
	return t.one("slice.Tensor", t, dim, start, end, step)
}

// Pad adds value around the last dimensions: left, right, top, bottom, …
func (t *Tensor) Pad(value float64, amounts ...int) *Tensor {
	return t.one("constant_pad_nd", t, amounts, value)
}

// PadReflect mirrors [N,C,H,W] at its borders without repeating them.
func (t *Tensor) PadReflect(left, right, top, bottom int) *Tensor {
	return t.one("reflection_pad2d", t, []int{left, right, top, bottom})
}

// Cat joins along an existing dimension, Stack along a new one.

func Cat(dim int, ts ...*Tensor) *Tensor   { return ts[0].one("cat", ts, dim) }
func Stack(dim int, ts ...*Tensor) *Tensor { return ts[0].one("stack", ts, dim) }

// Indexing. Index tensors are int64; masks are bool.

// Index picks elements by one index or mask per leading dimension; nil takes
// all of a dimension.
func (t *Tensor) Index(indices ...*Tensor) *Tensor { return t.one("index.Tensor", t, indices) }

// IndexPutInPlace writes values where Index would read.
func (t *Tensor) IndexPutInPlace(values *Tensor, indices ...*Tensor) *Tensor {
	return t.inPlace("index_put_", t, indices, values)
}
func (t *Tensor) IndexSelect(dim int, index *Tensor) *Tensor {
	return t.one("index_select", t, dim, index)
}
func (t *Tensor) Gather(dim int, index *Tensor) *Tensor { return t.one("gather", t, dim, index) }
func (t *Tensor) ScatterAdd(dim int, index, values *Tensor) *Tensor {
	return t.one("scatter_add", t, dim, index, values)
}
func (t *Tensor) MaskedSelect(mask *Tensor) *Tensor { return t.one("masked_select", t, mask) }
func (t *Tensor) MaskedFill(mask *Tensor, v float64) *Tensor {
	return t.one("masked_fill.Scalar", t, mask, v)
}

// NonZero is the coordinates of the elements that are not 0, one a row.
func (t *Tensor) NonZero() *Tensor { return t.one("nonzero", t) }

// OneHot turns [...] of int64 into [..., classes].
func (t *Tensor) OneHot(classes int) *Tensor { return t.one("one_hot", t, classes) }

// Type, device, autograd.

func (t *Tensor) To(dtype DType) *Tensor { return t.one("to.dtype", t, dtype) }
func (t *Tensor) ToDevice(d Device) *Tensor {
	return t.one("to.dtype_layout", t, nil, nil, string(d))
}
func (t *Tensor) Detach() *Tensor { return t.one("detach", t) }
func (t *Tensor) Clone() *Tensor  { return t.one("clone", t) }

// New tensors of a type on the scope's device.

func (s *Scope) create(name string, args ...any) *Tensor { return s.Call(name, args...)[0] }

func (s *Scope) Zeros(dtype DType, shape ...int) *Tensor {
	return s.create("zeros", shape, dtype, nil, string(s.device))
}
func (s *Scope) Ones(dtype DType, shape ...int) *Tensor {
	return s.create("ones", shape, dtype, nil, string(s.device))
}
func (s *Scope) Full(v float64, dtype DType, shape ...int) *Tensor {
	return s.create("full", shape, v, dtype, nil, string(s.device))
}
func (s *Scope) Arange(n int, dtype DType) *Tensor {
	return s.create("arange", n, dtype, nil, string(s.device))
}

// Randn draws from the standard normal, Rand from [0, 1), both float32 from
// the default generator (see [Lib.Seed]).

func (s *Scope) Randn(shape ...int) *Tensor {
	return s.create("randn", shape, Float32, nil, string(s.device))
}
func (s *Scope) Rand(shape ...int) *Tensor {
	return s.create("rand", shape, Float32, nil, string(s.device))
}

// ZerosLike and OnesLike have t's type, shape and device.

func (t *Tensor) ZerosLike() *Tensor         { return t.one("zeros_like", t) }
func (t *Tensor) OnesLike() *Tensor          { return t.one("ones_like", t) }
func (t *Tensor) FullLike(v float64) *Tensor { return t.one("full_like", t, v) }

// NormalInPlace and UniformInPlace refill t from the default generator.

func (t *Tensor) NormalInPlace(mean, std float64) *Tensor {
	return t.inPlace("normal_", t, mean, std)
}
func (t *Tensor) UniformInPlace(from, to float64) *Tensor {
	return t.inPlace("uniform_", t, from, to)
}

// BernoulliInPlace refills t with 1 (probability p) and 0.
func (t *Tensor) BernoulliInPlace(p float64) *Tensor { return t.inPlace("bernoulli_.float", t, p) }
