package torch

import (
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
)

// device is the CPU, or what PIPA_TEST_DEVICE says.
func device() Device {
	if d := os.Getenv("PIPA_TEST_DEVICE"); d != "" {
		return Device(d)
	}
	return CPU
}

// run gives f a scope of the backend. A machine without the backend fails the
// test: "make torch" builds it.
func run(t *testing.T, f func(s *Scope)) {
	t.Helper()
	runOn(t, device(), f)
}

func runOn(t *testing.T, d Device, f func(s *Scope)) {
	t.Helper()
	lib, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	before := lib.LiveTensors()
	if err := lib.Run(d, func(s *Scope) error { f(s); return nil }); err != nil {
		t.Fatal(err)
	}
	if after := lib.LiveTensors(); after != before {
		t.Errorf("%d tensors are left over", after-before)
	}
}

func TestArgumentsOfEveryKind(t *testing.T) {
	run(t, func(s *Scope) {
		a := s.FromFloat32([]float32{1, 2, 3, 4, 5, 6}, 2, 3)
		index := s.FromInt64([]int64{1, 0}, 2)
		for _, c := range []struct {
			name string
			got  *Tensor
			want []float64
		}{
			{"tensor", a.Add(a), []float64{2, 4, 6, 8, 10, 12}},
			{"float scalar", a.Mul(0.5), []float64{0.5, 1, 1.5, 2, 2.5, 3}},
			{"int scalar", a.Sub(1), []float64{0, 1, 2, 3, 4, 5}},
			{"int list and bool", a.SumDim(true, 0), []float64{5, 7, 9}},
			{"type", a.Gt(2.5).To(Int64), []float64{0, 0, 1, 1, 1, 1}},
			{"device by name", a.ToDevice(CPU), []float64{1, 2, 3, 4, 5, 6}},
			{"tensor list", Cat(1, a, a.Narrow(1, 0, 1)), []float64{1, 2, 3, 1, 4, 5, 6, 4}},
			{"absent optional tensor in a list", a.Index(nil, index), []float64{2, 1, 5, 4}},
			{"absent optional tensor", a.Linear(s.Ones(Float32, 1, 3), nil), []float64{6, 15}},
			{"several results", second(a.MaxDim(1, false)), []float64{2, 2}},
			{"list of results", a.Chunk(3, 1)[2], []float64{3, 6}},
			{"string", s.Call("scatter.reduce", s.Ones(Float32, 3), 0, index, s.Full(5, Float32, 2), "multiply")[0], []float64{5, 5, 1}},
			{"float list", s.Call("upsample_bilinear2d.vec", s.Ones(Float32, 1, 1, 1, 1), nil, false, []float64{2, 2})[0], []float64{1, 1, 1, 1}},
			{"dtype at creation", s.Arange(3, Float64), []float64{0, 1, 2}},
		} {
			if got := c.got.Float64s(); !slices.Equal(got, c.want) {
				t.Errorf("%s: %v, want %v", c.name, got, c.want)
			}
		}
	})
}

func second(_, b *Tensor) *Tensor { return b }

func TestErrorsNameTheOperationAndShapes(t *testing.T) {
	lib, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		do   func(s *Scope)
		want []string
	}{
		{"shapes", func(s *Scope) { s.Ones(Float32, 2, 3).Matmul(s.Ones(Float32, 2, 3)) }, []string{"matmul", "float32[2 3]", "cannot be multiplied"}},
		{"unknown operator", func(s *Scope) { s.Call("no_such_operator") }, []string{"no_such_operator"}},
		{"missing argument", func(s *Scope) { s.Call("relu") }, []string{"relu", "missing"}},
		{"too many arguments", func(s *Scope) { x := s.Ones(Float32, 1); s.Call("relu", x, x) }, []string{"takes 1 arguments, got 2"}},
		{"wrong kind", func(s *Scope) { s.Call("relu", 3) }, []string{"wants Tensor"}},
		{"backward of a leaf without grad", func(s *Scope) { s.Ones(Float32, 1).Backward() }, []string{"backward", "float32[1]"}},
		{"no such dimension", func(s *Scope) { s.Ones(Float32, 1).Dim(3) }, []string{"no dimension 3"}},
		{"memory of the wrong length", func(s *Scope) { s.FromFloat32([]float32{1}, 2) }, []string{"1 elements do not fill shape [2]"}},
		{"item of many", func(s *Scope) { s.Ones(Float32, 2).Item() }, []string{"not a single element"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := lib.Run(CPU, func(s *Scope) error { c.do(s); return nil })
			var op *OpError
			if !errors.As(err, &op) {
				t.Fatalf("error %v, want an OpError", err)
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q lacks %q", err, w)
				}
			}
		})
	}
	if n := lib.LiveTensors(); n != 0 {
		t.Errorf("%d tensors are left over after errors", n)
	}
}

func TestGradientsMatchFiniteDifferences(t *testing.T) {
	run(t, func(s *Scope) {
		f := func(x *Tensor) *Tensor { return x.Mul(x).Exp().Softmax(0).Log().Mul(x).Sum() }
		at := []float64{0.3, -0.2, 0.5}
		x := s.FromFloat64(at, 3).SetRequiresGrad(true)
		f(x).Backward()
		got := x.Grad(s).Float64s()
		for i := range at {
			const h = 1e-6
			move := func(d float64) float64 {
				moved := slices.Clone(at)
				moved[i] += d
				return f(s.FromFloat64(moved, 3)).Item()
			}
			if want := (move(h) - move(-h)) / (2 * h); math.Abs(got[i]-want) > 1e-7 {
				t.Errorf("d/dx%d = %v, want %v", i, got[i], want)
			}
		}
	})
}

func TestGradAccumulatesAndClears(t *testing.T) {
	run(t, func(s *Scope) {
		x := s.Ones(Float32, 2).SetRequiresGrad(true)
		if x.Grad(s) != nil {
			t.Error("a gradient before backward")
		}
		x.Mul(3).Sum().Backward()
		x.Mul(s.FromFloat32([]float32{1, 2}, 2)).BackwardWith(s.FromFloat32([]float32{1, 10}, 2))
		if got := x.Grad(s).Float64s(); !slices.Equal(got, []float64{4, 23}) {
			t.Errorf("gradient %v", got)
		}
		x.SetGrad(nil)
		if x.Grad(s) != nil {
			t.Error("a gradient after clearing")
		}
	})
}

func TestScopesOwnTheirTensors(t *testing.T) {
	run(t, func(s *Scope) {
		weight := s.Ones(Float32, 2)
		var kept, lost *Tensor
		if err := s.Run(func(step *Scope) error {
			x := step.Full(2, Float32, 2)
			lost = weight.Mul(x)
			if lost.Scope() != step {
				t.Error("a result did not join the younger scope of its operands")
			}
			if weight.Add(1).Scope() != s {
				t.Error("a result left the scope of its only operand")
			}
			kept = lost.In(s)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if got := kept.Float64s(); !slices.Equal(got, []float64{2, 2}) {
			t.Errorf("kept %v", got)
		}
		defer func() {
			if r := recover(); r == nil || !strings.Contains(r.(string), "after its scope ended") {
				t.Errorf("use after free: %v", r)
			}
		}()
		lost.Add(1)
	})
}

func TestNoGradRecordsNothing(t *testing.T) {
	run(t, func(s *Scope) {
		w := s.Ones(Float32, 2).SetRequiresGrad(true)
		if err := s.NoGrad(func(s *Scope) error {
			if w.In(s).Mul(2).RequiresGrad() {
				t.Error("recorded inside NoGrad")
			}
			w.In(s).AddInPlace(1)
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if !w.Mul(2).RequiresGrad() {
			t.Error("not recorded after NoGrad")
		}
		if got := w.Float64s(); !slices.Equal(got, []float64{2, 2}) {
			t.Errorf("in-place update under NoGrad: %v", got)
		}
	})
}

func TestSeedRepeatsDraws(t *testing.T) {
	run(t, func(s *Scope) {
		draw := func() []float64 {
			if err := s.Lib().Seed(7); err != nil {
				t.Fatal(err)
			}
			return append(s.Randn(4).Float64s(), s.Ones(Float32, 8).Dropout(0.5).Float64s()...)
		}
		if a, b := draw(), draw(); !slices.Equal(a, b) {
			t.Errorf("%v, then %v", a, b)
		}
	})
}

func TestWrapSharesMemory(t *testing.T) {
	runOn(t, CPU, func(s *Scope) {
		pix := []byte{1, 2, 3, 4}
		w, c := s.Wrap(pix, 2, 2), s.FromUint8(pix, 2, 2)
		pix[0] = 9
		if got := w.Int64s()[0]; got != 9 {
			t.Errorf("wrapped tensor reads %d, want the changed 9", got)
		}
		if got := c.Int64s()[0]; got != 1 {
			t.Errorf("copied tensor reads %d, want 1", got)
		}
	})
}

// TestMemoryIsFlat trains a small layer for 1,000 steps: no handle outlives
// its step.
func TestMemoryIsFlat(t *testing.T) {
	run(t, func(s *Scope) {
		w := s.Randn(32, 32).SetRequiresGrad(true)
		var live int
		for i := range 1000 {
			if err := s.Run(func(s *Scope) error {
				s.Randn(16, 32).Matmul(w).Relu().Mean().Backward()
				return s.NoGrad(func(s *Scope) error {
					w.In(s).AddScaledInPlace(w.Grad(s), -0.1)
					w.SetGrad(nil)
					return nil
				})
			}); err != nil {
				t.Fatal(err)
			}
			switch n := s.Lib().LiveTensors(); {
			case i == 0:
				live = n
			case n != live:
				t.Fatalf("step %d: %d live tensors, %d after the first step", i, n, live)
			}
		}
	})
}

func TestGoroutinesAreIndependent(t *testing.T) {
	lib, err := Load("")
	if err != nil {
		t.Fatal(err)
	}
	errs := make(chan error)
	for g := range 4 {
		go func() {
			errs <- lib.Run(CPU, func(s *Scope) error {
				for range 50 {
					if got := s.Full(float64(g), Float32, 10).Sum().Item(); got != float64(10*g) {
						return errors.New("a wrong sum")
					}
				}
				return nil
			})
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func BenchmarkSmallOp(b *testing.B) {
	lib, err := Load("")
	if err != nil {
		b.Fatal(err)
	}
	if err := lib.Run(CPU, func(root *Scope) error {
		x := root.Ones(Float32, 4)
		for b.Loop() {
			if err := root.NoGrad(func(s *Scope) error {
				y := x.In(s)
				for range 100 {
					y = y.Add(x)
				}
				return nil
			}); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/op-call")
}
