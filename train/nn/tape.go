package nn

import "github.com/pipa-uda/pipa/train/torch"

// A Tape trades time for memory (Chen et al., "Training Deep Nets with
// Sublinear Memory Cost", 2016): a network's segments keep what comes in and
// goes out, and run again, one at a time, when their gradient is needed. The
// zero Tape is empty.
//
// A pass with Mode.Tape set is followed by Backward of its loss, then by the
// tape's own Backward, which carries the gradient on through the segments.
type Tape struct{ segments []segment }

type segment struct {
	f        func(x *torch.Tensor, m Mode) *torch.Tensor
	in, out  *torch.Tensor // out is a leaf, where the loss's gradient stops
	mode     Mode
	random   *torch.Tensor // the generator's state before the segment
	autocast bool
}

// Segment runs f on x and frees what f made on the way, but for what autograd
// keeps. With a tape autograd keeps nothing, and f must depend on x and
// parameters alone, and give the same result when it is run again from the same
// random state; x must be an earlier segment's result or need no gradient.
func (m Mode) Segment(x *torch.Tensor, f func(x *torch.Tensor, m Mode) *torch.Tensor) *torch.Tensor {
	s := x.Scope()
	if m.Tape == nil {
		return s.Tidy(func(c *torch.Scope) *torch.Tensor { return f(x.In(c), m) })
	}
	seg := segment{f: f, in: x, mode: m, autocast: s.Autocasting()}
	seg.mode.Tape, seg.mode.again = nil, true
	if m.Dropout {
		seg.random = s.RandomState()
	}
	first := m
	first.Tape = nil
	if err := s.NoGrad(func(c *torch.Scope) error {
		seg.out = f(x.In(c), first).In(s)
		return nil
	}); err != nil {
		panic(err) // an operation's, on its way to the Run around
	}
	seg.out.SetRequiresGrad(true)
	m.Tape.segments = append(m.Tape.segments, seg)
	return seg.out
}

// Reset empties the tape of a pass that failed.
func (t *Tape) Reset() { t.segments = nil }

// Backward carries the gradients that lie in the segments' results on to their
// parameters, last segment first, and empties the tape. With retain the tape
// stays as it was, for another Backward.
func (t *Tape) Backward(retain bool) error {
	segments := t.segments
	if !retain {
		t.segments = nil
	}
	for i := len(segments) - 1; i >= 0; i-- {
		if err := segments[i].backward(); err != nil {
			return err
		}
	}
	return nil
}

func (g segment) backward() error {
	return g.out.Scope().Run(func(c *torch.Scope) error {
		gradient := g.out.Grad(c)
		if gradient == nil {
			return nil
		}
		g.out.SetGrad(nil)
		if g.random != nil {
			now := c.RandomState()
			c.SetRandomState(g.random)
			defer c.SetRandomState(now)
		}
		var out *torch.Tensor
		c.Autocast(g.autocast, func() { out = g.f(g.in.In(c), g.mode) })
		out.BackwardWith(gradient)
		return nil
	})
}
