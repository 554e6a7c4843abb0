package method

import (
	"fmt"
	"math"
	"strings"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/train/loss"
	"github.com/pipa-uda/pipa/train/torch"
)

// Values are what a step reports.
type Values struct {
	Losses    map[string]float64 // weighted as they enter the total
	Norms     map[string]float64 // of each loss's gradient in the encoder, where the step was probed
	Panel     []pipeline.Sample  // what the step's picture shows, where it was asked for
	Confident float64            // share of the target's pixels

	// waiting are the losses by name, and trusted Confident, as the device will have
	// them, in the step's scope: they are read together when all its work is queued.
	// trusted is nil without a target.
	scope   *torch.Scope
	names   []string
	waiting []*torch.Tensor
	trusted *torch.Tensor
}

func newValues(s *torch.Scope) *Values {
	return &Values{Losses: map[string]float64{}, Norms: map[string]float64{}, scope: s}
}

// later notes a loss that the device has yet to compute.
func (v *Values) later(name string, l *torch.Tensor) {
	v.names, v.waiting = append(v.names, name), append(v.waiting, l.Detach().In(v.scope))
}

// read waits for the device and takes the values, the losses summed over the
// ranks. A loss that is not a finite number is a [BadLossError].
func (v *Values) read(group *torch.Group) error {
	err := v.scope.NoGrad(func(s *torch.Scope) error {
		number := func(t *torch.Tensor) *torch.Tensor { return t.In(s).To(torch.Float64).Reshape(1) }
		shares := make([]*torch.Tensor, len(v.waiting))
		for i, l := range v.waiting {
			shares[i] = number(l)
		}
		all := group.Sum(torch.Cat(0, shares...))
		if v.trusted != nil {
			all = torch.Cat(0, all, number(v.trusted))
		}
		values := all.Float64s()
		for i, name := range v.names {
			if _, twice := v.Losses[name]; twice {
				panic("method: two losses are named " + name)
			}
			v.Losses[name] = values[i]
		}
		if v.trusted != nil {
			v.Confident = values[len(v.names)]
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range v.names {
		if l := v.Losses[name]; math.IsNaN(l) || math.IsInf(l, 0) {
			return BadLossError{name, l}
		}
	}
	return nil
}

// BadLossError says that a loss is not a finite number.
type BadLossError struct {
	Loss  string
	Value float64
}

func (e BadLossError) Error() string {
	return fmt.Sprintf("loss %s is %v", e.Loss, e.Value)
}

// backward adds the gradients of the terms' sum and notes their values. A term
// without a graph, such as that of a contrast that found nothing, counts 0. last
// says that no backward pass comes after this one.
func (st *Step) backward(terms []loss.Term, last bool) {
	var total *torch.Tensor
	for _, t := range terms {
		l := t.Weighted()
		st.values.later(t.Name, l)
		if st.look.Probe && l.RequiresGrad() {
			st.values.Norms[t.Name] = st.encoderNorm(l)
		}
		if total == nil {
			total = l
		} else {
			total = total.Add(l)
		}
	}
	if total.RequiresGrad() {
		// What is recomputed is not in the graph: it is reduced afterwards.
		if last && !st.Student.Recomputes() {
			st.reducer.Arm(total)
		}
		total.Backward()
	}
	st.Student.Backward(total.Scope(), false)
}

// encoderNorm is the Euclidean norm of a loss's gradient in the encoder's
// parameters. What gradients there are already is left as it is.
func (st *Step) encoderNorm(l *torch.Tensor) float64 {
	s := l.Scope()
	var before []*torch.Tensor
	parameters := st.StudentStore.Parameters()
	for _, e := range parameters {
		g := e.Tensor.Grad(s)
		if g != nil {
			g = g.Clone()
		}
		before = append(before, g)
	}
	st.StudentStore.ClearGrads()
	l.BackwardRetain()
	st.Student.Backward(s, true)
	st.reducer.Finish()
	sum := 0.0
	for i, e := range parameters {
		if g := e.Tensor.Grad(s); g != nil && strings.HasPrefix(e.Name, "backbone.") {
			n := g.Norm().Item()
			sum += n * n
		}
		e.Tensor.SetGrad(before[i])
	}
	return math.Sqrt(sum)
}
