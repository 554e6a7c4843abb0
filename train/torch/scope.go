package torch

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"unsafe"
)

// A Scope owns tensors and frees them when its Run ends. It also says how
// operations whose results join it are run: recorded for autograd or not,
// under autocast or not.
type Scope struct {
	lib      *Lib
	depth    int
	device   Device
	grad     bool
	autocast bool
	tensors  []*Tensor
	buf      *callBuffer // shared by all scopes of one Lib.Run
	closed   bool
}

// OpError is an operation that libtorch refused.
type OpError struct {
	Op      string   // the operator's schema name, such as "matmul"
	Shapes  []string // the operands' shapes and types, in order
	Message string   // libtorch's
}

func (e *OpError) Error() string {
	if len(e.Shapes) == 0 {
		return fmt.Sprintf("torch: %s: %s", e.Op, e.Message)
	}
	return fmt.Sprintf("torch: %s%v: %s", e.Op, e.Shapes, e.Message)
}

// OutOfMemory reports whether the device had too little memory, in the words of
// libtorch (c10/core/impl/alloc_cpu.cpp, c10/cuda/CUDACachingAllocator.cpp), cuBLAS
// and cuDNN.
func (e *OpError) OutOfMemory() bool {
	return slices.ContainsFunc([]string{"out of memory", "can't allocate memory", "not enough memory", "_STATUS_ALLOC_FAILED", "nable to find an engine to execute"},
		func(s string) bool { return strings.Contains(e.Message, s) })
}

// Run opens a scope whose new tensors lie on device, calls f with it, and frees
// its tensors. It returns f's error, or the OpError of an operation that
// failed inside. The goroutine stays on its OS thread meanwhile.
func (l *Lib) Run(device Device, f func(*Scope) error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if device == "" {
		device = CPU
	}
	s := &Scope{lib: l, device: device, grad: true, buf: newCallBuffer()}
	return s.run(f)
}

// Run opens a child scope and treats it like [Lib.Run].
func (s *Scope) Run(f func(*Scope) error) error { return s.child().run(f) }

// NoGrad is Run without recording for autograd.
func (s *Scope) NoGrad(f func(*Scope) error) error {
	c := s.child()
	c.grad = false
	return c.run(f)
}

// Tidy calls f in a child scope and returns its result in s. What f made on the
// way is freed at once, but for what autograd keeps.
func (s *Scope) Tidy(f func(c *Scope) *Tensor) (out *Tensor) {
	if err := s.Run(func(c *Scope) error {
		out = f(c).In(s)
		return nil
	}); err != nil {
		panic(err) // an *OpError, on its way to the Run around
	}
	return out
}

// Autocast calls f with the scope's operations under bfloat16 autocast, where
// on is set: matrix products and convolutions take their operands in bfloat16,
// what needs float32 stays in it.
func (s *Scope) Autocast(on bool, f func()) {
	before := s.autocast
	s.autocast = on
	defer func() { s.autocast = before }()
	f()
}

// Autocasting reports whether operations run under autocast.
func (s *Scope) Autocasting() bool { return s.autocast }

// RandomState is the state of the device's default random generator.
func (s *Scope) RandomState() *Tensor {
	e, device := &s.buf.err, cString(string(s.device))
	h := s.lib.invoke(s.lib.fn.rng, uintptr(unsafe.Pointer(&device[0])), uintptr(unsafe.Pointer(e)), e.length())
	runtime.KeepAlive(device)
	if h == 0 {
		panic(&OpError{Op: "get random state", Message: e.String()})
	}
	return s.adopt(h)
}

// SetRandomState returns the device's default random generator to a state.
func (s *Scope) SetRandomState(state *Tensor) {
	e, device := &s.buf.err, cString(string(s.device))
	r := int32(s.lib.invoke(s.lib.fn.setRNG, uintptr(unsafe.Pointer(&device[0])), state.live(), uintptr(unsafe.Pointer(e)), e.length()))
	runtime.KeepAlive(device)
	if r < 0 {
		panic(&OpError{Op: "set random state", Message: e.String()})
	}
}

func (s *Scope) child() *Scope {
	s.check()
	return &Scope{lib: s.lib, depth: s.depth + 1, device: s.device, grad: s.grad, autocast: s.autocast, buf: s.buf}
}

func (s *Scope) run(f func(*Scope) error) (err error) {
	defer s.close()
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *OpError:
			err = r
		default:
			panic(r)
		}
	}()
	return f(s)
}

func (s *Scope) close() {
	handles := make([]int64, 0, len(s.tensors))
	for _, t := range s.tensors {
		handles = append(handles, int64(t.handle))
		t.handle = 0
	}
	s.tensors, s.closed = nil, true
	if len(handles) > 0 {
		s.lib.invoke(s.lib.fn.free, uintptr(unsafe.Pointer(&handles[0])), uintptr(len(handles)))
		runtime.KeepAlive(handles)
	}
}

func (s *Scope) check() {
	if s.closed {
		panic("torch: use of a scope after its Run ended")
	}
}

// Lib is the backend the scope's tensors live in.
func (s *Scope) Lib() *Lib { return s.lib }

// Device is where the scope's new tensors lie.
func (s *Scope) Device() Device { return s.device }

// Fail unwinds to the nearest Run, which returns err's text as an OpError of
// the given operation. It is for checks that code inside a Run makes itself.
func (s *Scope) Fail(op, format string, args ...any) {
	panic(&OpError{Op: op, Message: fmt.Sprintf(format, args...)})
}

func (s *Scope) adopt(handle uintptr) *Tensor {
	s.check()
	t := &Tensor{handle: handle, scope: s}
	s.tensors = append(s.tensors, t)
	return t
}
