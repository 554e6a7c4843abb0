package model

import (
	"math"
	"runtime"
	"testing"

	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/torch/torchtest"
)

// TestATapeGivesTheSameGradients runs encoders with and without a tape: the
// same maps, gradients and running statistics, with less memory.
func TestATapeGivesTheSameGradients(t *testing.T) {
	for name, build := range map[string]func(p nn.Path) (Encoder, error){
		"mit": func(p nn.Path) (Encoder, error) {
			return NewMixTransformer(p, MiTConfig{Dims: [4]int{8, 16, 20, 32}, Depths: [4]int{2, 2, 2, 2}, DropPath: 0.5})
		},
		"resnet": func(p nn.Path) (Encoder, error) {
			return NewResNet(p, ResNetConfig{Depths: [4]int{3, 4, 6, 3}, Width: 8}), nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			runtime.LockOSThread() // what an operation holds is counted by thread
			defer runtime.UnlockOSThread()
			var values [2]map[string][]float32
			var peaks [2]int64
			for i, tape := range []*nn.Tape{nil, {}} {
				torchtest.Run(t, func(s *torch.Scope) {
					if err := s.Lib().Seed(3); err != nil {
						t.Fatal(err)
					}
					store := nn.NewStore(s)
					encoder, err := build(store.Root())
					if err != nil {
						t.Fatal(err)
					}
					x := s.Zeros(torch.Float32, 2, 3, 96, 96).NormalInPlace(0, 1)
					mode := nn.Training
					mode.Tape = tape
					if err := s.Lib().CountMemory(func(peak func() int64) error {
						total := s.Zeros(torch.Float32)
						for _, f := range encoder.Forward(x, mode) {
							total = total.Add(f.Mul(f).Mean())
						}
						total.Backward()
						if tape != nil {
							if err := tape.Backward(false); err != nil {
								return err
							}
						}
						peaks[i] = peak()
						return nil
					}); err != nil {
						t.Fatal(err)
					}
					values[i] = map[string][]float32{}
					for _, e := range store.Entries() {
						values[i][e.Name] = e.Tensor.To(torch.Float32).Float32s()
						if g := e.Tensor.Grad(s); g != nil {
							values[i][e.Name+" gradient"] = g.Float32s()
						}
					}
					values[i]["random state"] = s.RandomState().To(torch.Float32).Float32s()
				})
			}
			if len(values[0]) != len(values[1]) {
				t.Errorf("%d tensors without a tape, %d with one", len(values[0]), len(values[1]))
			}
			for name, want := range values[0] {
				for i, w := range want {
					if g := values[1][name][i]; math.Abs(float64(g-w)) > 1e-6+1e-4*math.Abs(float64(w)) {
						t.Fatalf("%s[%d] is %v with a tape, %v without", name, i, g, w)
					}
				}
			}
			if peaks[1] >= peaks[0] {
				t.Errorf("most memory held is %d bytes with a tape, %d without", peaks[1], peaks[0])
			}
			t.Logf("most memory held: %d bytes, %d with a tape", peaks[0], peaks[1])
		})
	}
}
