package torch

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

// Device is "cpu", "cuda" or "cuda:N".
type Device string

// CPU is the host.
const CPU Device = "cpu"

// A Tensor is a handle to a libtorch tensor. It belongs to a [Scope] and is
// freed at that scope's end. An operation's result joins the youngest scope
// among its operands; an in-place operation returns its receiver.
//
// Operations unwind to the nearest enclosing Run with an *OpError where
// libtorch refuses them, so code between reads like the formula.
type Tensor struct {
	handle uintptr
	scope  *Scope
}
