package main

import (
	"fmt"

	"github.com/pipa-uda/pipa/train/loss"
	"github.com/pipa-uda/pipa/train/method"
	"github.com/pipa-uda/pipa/train/network"
	"github.com/pipa-uda/pipa/train/nn"
)

// smoothness is a loss on source images beside the recipe's: the total variation of
// the classes' probabilities.
type smoothness struct{ weight float64 }

// Name says all that decides its numbers.
func (l smoothness) Name() string { return fmt.Sprintf("smoothness-%v", l.weight) }

// New has no head to make: under p would be its parameters.
func (l smoothness) New(nn.Path, *network.Network, int) (method.SourceLoss, error) { return l, nil }

// Terms are added to the step's sum, logged by name, and shared among ranks: each
// has the part that its images are of the batch.
func (l smoothness) Terms(st *method.Step, p method.SourcePass) ([]loss.Term, error) {
	probability := p.Closest.Logits.Softmax(1)
	h, w := probability.Dim(2), probability.Dim(3)
	down := probability.Narrow(2, 1, h-1).Sub(probability.Narrow(2, 0, h-1)).Abs().Mean()
	right := probability.Narrow(3, 1, w-1).Sub(probability.Narrow(3, 0, w-1)).Abs().Mean()
	return []loss.Term{{Name: "smoothness", Value: down.Add(right).Div(float64(st.Group().Size())), Weight: l.weight}}, nil
}
