package optim

import (
	"fmt"
	"iter"
	"math"
	"strings"

	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/weights/safetensors"
)

// Group is how a parameter is treated: multipliers of the learning rate and of
// the weight decay.
type Group struct{ Rate, Decay float64 }

// GroupOf is the group of a parameter by its full name. mmcv tries the keys
// of DAFormer's configuration longest first, then alphabetically, and the
// first that the name contains decides: "pos_block" (no decay), "head" (rate
// times headRate), "norm" (no decay). So a head's norms do decay.
func GroupOf(name string, headRate float64) Group {
	switch {
	case strings.Contains(name, "pos_block"):
		return Group{1, 0}
	case strings.Contains(name, "head"):
		return Group{headRate, 1}
	case strings.Contains(name, "norm"):
		return Group{1, 0}
	}
	return Group{1, 1}
}

// Options of AdamW (Loshchilov and Hutter, "Decoupled Weight Decay
// Regularization", 2019), with PyTorch's epsilon of 1e-8.
type Options struct {
	Betas       [2]float64
	WeightDecay float64
}

const epsilon = 1e-8

// AdamW updates parameters in place. Its moments live in the scope it was made
// with.
type AdamW struct {
	options Options
	scope   *torch.Scope
	params  []*parameter
}

type parameter struct {
	name             string
	tensor           *torch.Tensor
	group            Group
	mean, meanSquare *torch.Tensor
	steps            int
}

// NewAdamW makes an optimizer of these parameters; group says how each is
// treated.
func NewAdamW(scope *torch.Scope, parameters []nn.Entry, group func(name string) Group, o Options) *AdamW {
	a := &AdamW{options: o, scope: scope}
	for _, e := range parameters {
		if e.Buffer {
			continue
		}
		a.params = append(a.params, &parameter{
			name: e.Name, tensor: e.Tensor, group: group(e.Name),
			mean: e.Tensor.Detach().ZerosLike(), meanSquare: e.Tensor.Detach().ZerosLike(),
		})
	}
	return a
}

// batch is a set of parameters that take the same update, as lists for the
// foreach operators.
type batch struct {
	group                              Group
	steps                              int
	tensors, grads, means, meanSquares []*torch.Tensor
}

// foreachLimit keeps the lists within what one call returns.
const foreachLimit = 128

// Step updates every parameter that has a gradient, at the learning rate lr
// times its group's, and drops the gradients. Parameters without one keep
// their count of steps, as in PyTorch.
func (a *AdamW) Step(lr float64) error {
	return a.scope.NoGrad(func(s *torch.Scope) error {
		var open []*batch
		for _, p := range a.params {
			g := p.tensor.Grad(s)
			if g == nil {
				continue
			}
			p.steps++
			var b *batch
			for _, o := range open {
				if o.group == p.group && o.steps == p.steps && len(o.tensors) < foreachLimit {
					b = o
				}
			}
			if b == nil {
				b = &batch{group: p.group, steps: p.steps}
				open = append(open, b)
			}
			b.tensors = append(b.tensors, p.tensor.In(s))
			b.grads = append(b.grads, g)
			b.means = append(b.means, p.mean)
			b.meanSquares = append(b.meanSquares, p.meanSquare)
		}
		for _, b := range open {
			a.update(s, b, lr*b.group.Rate)
		}
		for _, p := range a.params {
			p.tensor.SetGrad(nil)
		}
		return nil
	})
}

// update is one AdamW step of a batch:
//
//	p *= 1 - lr·decay
//	m  = β₁m + (1-β₁)g,  v = β₂v + (1-β₂)g²
//	p -= lr/(1-β₁ᵗ) · m / (√v/√(1-β₂ᵗ) + ε)
func (a *AdamW) update(s *torch.Scope, b *batch, lr float64) {
	beta1, beta2 := a.options.Betas[0], a.options.Betas[1]
	t := float64(b.steps)
	s.CallInPlace("_foreach_mul_.Scalar", b.tensors, 1-lr*a.options.WeightDecay*b.group.Decay)
	s.CallInPlace("_foreach_mul_.Scalar", b.means, beta1)
	s.CallInPlace("_foreach_add_.List", b.means, b.grads, 1-beta1)
	s.CallInPlace("_foreach_mul_.Scalar", b.meanSquares, beta2)
	s.CallInPlace("_foreach_addcmul_.Scalar", b.meanSquares, b.grads, b.grads, 1-beta2)
	roots := s.Call("_foreach_sqrt", b.meanSquares)
	s.CallInPlace("_foreach_div_.Scalar", roots, math.Sqrt(1-math.Pow(beta2, t)))
	s.CallInPlace("_foreach_add_.Scalar", roots, epsilon)
	s.CallInPlace("_foreach_addcdiv_.Scalar", b.tensors, b.means, roots, -lr/(1-math.Pow(beta1, t)))
}

// Tensors returns the optimizer's state for a safetensors file.
func (a *AdamW) Tensors() ([]safetensors.Tensor, error) {
	var out []safetensors.Tensor
	for _, p := range a.params {
		for prefix, t := range p.moments() {
			e, err := nn.Export(prefix+p.name, t)
			if err != nil {
				return nil, fmt.Errorf("save optimizer: %w", err)
			}
			out = append(out, e)
		}
		steps := make([]byte, 8)
		for i := range steps {
			steps[i] = byte(p.steps >> (8 * i))
		}
		out = append(out, safetensors.Tensor{Name: "step." + p.name, DType: "I64", Data: steps})
	}
	return out, nil
}

// Load restores what Tensors saved.
func (a *AdamW) Load(f *safetensors.File) error {
	return a.scope.NoGrad(func(s *torch.Scope) error {
		for _, p := range a.params {
			for prefix, t := range p.moments() {
				saved, err := f.Tensor(prefix + p.name)
				if err != nil {
					return fmt.Errorf("load optimizer: %w", err)
				}
				from, err := nn.Import(s, saved)
				if err != nil {
					return fmt.Errorf("load optimizer: %w", err)
				}
				t.In(s).CopyInPlace(from)
			}
			saved, err := f.Tensor("step." + p.name)
			if err != nil {
				return fmt.Errorf("load optimizer: %w", err)
			}
			steps, err := saved.Int64s()
			if err != nil || len(steps) != 1 {
				return fmt.Errorf("load optimizer: step of %s: %v, %w", p.name, steps, err)
			}
			p.steps = int(steps[0])
		}
		return nil
	})
}

// moments yields the state tensors under PyTorch's names.
func (p *parameter) moments() iter.Seq2[string, *torch.Tensor] {
	return func(yield func(string, *torch.Tensor) bool) {
		_ = yield("exp_avg.", p.mean) && yield("exp_avg_sq.", p.meanSquare)
	}
}
