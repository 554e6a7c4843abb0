package torch

import (
	"cmp"
	"fmt"
	"math"
	"runtime"
	"strings"
	"time"
	"unsafe"
)

// A Group is the processes that train one network together. Each calls the
// same collective operations in the same order. A nil Group is this process
// alone: sums are what they are given.
type Group struct {
	lib     *Lib
	launch  Launch
	backend int
	handle  uintptr
	pulse   *pulse
}

// The backends of c10d, as pt_group_backends or-s them.
const (
	gloo = 1
	nccl = 2
)

// Backends names the backends of libtorch's c10d that the library has: gloo,
// for tensors on the CPU, and nccl, for those on CUDA devices.
func (l *Lib) Backends() []string {
	have, names := int32(l.invoke(l.fn.groupBackends)), []string{}
	if have&gloo != 0 {
		names = append(names, "gloo")
	}
	if have&nccl != 0 {
		names = append(names, "nccl")
	}
	return names
}

// Join meets the other ranks of a launch, within timeout. The result is nil for
// a process alone; else Leave ends it.
func (l *Lib) Join(launch Launch, device Device, timeout time.Duration) (*Group, error) {
	if launch.Alone() {
		return nil, nil
	}
	backend := gloo
	if strings.HasPrefix(string(device), "cuda") {
		backend = nccl
	}
	if err := launch.listening(timeout); err != nil {
		return nil, fmt.Errorf("rank %d of %d: meet the others at %s: %w", launch.Rank, launch.Ranks, launch.Address(), err)
	}
	e, host, attempt := &errorText{}, cString(launch.Host), cString(launch.Attempt)
	h := l.invoke(l.fn.groupJoin, uintptr(unsafe.Pointer(&host[0])), uintptr(launch.Port), boolWord(launch.Serve), uintptr(unsafe.Pointer(&attempt[0])),
		uintptr(launch.Rank), uintptr(launch.Ranks), uintptr(backend), uintptr(timeout.Milliseconds()), uintptr(unsafe.Pointer(e)), e.length())
	runtime.KeepAlive(host)
	runtime.KeepAlive(attempt)
	if h == 0 {
		return nil, fmt.Errorf("rank %d of %d: meet the others at %s: %s", launch.Rank, launch.Ranks, launch.Address(), e)
	}
	g := &Group{lib: l, launch: launch, backend: backend, handle: h}
	g.pulse = newPulse(g, launch.Rank, launch.Ranks, cmp.Or(launch.Beat, time.Second))
	return g, nil
}

// Leave ends the group. Every rank does so after its last collective, or after
// an error, which it says.
func (g *Group) Leave(err error) {
	if g == nil {
		return
	}
	if g.pulse.end() && (err == nil || g.backend == gloo) {
		g.lib.invoke(g.lib.fn.groupLeave, g.handle)
	}
	// After an error operations may hang on, and NCCL's end would wait for all
	// ranks; they, and what they use, end with the process.
}

// Rank is this process's number, from 0.
func (g *Group) Rank() int {
	if g == nil {
		return 0
	}
	return g.launch.Rank
}

// Size is the number of processes, at least 1.
func (g *Group) Size() int {
	if g == nil {
		return 1
	}
	return g.launch.Ranks
}

// Sum adds t up over the ranks. It may be differentiated: the gradient of the
// sum of all ranks' losses reaches each rank's t.
func (g *Group) Sum(t *Tensor) *Tensor {
	if g == nil {
		return t
	}
	e := &t.scope.buf.err
	h := g.lib.invoke(g.lib.fn.groupSum, g.handle, t.live(), boolWord(t.scope.grad), uintptr(unsafe.Pointer(e)), e.length())
	if h == 0 {
		t.must("sum over ranks", -1)
	}
	return t.scope.adopt(h)
}

// Place is a tensor of total rows with t's from row first on, and the other
// ranks' at theirs. No two ranks may place the same row. No gradient passes.
func (g *Group) Place(t *Tensor, first, total int) *Tensor {
	if g == nil {
		return t.Detach()
	}
	n, shape := t.Dim(0), t.Shape()
	shape[0] = int64(total)
	all := t.scope.Call("zeros", shape, t.DType(), nil, string(t.Device()))[0]
	if n > 0 {
		all.Narrow(0, first, n).CopyInPlace(t.Detach())
	}
	return g.Sum(all)
}

// Gather joins the ranks' equally many rows, in the order of the ranks. No
// gradient passes.
func (g *Group) Gather(t *Tensor) *Tensor { return g.Place(t, g.Rank()*t.Dim(0), g.Size()*t.Dim(0)) }

// Assemble is Place where the gradient reaches t: of a function that every
// rank computes of all rows, each rank adds the gradient of its own.
func (g *Group) Assemble(t *Tensor, first, total int) *Tensor {
	if g == nil {
		return t
	}
	all, end := g.Place(t, first, total), first+t.Dim(0)
	return Cat(0, all.Narrow(0, 0, first), t, all.Narrow(0, end, total-end))
}

// Total adds numbers up over the ranks.
func (g *Group) Total(s *Scope, values []float64) (sums []float64, err error) {
	if g == nil || len(values) == 0 {
		return values, nil
	}
	err = s.NoGrad(func(c *Scope) error {
		sums = g.Sum(c.FromFloat64(values, len(values))).Float64s()
		return nil
	})
	return sums, err
}

// Any reports whether it is so on any rank.
func (g *Group) Any(s *Scope, so bool) (bool, error) {
	v := 0.0
	if so {
		v = 1
	}
	sums, err := g.Total(s, []float64{v})
	return err == nil && sums[0] > 0, err
}

// Broadcast replaces t's values by those of rank 0.
func (g *Group) Broadcast(t *Tensor) {
	if g == nil {
		return
	}
	e := &t.scope.buf.err
	t.must("broadcast from rank 0", int32(g.lib.invoke(g.lib.fn.groupBroadcast, g.handle, t.live(), uintptr(unsafe.Pointer(e)), e.length())))
}

// Explain adds to an error that may be that of a collective which ranks are
// dead. It takes some seconds: the others must have had time to show that they
// live.
func (g *Group) Explain(err error) error {
	if g == nil || err == nil {
		return err
	}
	text := fmt.Sprintf("rank %d of %d", g.Rank(), g.Size())
	if lost := g.pulse.lost(); len(lost) > 0 {
		text += fmt.Sprintf(": lost rank %s", rankList(lost))
	}
	return fmt.Errorf("%s: %w", text, err)
}

// add adds to a counter that all ranks share, and returns it.
func (g *Group) add(key string, amount int64) (int64, error) {
	e, k := &errorText{}, cString(key)
	n := int64(g.lib.invoke(g.lib.fn.groupAdd, g.handle, uintptr(unsafe.Pointer(&k[0])), uintptr(amount), uintptr(unsafe.Pointer(e)), e.length()))
	runtime.KeepAlive(k)
	if n == math.MinInt64 {
		return 0, fmt.Errorf("rank %d of %d: reach the store at %s: %s", g.Rank(), g.Size(), g.launch.Address(), e)
	}
	return n, nil
}

func (g *Group) abort(reason string) {
	r := cString(reason)
	g.lib.invoke(g.lib.fn.groupAbort, g.handle, uintptr(unsafe.Pointer(&r[0])))
	runtime.KeepAlive(r)
}
