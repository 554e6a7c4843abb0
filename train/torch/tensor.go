package torch

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"unsafe"
)

// DType is an element type; the values are c10::ScalarType's.
type DType int8

// The element types pipa uses.
const (
	Uint8    DType = 0
	Int32    DType = 3
	Int64    DType = 4
	Float16  DType = 5
	Float32  DType = 6
	Float64  DType = 7
	Bool     DType = 11
	BFloat16 DType = 15
)

func (d DType) String() string {
	switch d {
	case Uint8:
		return "uint8"
	case Int32:
		return "int32"
	case Int64:
		return "int64"
	case Float16:
		return "float16"
	case Float32:
		return "float32"
	case Float64:
		return "float64"
	case Bool:
		return "bool"
	case BFloat16:
		return "bfloat16"
	}
	return fmt.Sprintf("dtype(%d)", int8(d))
}

// Device is "cpu", "cuda" or "cuda:N".
type Device string

// CPU is the host.
const CPU Device = "cpu"

// A Tensor is a handle to a libtorch tensor. It belongs to a [Scope] and is
// freed at that scope's end; using it afterwards panics.
type Tensor struct {
	handle uintptr
	scope  *Scope
	keep   []byte // wrapped Go memory
}

// info mirrors pt_info.
type info struct {
	dtype, deviceType, deviceIndex, dims, requiresGrad, contiguous int32
	numel, elementBytes, data                                      int64
	sizes                                                          [8]int64
}

func (t *Tensor) live() uintptr {
	if t.handle == 0 {
		panic("torch: use of a tensor after its scope ended")
	}
	return t.handle
}

func (t *Tensor) describe() *info {
	i := &info{}
	e := &t.scope.buf.err
	if int32(t.scope.lib.invoke(t.scope.lib.fn.describe, t.live(), uintptr(unsafe.Pointer(i)), uintptr(unsafe.Pointer(e)), e.length())) < 0 {
		panic(&OpError{Op: "describe", Message: e.String()})
	}
	return i
}

// Scope is the scope t belongs to.
func (t *Tensor) Scope() *Scope { return t.scope }

// Shape is the size of each dimension.
func (t *Tensor) Shape() []int64 {
	i := t.describe()
	return slices.Clone(i.sizes[:i.dims])
}

// Dim is the size of dimension d; negative d counts from the last.
func (t *Tensor) Dim(d int) int {
	i := t.describe()
	if d < 0 {
		d += int(i.dims)
	}
	if d < 0 || d >= int(i.dims) {
		panic(&OpError{Op: "size", Shapes: []string{t.String()}, Message: fmt.Sprintf("no dimension %d", d)})
	}
	return int(i.sizes[d])
}

// Dims is the number of dimensions.
func (t *Tensor) Dims() int { return int(t.describe().dims) }

// Numel is the number of elements.
func (t *Tensor) Numel() int { return int(t.describe().numel) }

// DType is the element type.
func (t *Tensor) DType() DType { return DType(t.describe().dtype) }

// Device is where the elements lie.
func (t *Tensor) Device() Device {
	i := t.describe()
	switch i.deviceType {
	case 0:
		return CPU
	case 1:
		return Device(fmt.Sprintf("cuda:%d", i.deviceIndex))
	}
	return Device(fmt.Sprintf("device-%d:%d", i.deviceType, i.deviceIndex))
}

// RequiresGrad reports whether operations on t are recorded for autograd.
func (t *Tensor) RequiresGrad() bool { return t.describe().requiresGrad != 0 }

// String is t's type and shape, as in "float32[2 3]".
func (t *Tensor) String() string {
	i := t.describe()
	return fmt.Sprintf("%v%v", DType(i.dtype), i.sizes[:i.dims])
}

// In returns another handle to the same tensor, in scope s.
func (t *Tensor) In(s *Scope) *Tensor {
	out := s.adopt(s.lib.invoke(s.lib.fn.share, t.live()))
	out.keep = t.keep
	return out
}

// SetRequiresGrad marks a leaf for autograd and returns it.
func (t *Tensor) SetRequiresGrad(on bool) *Tensor {
	t.scope.check()
	e := &t.scope.buf.err
	t.must("set_requires_grad", int32(t.scope.lib.invoke(t.scope.lib.fn.setRequiresGrad, t.live(), boolWord(on), uintptr(unsafe.Pointer(e)), e.length())))
	return t
}

// Backward adds the gradients of the scalar t to the leaves it was computed
// from, and frees the graph.
func (t *Tensor) Backward() { t.backward(nil, false) }

// BackwardRetain is Backward, keeping the graph for another call.
func (t *Tensor) BackwardRetain() { t.backward(nil, true) }

// BackwardWith is Backward for a t of any shape, with cotangent of t's shape.
func (t *Tensor) BackwardWith(cotangent *Tensor) { t.backward(cotangent, false) }

func (t *Tensor) backward(cotangent *Tensor, retain bool) {
	var c uintptr
	if cotangent != nil {
		c = cotangent.live()
	}
	e := &t.scope.buf.err
	t.must("backward", int32(t.scope.lib.invoke(t.scope.lib.fn.backward, t.live(), c, boolWord(retain), uintptr(unsafe.Pointer(e)), e.length())))
}

// Grad is the gradient accumulated in a leaf, as a handle in scope s, or nil
// where there is none yet.
func (t *Tensor) Grad(s *Scope) *Tensor {
	e := &t.scope.buf.err
	e.b[0] = 0
	h := t.scope.lib.invoke(t.scope.lib.fn.grad, t.live(), uintptr(unsafe.Pointer(e)), e.length())
	if h == 0 {
		if e.b[0] != 0 {
			t.must("grad", -1)
		}
		return nil
	}
	return s.adopt(h)
}

// SetGrad replaces a leaf's gradient; nil clears it.
func (t *Tensor) SetGrad(grad *Tensor) {
	var g uintptr
	if grad != nil {
		g = grad.live()
	}
	e := &t.scope.buf.err
	t.must("set_grad", int32(t.scope.lib.invoke(t.scope.lib.fn.setGrad, t.live(), g, uintptr(unsafe.Pointer(e)), e.length())))
}

func (t *Tensor) must(op string, code int32) {
	if code < 0 {
		message := t.scope.buf.err.String() // before String reuses the buffer
		panic(&OpError{Op: op, Shapes: []string{t.String()}, Message: message})
	}
}

// Bytes copies t's elements, row-major, in their own representation.
func (t *Tensor) Bytes() []byte {
	i := t.describe()
	out := make([]byte, i.numel*i.elementBytes)
	t.copyOut(unsafe.Pointer(unsafe.SliceData(out)), len(out))
	return out
}

func (t *Tensor) copyOut(to unsafe.Pointer, n int) {
	t.scope.lib.waits.Add(1)
	e := &t.scope.buf.err
	code := int32(t.scope.lib.invoke(t.scope.lib.fn.copyOut, t.live(), uintptr(to), uintptr(n), uintptr(unsafe.Pointer(e)), e.length()))
	runtime.KeepAlive(to)
	t.must("copy to host", code)
}

// Float32s copies t's elements, row-major, converted to float32.
func (t *Tensor) Float32s() []float32 { return elements[float32](t, Float32) }

// Float64s copies t's elements, row-major, converted to float64.
func (t *Tensor) Float64s() []float64 { return elements[float64](t, Float64) }

// Int64s copies t's elements, row-major, converted to int64.
func (t *Tensor) Int64s() []int64 { return elements[int64](t, Int64) }

func elements[E float32 | float64 | int64](t *Tensor, dtype DType) []E {
	out := make([]E, t.Numel())
	if len(out) == 0 {
		return out
	}
	var e E
	copyTo := func(t *Tensor) { t.copyOut(unsafe.Pointer(&out[0]), len(out)*int(unsafe.Sizeof(e))) }
	if t.DType() == dtype {
		copyTo(t)
		return out
	}
	if err := t.scope.NoGrad(func(s *Scope) error {
		copyTo(t.In(s).To(dtype))
		return nil
	}); err != nil {
		panic(err)
	}
	return out
}

// Item is the one element of t as a float64. It waits for the device.
func (t *Tensor) Item() float64 {
	v := t.Float64s()
	if len(v) != 1 {
		panic(&OpError{Op: "item", Shapes: []string{t.String()}, Message: "not a single element"})
	}
	return v[0]
}

// FromFloat32 copies data into a new tensor of the given shape on the scope's
// device, as [Tensor.Upload] does; data may change afterwards.
func (s *Scope) FromFloat32(data []float32, shape ...int) *Tensor {
	return s.from(unsafe.Pointer(unsafe.SliceData(data)), len(data), Float32, shape)
}

// FromFloat64 is FromFloat32 for float64.
func (s *Scope) FromFloat64(data []float64, shape ...int) *Tensor {
	return s.from(unsafe.Pointer(unsafe.SliceData(data)), len(data), Float64, shape)
}

// FromInt64 is FromFloat32 for int64.
func (s *Scope) FromInt64(data []int64, shape ...int) *Tensor {
	return s.from(unsafe.Pointer(unsafe.SliceData(data)), len(data), Int64, shape)
}

// FromUint8 is FromFloat32 for bytes.
func (s *Scope) FromUint8(data []byte, shape ...int) *Tensor {
	return s.from(unsafe.Pointer(unsafe.SliceData(data)), len(data), Uint8, shape)
}

// FromBytes copies the row-major representation of a tensor of any type.
func (s *Scope) FromBytes(data []byte, dtype DType, shape ...int) *Tensor {
	size := map[DType]int{Uint8: 1, Bool: 1, Float16: 2, BFloat16: 2, Int32: 4, Float32: 4, Int64: 8, Float64: 8}[dtype]
	if size == 0 || len(data)%size != 0 {
		panic(&OpError{Op: "from bytes", Message: fmt.Sprintf("%d bytes are not a whole number of %v", len(data), dtype)})
	}
	return s.from(unsafe.Pointer(unsafe.SliceData(data)), len(data)/size, dtype, shape)
}

func (s *Scope) from(data unsafe.Pointer, n int, dtype DType, shape []int) *Tensor {
	var out *Tensor
	if err := s.NoGrad(func(c *Scope) error {
		t := c.blob(data, n, dtype, shape)
		if s.device == CPU {
			t = t.Clone()
		} else {
			t = t.Upload()
		}
		out = t.In(s)
		return nil
	}); err != nil {
		panic(err)
	}
	runtime.KeepAlive(data)
	return out
}

// Wrap makes a uint8 tensor over pix without copying. pix must not be changed
// while the tensor, or a view of it, is in use; the scope keeps it alive.
func (s *Scope) Wrap(pix []byte, shape ...int) *Tensor {
	t := s.blob(unsafe.Pointer(unsafe.SliceData(pix)), len(pix), Uint8, shape)
	t.keep = pix
	return t
}

// Upload is a tensor in this machine's memory on the scope's device: on a GPU a
// copy that comes from pinned memory, on a stream of its own, while the host goes
// on; on the CPU the tensor itself. What t wraps may change afterwards only in the
// first case.
func (t *Tensor) Upload() *Tensor {
	s := t.scope
	e, device := &s.buf.err, cString(string(s.device))
	h := s.lib.invoke(s.lib.fn.upload, t.live(), uintptr(unsafe.Pointer(&device[0])), uintptr(unsafe.Pointer(e)), e.length())
	runtime.KeepAlive(device)
	if h == 0 {
		panic(&OpError{Op: "upload", Shapes: []string{t.String()}, Message: e.String()})
	}
	out := s.adopt(h)
	out.keep = t.keep
	return out
}

func (s *Scope) blob(data unsafe.Pointer, n int, dtype DType, shape []int) *Tensor {
	sizes, want := make([]int64, max(len(shape), 1)), 1
	for i, d := range shape {
		sizes[i] = int64(d)
		want *= d
	}
	if want != n {
		panic(&OpError{Op: "from memory", Message: fmt.Sprintf("%d elements do not fill shape %v", n, shape)})
	}
	e := &s.buf.err
	h := s.lib.invoke(s.lib.fn.fromBlob, uintptr(data), uintptr(unsafe.Pointer(&sizes[0])), uintptr(len(shape)), uintptr(dtype), uintptr(unsafe.Pointer(e)), e.length())
	runtime.KeepAlive(sizes)
	if h == 0 {
		panic(&OpError{Op: "from memory", Message: e.String()})
	}
	return s.adopt(h)
}

// Equal reports whether two tensors have the same shape and elements.
func (t *Tensor) Equal(o *Tensor) bool {
	return slices.Equal(t.Shape(), o.Shape()) && slices.Equal(t.Float64s(), o.Float64s())
}

// Format lists small tensors' elements, for failure messages.
func Format(t *Tensor) string {
	var b strings.Builder
	b.WriteString(t.String())
	for i, v := range t.Float64s() {
		if i == 32 {
			b.WriteString(" …")
			break
		}
		if v == math.Trunc(v) {
			fmt.Fprintf(&b, " %d", int64(v))
		} else {
			fmt.Fprintf(&b, " %.6g", v)
		}
	}
	return b.String()
}

// Free ends a tensor before its scope does, for those that a long-lived scope
// replaces again and again.
func (t *Tensor) Free() {
	s := t.scope
	handle := []int64{int64(t.live())}
	if i := slices.Index(s.tensors, t); i >= 0 {
		s.tensors = slices.Delete(s.tensors, i, i+1)
	}
	t.handle = 0
	s.lib.invoke(s.lib.fn.free, uintptr(unsafe.Pointer(&handle[0])), 1)
	runtime.KeepAlive(handle)
}
