package torch

import "testing"

// TestAttentionIsSoftmaxOfScaledProducts compares the fused operator, where
// this libtorch has it, with its definition: values, and gradients of all three
// operands.
func TestAttentionIsSoftmaxOfScaledProducts(t *testing.T) {
	limit := 1e-5
	if device() != CPU {
		limit = 1e-4
	}
	run(t, func(s *Scope) {
		if err := s.Lib().Seed(1); err != nil {
			t.Fatal(err)
		}
		operands := [3]*Tensor{s.Randn(2, 2, 33, 16), s.Randn(2, 2, 7, 16), s.Randn(2, 2, 7, 16)}
		weights := s.Randn(2, 2, 33, 16)
		compute := func(f func(queries, keys, values *Tensor) *Tensor) (results [4]*Tensor) {
			for i, x := range operands {
				operands[i] = x.Detach().SetRequiresGrad(true)
			}
			out := f(operands[0], operands[1], operands[2])
			out.Mul(weights).Sum().Backward()
			return [4]*Tensor{out, operands[0].Grad(s), operands[1].Grad(s), operands[2].Grad(s)}
		}
		want := compute(func(q, k, v *Tensor) *Tensor {
			return q.Matmul(k.Transpose(-2, -1)).Mul(0.25).Softmax(-1).Matmul(v) // 1/√16
		})
		got := compute((*Tensor).Attention)
		for i, name := range []string{"output", "gradient of queries", "gradient of keys", "gradient of values"} {
			if off := got[i].Sub(want[i]).Abs().Max().Item(); off > limit {
				t.Errorf("%s is off by %g", name, off)
			}
		}
	})
}

// TestFusedAttentionKeepsNoWeights says that the fused operator is what runs
// where there is one: it never holds the [L, S] weights.
func TestFusedAttentionKeepsNoWeights(t *testing.T) {
	runOn(t, CPU, func(s *Scope) {
		const length, matrix = 1024, 1024 * 1024 * 4 // bytes of [L, S] in float32
		q := s.Randn(1, 1, length, 16)
		var most int64
		err := s.Lib().CountMemory(func(peak func() int64) error {
			q.Attention(q, q)
			most = peak()
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		fused, _ := s.Lib().find("_scaled_dot_product_flash_attention_for_cpu") // from 2.2
		if (fused != 0) != (most < matrix) {
			t.Errorf("%d bytes at most, the weights have %d; fused: %v", most, matrix, fused != 0)
		}
	})
}
