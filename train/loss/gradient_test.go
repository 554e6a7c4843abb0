package loss

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/torch/torchtest"
)

// checkDerivative compares the gradient of f at random float64 values of a
// shape with central differences, element by element.
func checkDerivative(t *testing.T, s *torch.Scope, seed uint64, shape []int, f func(x *torch.Tensor) *torch.Tensor) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	n := 1
	for _, d := range shape {
		n *= d
	}
	at := make([]float64, n)
	for i := range at {
		at[i] = rng.NormFloat64()
	}
	x := s.FromFloat64(at, shape...).SetRequiresGrad(true)
	f(x).Backward()
	got := x.Grad(s).Float64s()
	nonzero := false
	for i := range at {
		const h = 1e-6
		move := func(d float64) (v float64) {
			moved := slices.Clone(at)
			moved[i] += d
			if err := s.NoGrad(func(s *torch.Scope) error { v = f(s.FromFloat64(moved, shape...)).Item(); return nil }); err != nil {
				t.Fatal(err)
			}
			return v
		}
		want := (move(h) - move(-h)) / (2 * h)
		if math.Abs(got[i]-want) > 1e-6*max(1, math.Abs(want)) {
			t.Errorf("element %d: gradient %v, difference quotient %v", i, got[i], want)
		}
		nonzero = nonzero || got[i] != 0
	}
	if !nonzero {
		t.Error("the gradient is 0 everywhere")
	}
}

// labels are random train IDs below classes, with some 255.
func labels(s *torch.Scope, classes int, shape ...int) *torch.Tensor {
	rng := rand.New(rand.NewPCG(9, 9))
	n := 1
	for _, d := range shape {
		n *= d
	}
	v := make([]int64, n)
	for i := range v {
		if v[i] = int64(rng.IntN(classes + 1)); v[i] == int64(classes) {
			v[i] = int64(raster.Ignore)
		}
	}
	return s.FromInt64(v, shape...)
}

func weights64(s *torch.Scope, shape ...int) *torch.Tensor {
	rng := rand.New(rand.NewPCG(7, 7))
	n := 1
	for _, d := range shape {
		n *= d
	}
	v := make([]float64, n)
	for i := range v {
		v[i] = rng.Float64()
	}
	return s.FromFloat64(v, shape...)
}

// TestGradientsMatchFiniteDifferences checks every hand-written loss.
func TestGradientsMatchFiniteDifferences(t *testing.T) {
	for name, f := range map[string]func(t *testing.T, s *torch.Scope){
		"cross entropy": func(t *testing.T, s *torch.Scope) {
			label, weight := labels(s, 4, 2, 6, 6), weights64(s, 2, 6, 6)
			checkDerivative(t, s, 1, []int{2, 4, 3, 3}, func(x *torch.Tensor) *torch.Tensor { return CrossEntropy(x, label, weight) })
		},
		"multi-scale": func(t *testing.T, s *torch.Scope) {
			label, weight := labels(s, 4, 1, 8, 8), weights64(s, 1, 8, 8)
			box := raster.Box{Y0: 0, X0: 4, Y1: 4, X1: 8}
			checkDerivative(t, s, 2, []int{1, 4, 4, 4}, func(x *torch.Tensor) *torch.Tensor {
				whole, part := MultiScale(x, x.Narrow(2, 0, 2).Narrow(3, 2, 2), label, weight, box, 0.1)
				return whole.Add(part)
			})
		},
		"pixel contrast": func(t *testing.T, s *torch.Scope) {
			c := PixelContrast{Temperature: 0.3, BaseTemperature: 0.07, MaxSamples: 16, MaxViews: 3}
			a := Anchors{Views: 3, Images: []int{0, 0, 1}, Classes: []raster.TrainID{2, 5, 2}, Pixels: s.FromInt64([]int64{0, 3, 4, 1, 2, 5, 6, 7, 8}, 9)}
			checkDerivative(t, s, 3, []int{2, 4, 2, 3}, func(x *torch.Tensor) *torch.Tensor { return c.Loss(x.Normalize(1), a) })
		},
		"feature distance": func(t *testing.T, s *torch.Scope) {
			d := FeatureDistance{Classes: []int{0, 1}, Ratio: 0.4, Labels: 3}
			label, frozen := labels(s, 3, 2, 4, 4), weights64(s, 2, 5, 2, 2)
			checkDerivative(t, s, 4, []int{2, 5, 2, 2}, func(x *torch.Tensor) *torch.Tensor { return d.Loss(x, frozen, label) })
		},
	} {
		t.Run(name, func(t *testing.T) { torchtest.Run(t, func(s *torch.Scope) { f(t, s) }) })
	}
}

// TestPatchGradientIsOneSided: the patch loss detaches the partner, so that its
// gradient is that of the loss with the partner held fixed.
func TestPatchGradientIsOneSided(t *testing.T) {
	torchtest.Run(t, func(s *torch.Scope) {
		c := PatchContrast{Temperature: 0.3, Threshold: 0.2, Stride: 8, Steps: 3}
		class := labels(s, 3, 1, 3, 3)
		// b is always surer than a: only a's direction has anchors, and only b is
		// detached in it.
		view := func(features *torch.Tensor, confidence float64) View {
			return View{
				Features: features, Classes: class.In(features.Scope()), Confidence: features.Scope().Full(confidence, torch.Float64, 1, 3, 3),
				Overlap: []raster.Box{{Y0: 0, X0: 8, Y1: 24, X1: 24}}, Flip: []bool{false}, Negatives: []int64{0, 2, 5},
			}
		}
		partner := weights64(s, 1, 4, 3, 3)
		negatives := weights64(s, 6, 4)
		bank := Bank{[]BankEntry{{negatives, s.FromInt64([]int64{0, 1, 2, 0, 1, 2}, 6)}}}
		checkDerivativeHeld(t, s, []int{1, 4, 3, 3}, func(x, held *torch.Tensor) *torch.Tensor {
			// The step's own negatives are detached too: they come from held.
			a, b := view(x, 0.3), view(partner.In(x.Scope()), 0.9)
			r, err := patchWithNegatives(c, a, b, view(held, 0.3), bank)
			if err != nil {
				t.Fatal(err)
			}
			return r
		})
	})
}

// patchWithNegatives is the loss of a and b with the negatives of held.
func patchWithNegatives(c PatchContrast, a, b, held View, bank Bank) (*torch.Tensor, error) {
	step := a.Features.Scope()
	all := BankEntry{}
	for _, e := range bank.Entries {
		all = join(all, BankEntry{e.Features.In(step), e.Classes.In(step)})
	}
	all = join(all, join(c.negatives(held), c.negatives(b)))
	loss, _ := c.direction(c.overlap(a), c.overlap(b), all)
	back, _ := c.direction(c.overlap(b), c.overlap(a), all)
	return loss.Add(back), nil
}

// checkDerivativeHeld is checkDerivative for a function that takes its argument
// twice, the second time held fixed.
func checkDerivativeHeld(t *testing.T, s *torch.Scope, shape []int, f func(x, held *torch.Tensor) *torch.Tensor) {
	t.Helper()
	held := s.FromFloat64(func() []float64 {
		rng := rand.New(rand.NewPCG(5, 1))
		n := 1
		for _, d := range shape {
			n *= d
		}
		v := make([]float64, n)
		for i := range v {
			v[i] = rng.NormFloat64()
		}
		return v
	}(), shape...)
	checkDerivative(t, s, 5, shape, func(x *torch.Tensor) *torch.Tensor { return f(x, held.In(x.Scope())) })
}

// TestBadInputIsAnError: shapes and values that cannot be give a Go error that
// names the operation and the shapes, or the documented zero; the process goes
// on.
func TestBadInputIsAnError(t *testing.T) {
	lib := torchtest.Load(t)
	pixel := PixelContrast{Temperature: 0.1, BaseTemperature: 0.07, MaxSamples: 8, MaxViews: 4}
	for name, c := range map[string]struct {
		f    func(s *torch.Scope)
		want string
	}{
		"label outside the classes": {func(s *torch.Scope) {
			CrossEntropy(s.Zeros(torch.Float32, 1, 3, 2, 2), s.FromInt64([]int64{0, 1, 2, 30}, 1, 2, 2), nil)
		}, "nll_loss2d"},
		"label of another batch": {func(s *torch.Scope) {
			CrossEntropy(s.Zeros(torch.Float32, 2, 3, 2, 2), s.FromInt64([]int64{0, 1, 2, 0}, 1, 2, 2), nil)
		}, "[2 3 2 2]"},
		"weight of another size": {func(s *torch.Scope) {
			CrossEntropy(s.Zeros(torch.Float32, 1, 3, 2, 2), s.FromInt64([]int64{0, 1, 2, 0}, 1, 2, 2), s.Ones(torch.Float32, 1, 3, 3))
		}, "mul"},
		"features of other channels": {func(s *torch.Scope) {
			FeatureDistance{Classes: []int{0}, Ratio: 0.5, Labels: 3}.Loss(s.Zeros(torch.Float32, 1, 4, 2, 2), s.Zeros(torch.Float32, 1, 5, 2, 2), s.FromInt64(make([]int64, 16), 1, 4, 4))
		}, "[1 5 2 2]"},
		"label that does not lie over the map": {func(s *torch.Scope) {
			FeatureDistance{Classes: []int{0}, Ratio: 0.5, Labels: 3}.Loss(s.Zeros(torch.Float32, 1, 4, 2, 2), s.Zeros(torch.Float32, 1, 4, 2, 2), s.FromInt64(make([]int64, 36), 1, 9, 4))
		}, "9x4"},
		"label smaller than the map": {func(s *torch.Scope) {
			FeatureDistance{Classes: []int{0}, Ratio: 0.5, Labels: 3}.Loss(s.Zeros(torch.Float32, 1, 4, 2, 2), s.Zeros(torch.Float32, 1, 4, 2, 2), s.FromInt64(make([]int64, 1), 1, 1, 1))
		}, "1x1"},
	} {
		t.Run(name, func(t *testing.T) {
			err := lib.Run(torch.CPU, func(s *torch.Scope) error { c.f(s); return nil })
			var op *torch.OpError
			if !errors.As(err, &op) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want an OpError that says %q", err, c.want)
			}
		})
	}
	torchtest.Run(t, func(s *torch.Scope) {
		all := s.FromInt64(slices.Repeat([]int64{int64(raster.Ignore)}, 16), 1, 4, 4)
		if v := CrossEntropy(s.Zeros(torch.Float32, 1, 3, 2, 2), all, nil).Item(); v != 0 {
			t.Errorf("cross entropy of an ignored image is %v", v)
		}
		if v := (FeatureDistance{Classes: []int{0}, Ratio: 0.5, Labels: 3}).Loss(s.Ones(torch.Float32, 1, 4, 2, 2), s.Zeros(torch.Float32, 1, 4, 2, 2), all).Item(); v != 0 {
			t.Errorf("feature distance of an ignored image is %v", v)
		}
		a, err := pixel.Sample(slices.Repeat([]uint8{255}, 16), s.Zeros(torch.Uint8, 1, 4, 4), nil)
		if err != nil || len(a.Classes) != 0 {
			t.Errorf("anchors of an ignored image: %v, %v", a, err)
		}
		if v := pixel.Loss(s.Ones(torch.Float32, 1, 4, 4, 4), a).Item(); v != 0 {
			t.Errorf("pixel contrast without an eligible class is %v", v)
		}
		if _, err := pixel.Sample(make([]uint8, 16), s.Zeros(torch.Uint8, 1, 3, 5), nil); err == nil {
			t.Error("labels and predictions of different sizes pass")
		}
	})
}
