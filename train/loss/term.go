package loss

import "github.com/pipa-uda/pipa/train/torch"

// A Term is one loss of a training step. Whatever terms a step computes are added
// up, times their weights, and logged by their names.
type Term struct {
	Name   string
	Value  *torch.Tensor // a scalar; of several ranks, this one's share
	Weight float64
}

// Weighted is the term as it enters the sum.
func (t Term) Weighted() *torch.Tensor {
	if t.Weight == 1 {
		return t.Value
	}
	return t.Value.Mul(t.Weight)
}
