package torch

import (
	"fmt"
	"math"
	"runtime"
	"unsafe"
)

// The tags of adapter/pipatorch.h.
const (
	tagNone = iota
	tagTensor
	tagInt
	tagDouble
	tagBool
	tagIntList
	tagDoubleList
	tagTensorList
	tagString
)

// The flags of pt_call.
const (
	flagGrad     = 1
	flagDiscard  = 2
	flagAutocast = 4
)

type value struct {
	tag, count int32
	payload    int64
}

const maxResults = 256

// callBuffer holds one call's arguments and results. It is reused by all calls
// of one goroutine, and on the heap so that addresses into it stay.
type callBuffer struct {
	args    []value
	ints    []int64
	doubles []float64
	chars   []byte
	out     [maxResults]value
	err     errorText
}

func newCallBuffer() *callBuffer {
	return &callBuffer{args: make([]value, 0, 32), ints: make([]int64, 0, 256), doubles: make([]float64, 0, 32), chars: make([]byte, 0, 64)}
}

// Call runs any ATen operator by its schema name without "aten::", as in
// "conv2d" or "add.Tensor". Arguments follow the schema's order; trailing ones
// may be left out where it has defaults. They may be nil, *Tensor, int, int64,
// float64, bool, string, []int, []int64, []float64, []*Tensor (nil elements are
// absent tensors), DType and Device. The results are the tensors the operator
// returns, in the youngest scope among s and the operands' scopes.
func (s *Scope) Call(name string, args ...any) []*Tensor {
	owner, n := s.invoke(name, 0, args)
	out := make([]*Tensor, n)
	for i, v := range s.buf.out[:n] {
		switch v.tag {
		case tagTensor:
			out[i] = owner.adopt(uintptr(v.payload))
		case tagNone:
		default:
			panic(&OpError{Op: name, Message: fmt.Sprintf("result %d is not a tensor", i)})
		}
	}
	return out
}

// CallInPlace is Call for an operator that changes its operands: its results,
// being the operands, are dropped.
func (s *Scope) CallInPlace(name string, args ...any) { s.invoke(name, flagDiscard, args) }

// invoke runs an operator and leaves its n results in the call buffer. owner is
// the youngest scope among s and the operands'.
func (s *Scope) invoke(name string, flags uintptr, args []any) (owner *Scope, n int) {
	s.check()
	b := s.buf
	b.args, b.ints, b.doubles, b.chars = b.args[:0], b.ints[:0], b.doubles[:0], b.chars[:0]
	owner = s
	for _, a := range args {
		owner = b.push(name, a, owner)
	}
	op := s.lib.op(name)
	if owner.grad {
		flags |= flagGrad
	}
	if owner.autocast {
		flags |= flagAutocast
	}
	r := int32(s.lib.invoke(s.lib.fn.call, op, uintptr(unsafe.Pointer(unsafe.SliceData(b.args))), uintptr(len(b.args)),
		uintptr(unsafe.Pointer(unsafe.SliceData(b.ints))), uintptr(unsafe.Pointer(unsafe.SliceData(b.doubles))), uintptr(unsafe.Pointer(unsafe.SliceData(b.chars))),
		flags, uintptr(unsafe.Pointer(&b.out[0])), maxResults, uintptr(unsafe.Pointer(&b.err)), b.err.length()))
	runtime.KeepAlive(b)
	if r < 0 {
		message := b.err.String() // before describing the operands reuses the buffer
		panic(&OpError{Op: name, Shapes: describeOperands(args), Message: message})
	}
	return owner, int(r)
}

// push appends one argument and returns the younger of owner and the scopes of
// the tensors in it.
func (b *callBuffer) push(name string, arg any, owner *Scope) *Scope {
	switch a := arg.(type) {
	case nil:
		b.args = append(b.args, value{})
	case *Tensor:
		if a == nil {
			b.args = append(b.args, value{})
			break
		}
		b.args = append(b.args, value{tag: tagTensor, payload: int64(a.live())})
		owner = younger(owner, a.scope)
	case int:
		b.args = append(b.args, value{tag: tagInt, payload: int64(a)})
	case int64:
		b.args = append(b.args, value{tag: tagInt, payload: a})
	case DType:
		b.args = append(b.args, value{tag: tagInt, payload: int64(a)})
	case float64:
		b.args = append(b.args, value{tag: tagDouble, payload: int64(math.Float64bits(a))})
	case float32:
		b.args = append(b.args, value{tag: tagDouble, payload: int64(math.Float64bits(float64(a)))})
	case bool:
		v := value{tag: tagBool}
		if a {
			v.payload = 1
		}
		b.args = append(b.args, v)
	case string:
		b.args = append(b.args, value{tagString, int32(len(a)), int64(len(b.chars))})
		b.chars = append(b.chars, a...)
	case Device:
		return b.push(name, string(a), owner)
	case []int:
		b.args = append(b.args, value{tagIntList, int32(len(a)), int64(len(b.ints))})
		for _, v := range a {
			b.ints = append(b.ints, int64(v))
		}
	case []int64:
		b.args = append(b.args, value{tagIntList, int32(len(a)), int64(len(b.ints))})
		b.ints = append(b.ints, a...)
	case []float64:
		b.args = append(b.args, value{tagDoubleList, int32(len(a)), int64(len(b.doubles))})
		b.doubles = append(b.doubles, a...)
	case []*Tensor:
		b.args = append(b.args, value{tagTensorList, int32(len(a)), int64(len(b.ints))})
		for _, t := range a {
			if t == nil {
				b.ints = append(b.ints, 0)
				continue
			}
			b.ints = append(b.ints, int64(t.live()))
			owner = younger(owner, t.scope)
		}
	default:
		panic(fmt.Sprintf("torch: %s: argument of Go type %T", name, arg))
	}
	return owner
}

func younger(a, b *Scope) *Scope {
	if b.depth > a.depth {
		return b
	}
	return a
}

func describeOperands(args []any) []string {
	var out []string
	for _, arg := range args {
		switch a := arg.(type) {
		case *Tensor:
			if a != nil {
				out = append(out, a.String())
			}
		case []*Tensor:
			for _, t := range a {
				if t != nil {
					out = append(out, t.String())
				}
			}
		}
	}
	return out
}
