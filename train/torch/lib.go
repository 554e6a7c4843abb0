package torch

import (
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/ebitengine/purego"
)

// abi is the version of adapter/pipatorch.h this package speaks.
const abi = 6

// A Lib is the loaded backend. It is safe for concurrent use and lives as long
// as the process: libtorch cannot be unloaded.
type Lib struct {
	path    string
	version string
	oneDNN  bool
	fn      functions
	ops     sync.Map // "aten::add.Tensor" → uintptr
	waits   atomic.Int64
}

// functions are the addresses of the adapter's entry points.
type functions struct {
	abi, version, tryOneDNN, op, call, free, live, share, describe, fromBlob, upload, copyOut uintptr
	setRequiresGrad, backward, grad, setGrad, seed, setThreads, threads, cudaDevices, exact   uintptr
	fixedShapes                                                                               uintptr
	rng, setRNG, countMemory, memoryPeak                                                      uintptr
	groupBackends, groupJoin, groupLeave, groupAbort, groupAdd, groupSum, groupBroadcast      uintptr
	reducerNew, reducerFree, reducerArm, reducerFinish                                        uintptr
}

// Load opens the adapter library at path, or, where that is empty, at the first of
// [Places] that has one. A library that others can write is refused with a
// [TrustError].
func Load(path string) (*Lib, error) {
	if path == "" {
		var err error
		if path, err = find(); err != nil {
			return nil, err
		}
	}
	found, err := trusted(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	if err != nil {
		return nil, err
	}
	handle, err := purego.Dlopen(found, purego.RTLD_NOW|purego.RTLD_GLOBAL)
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", found, err)
	}
	l := &Lib{path: found}
	for name, address := range map[string]*uintptr{
		"pt_abi": &l.fn.abi, "pt_version": &l.fn.version, "pt_try_onednn": &l.fn.tryOneDNN, "pt_op": &l.fn.op, "pt_call": &l.fn.call, "pt_free": &l.fn.free,
		"pt_live": &l.fn.live, "pt_share": &l.fn.share, "pt_describe": &l.fn.describe, "pt_from_blob": &l.fn.fromBlob, "pt_upload": &l.fn.upload,
		"pt_copy_out": &l.fn.copyOut, "pt_set_requires_grad": &l.fn.setRequiresGrad, "pt_backward": &l.fn.backward,
		"pt_grad": &l.fn.grad, "pt_set_grad": &l.fn.setGrad, "pt_seed": &l.fn.seed, "pt_set_threads": &l.fn.setThreads,
		"pt_threads": &l.fn.threads, "pt_cuda_devices": &l.fn.cudaDevices, "pt_exact": &l.fn.exact, "pt_fixed_shapes": &l.fn.fixedShapes,
		"pt_rng": &l.fn.rng, "pt_set_rng": &l.fn.setRNG, "pt_count_memory": &l.fn.countMemory, "pt_memory_peak": &l.fn.memoryPeak,
		"pt_group_backends": &l.fn.groupBackends, "pt_group_join": &l.fn.groupJoin, "pt_group_leave": &l.fn.groupLeave,
		"pt_group_abort": &l.fn.groupAbort, "pt_group_add": &l.fn.groupAdd, "pt_group_sum": &l.fn.groupSum, "pt_group_broadcast": &l.fn.groupBroadcast,
		"pt_reducer_new": &l.fn.reducerNew, "pt_reducer_free": &l.fn.reducerFree, "pt_reducer_arm": &l.fn.reducerArm, "pt_reducer_finish": &l.fn.reducerFinish,
	} {
		if *address, err = purego.Dlsym(handle, name); err != nil {
			return nil, fmt.Errorf("load %s: it has no %s: rebuild it with \"make torch\": %w", found, name, err)
		}
	}
	if got := int32(l.invoke(l.fn.abi)); got != abi {
		return nil, fmt.Errorf("load %s: it speaks version %d of the adapter's interface, this pipa %d: rebuild it with \"make torch\"", found, got, abi)
	}
	l.version = goString(l.invoke(l.fn.version))
	err = l.checked("try oneDNN", func(e *errorText) int32 {
		used := int32(l.invoke(l.fn.tryOneDNN, uintptr(unsafe.Pointer(e)), e.length()))
		l.oneDNN = used == 1
		return used
	})
	if err != nil {
		return nil, fmt.Errorf("load %s: %w", found, err)
	}
	return l, nil
}

// Path is the file the backend was loaded from.
func (l *Lib) Path() string { return l.path }

// Version is libtorch's version.
func (l *Lib) Version() string { return l.version }

// OneDNN reports whether convolutions on the CPU are computed by oneDNN. Where it
// computes them wrongly, as Debian 13's does, libtorch does so itself, slower.
func (l *Lib) OneDNN() bool { return l.oneDNN }

// LiveTensors is the number of tensor handles not freed yet.
func (l *Lib) LiveTensors() int { return int(l.invoke(l.fn.live)) }

// Waits is how often elements were copied out of a tensor. Each time a GPU that
// was working ahead is waited for.
func (l *Lib) Waits() int { return int(l.waits.Load()) }

// Threads is the number of threads one operation may use on the CPU.
func (l *Lib) Threads() int { return int(int32(l.invoke(l.fn.threads))) }

// SetThreads sets the number of threads one operation may use on the CPU, for
// the whole process. Results repeat bit for bit at one number of threads.
func (l *Lib) SetThreads(n int) error {
	return l.checked("set threads", func(e *errorText) int32 {
		return int32(l.invoke(l.fn.setThreads, uintptr(n), uintptr(unsafe.Pointer(e)), e.length()))
	})
}

// CUDADevices is the number of CUDA devices libtorch can use.
func (l *Lib) CUDADevices() int { return int(int32(l.invoke(l.fn.cudaDevices))) }

// Exact switches TF32 off and cuDNN to deterministic algorithms.
func (l *Lib) Exact(on bool) error {
	return l.checked("set exact arithmetic", func(e *errorText) int32 {
		return int32(l.invoke(l.fn.exact, boolWord(on), uintptr(unsafe.Pointer(e)), e.length()))
	})
}

// FixedShapes reports whether the shapes of convolutions repeat: then cuDNN tries
// its algorithms on the first of each shape and keeps the fastest. It counts for
// the whole process.
func (l *Lib) FixedShapes(on bool) error {
	return l.checked("let cuDNN try its algorithms", func(e *errorText) int32 {
		return int32(l.invoke(l.fn.fixedShapes, boolWord(on), uintptr(unsafe.Pointer(e)), e.length()))
	})
}

// Seed restarts the default random generators of all devices.
func (l *Lib) Seed(seed uint64) error {
	return l.checked("seed", func(e *errorText) int32 {
		return int32(l.invoke(l.fn.seed, uintptr(seed), uintptr(unsafe.Pointer(e)), e.length()))
	})
}

// CountMemory counts the memory that operations of this goroutine hold on the
// CPU while f runs, which gets a function for the most bytes held at once since
// its last call. Memory that was there before does not count. It must be called
// inside a Run.
func (l *Lib) CountMemory(f func(peak func() int64) error) error {
	count := func(on bool) error {
		return l.checked("count memory", func(e *errorText) int32 {
			return int32(l.invoke(l.fn.countMemory, boolWord(on), uintptr(unsafe.Pointer(e)), e.length()))
		})
	}
	if err := count(true); err != nil {
		return err
	}
	return errors.Join(f(func() int64 { return int64(l.invoke(l.fn.memoryPeak)) }), count(false))
}

// invoke calls a C function of integers and pointers. What a pointer leads to is
// put on the heap, where it stays: a goroutine's stack moves as it grows. The
// compiler sees to that for a conversion that stands in the call itself, as
// uintptr(unsafe.Pointer(x)), and nowhere else.
//
//go:uintptrescapes
func (l *Lib) invoke(fn uintptr, args ...uintptr) uintptr {
	r, _, _ := purego.SyscallN(fn, args...)
	return r
}

func (l *Lib) checked(what string, f func(e *errorText) int32) error {
	e := &errorText{}
	if f(e) < 0 {
		return fmt.Errorf("torch: %s: %s", what, e)
	}
	return nil
}

// op looks up an operator, once per process. One that this libtorch lacks is a
// panic with an [OpError].
func (l *Lib) op(name string) uintptr {
	h, missing := l.find(name)
	if h == 0 {
		panic(&OpError{Op: name, Message: missing})
	}
	return h
}

// find is op, 0 with libtorch's message where there is no such operator.
func (l *Lib) find(name string) (h uintptr, missing string) {
	if h, ok := l.ops.Load(name); ok {
		return h.(uintptr), "there is no such operator"
	}
	base, overload := "aten::"+name, ""
	for i := range len(name) {
		if name[i] == '.' {
			base, overload = "aten::"+name[:i], name[i+1:]
			break
		}
	}
	e := &errorText{}
	b, o := cString(base), cString(overload)
	h = l.invoke(l.fn.op, uintptr(unsafe.Pointer(&b[0])), uintptr(unsafe.Pointer(&o[0])), uintptr(unsafe.Pointer(e)), e.length())
	runtime.KeepAlive(b)
	runtime.KeepAlive(o)
	l.ops.Store(name, h)
	return h, e.String()
}

// errorText receives the adapter's messages.
type errorText struct{ b [4096]byte }

func (e *errorText) length() uintptr { return uintptr(len(e.b)) }

func (e *errorText) String() string {
	for i, c := range e.b {
		if c == 0 {
			return string(e.b[:i])
		}
	}
	return string(e.b[:])
}

func cString(s string) []byte { return append([]byte(s), 0) }

func goString(address uintptr) string {
	var b []byte
	for p := address; ; p++ {
		c := *(*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&p)))
		if c == 0 {
			return string(b)
		}
		b = append(b, c)
	}
}

func boolWord(b bool) uintptr {
	if b {
		return 1
	}
	return 0
}
