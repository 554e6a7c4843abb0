package uda

import (
	"math/rand/v2"
	"testing"

	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/torch/torchtest"
)

// TestAJitterOfNoStrengthLeavesTheImages: with a strength of 0 and no blur the
// network sees the mixed images as they are, to the bit, and the draws of the
// images stay those of any other strength.
func TestAJitterOfNoStrengthLeavesTheImages(t *testing.T) {
	none := StrongAugmentation{Jitter: 0, JitterChance: 1}.Draw(1, rand.New(rand.NewPCG(1, 2)))
	some := StrongAugmentation{Jitter: 0.2, JitterChance: 1}.Draw(1, rand.New(rand.NewPCG(1, 2)))
	if none.Images[0].Order != some.Images[0].Order || none.Images[0].Sigma != some.Images[0].Sigma {
		t.Errorf("draws are %+v, want the order and the sigma of %+v", none.Images[0], some.Images[0])
	}
	torchtest.Run(t, func(s *torch.Scope) {
		x := s.FromFloat32([]float32{-1, -0.5, 0, 0.25, 1, 2, 0.1, 0.2, 0.3, -2, 1.5, 0.7}, 1, 3, 2, 2)
		if Apply(x, none) != x {
			t.Errorf("a jitter of no strength changed the images")
		}
		if Apply(x, some) == x {
			t.Errorf("a jitter of some strength left the images")
		}
	})
}
