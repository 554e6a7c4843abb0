package torch

import (
	"runtime"
	"unsafe"
)

// bucketBytes is the size that gradients are sent in, that of PyTorch's
// DistributedDataParallel.
const bucketBytes = 25 << 20

// A Reducer adds up the gradients of parameters over the ranks of a group,
// while the backward pass that completes them goes on. A nil Reducer does
// nothing: the gradients are those of a process alone.
type Reducer struct {
	group  *Group
	scope  *Scope
	handle uintptr
}

// NewReducer makes a reducer of a group's parameters, the same in the same
// order on all ranks, nil for a process alone. Free ends it.
func (g *Group) NewReducer(s *Scope, parameters []*Tensor) *Reducer {
	if g == nil {
		return nil
	}
	handles := make([]int64, len(parameters))
	for i, p := range parameters {
		handles[i] = int64(p.live())
	}
	e := &s.buf.err
	h := g.lib.invoke(g.lib.fn.reducerNew, g.handle, uintptr(unsafe.Pointer(unsafe.SliceData(handles))), uintptr(len(handles)), bucketBytes, uintptr(unsafe.Pointer(e)), e.length())
	runtime.KeepAlive(handles)
	if h == 0 {
		panic(&OpError{Op: "reduce gradients", Message: e.String()})
	}
	return &Reducer{g, s, h}
}

// Free ends the reducer.
func (r *Reducer) Free() {
	if r != nil {
		r.group.lib.invoke(r.group.lib.fn.reducerFree, r.handle)
	}
}

// Arm says that the next Backward, that of root, is the last one of a step:
// each bucket is sent as soon as it has the gradients that this pass adds.
func (r *Reducer) Arm(root *Tensor) {
	if r == nil {
		return
	}
	e := &r.scope.buf.err
	if int32(r.group.lib.invoke(r.group.lib.fn.reducerArm, r.handle, root.live(), uintptr(unsafe.Pointer(e)), e.length())) < 0 {
		panic(&OpError{Op: "reduce gradients", Message: e.String()})
	}
}

// Finish sends what has not been sent and waits until all parameters have the
// sum of the ranks' gradients; one that has none on any rank has none
// afterwards. It returns how many buckets went out during the backward pass.
func (r *Reducer) Finish() (early int) {
	if r == nil {
		return 0
	}
	e := &r.scope.buf.err
	early = int(int32(r.group.lib.invoke(r.group.lib.fn.reducerFinish, r.handle, uintptr(unsafe.Pointer(e)), e.length())))
	if early < 0 {
		panic(&OpError{Op: "reduce gradients", Message: e.String()})
	}
	return early
}
