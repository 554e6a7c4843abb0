package optim

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/fixtures/golden"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/torch/torchtest"
	"github.com/pipa-uda/pipa/train/weights/safetensors"
)

func TestAdamW(t *testing.T) {
	for _, path := range golden.Files(t, "adamw") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			c := golden.Load(t, path)
			torchtest.Run(t, func(s *torch.Scope) {
				store := nn.NewStore(s)
				groups := map[string]Group{}
				for i := 0; c.Has(fmt.Sprintf("p%d", i)); i++ {
					name := fmt.Sprintf("p%d", i)
					store.Root().Param(name, func(p *torch.Tensor) { p.CopyInPlace(torchtest.Tensor(s, c, name)) }, c.Must(name).Shape...)
					groups[name] = Group{float64(c.Ints("lr_mult")[i]), float64(c.Ints("decay_mult")[i])}
				}
				make := func() *AdamW {
					return NewAdamW(s, store.Entries(), func(n string) Group { return groups[n] }, Options{Betas: [2]float64{0.9, 0.999}, WeightDecay: 0.01})
				}
				opt := make()
				for step, lr := range c.Floats("lr") {
					for _, e := range store.Parameters() {
						e.Tensor.SetGrad(torchtest.Tensor(s, c, fmt.Sprintf("grad%d.%s", step+1, e.Name)))
					}
					if err := opt.Step(float64(lr)); err != nil {
						t.Fatal(err)
					}
					for _, e := range store.Parameters() {
						name := fmt.Sprintf("after%d.%s", step+1, e.Name)
						golden.NearRelative(t, name, e.Tensor.Float32s(), c.Floats(name), 2e-6)
					}
					// Half way, the state moves to a new optimizer.
					tensors, err := opt.Tensors()
					if err != nil {
						t.Fatal(err)
					}
					file := filepath.Join(t.TempDir(), "optimizer.safetensors")
					if err := safetensors.WriteFile(file, nil, tensors); err != nil {
						t.Fatal(err)
					}
					saved, err := safetensors.Open(file)
					if err != nil {
						t.Fatal(err)
					}
					opt = make()
					if err := opt.Load(saved); err != nil {
						t.Fatal(err)
					}
				}
			})
		})
	}
}

func TestParametersWithoutGradientStandStill(t *testing.T) {
	torchtest.Run(t, func(s *torch.Scope) {
		store := nn.NewStore(s)
		a, b := store.Root().Param("a", nn.Constant(1), 2), store.Root().Param("b", nn.Constant(1), 2)
		opt := NewAdamW(s, store.Entries(), func(string) Group { return Group{1, 1} }, Options{Betas: [2]float64{0.9, 0.999}, WeightDecay: 0.1})
		a.Sum().Backward()
		if err := opt.Step(0.1); err != nil {
			t.Fatal(err)
		}
		if a.Float64s()[0] == 1 || b.Float64s()[0] != 1 {
			t.Errorf("a %v, b %v", a.Float64s(), b.Float64s())
		}
		if a.Grad(s) != nil {
			t.Error("the gradient is still there")
		}
	})
}

func TestGroupsFollowThePublishedConfiguration(t *testing.T) {
	text, err := os.ReadFile(golden.Path(t, "param_groups_daf.json"))
	if err != nil {
		t.Fatal(err)
	}
	var table struct {
		Params []struct {
			Name      string  `json:"name"`
			LRMult    float64 `json:"lr_mult"`
			DecayMult float64 `json:"decay_mult"`
		} `json:"params"`
	}
	if err := json.Unmarshal(text, &table); err != nil {
		t.Fatal(err)
	}
	if len(table.Params) == 0 {
		t.Fatal("no parameters")
	}
	for _, p := range table.Params {
		if got, want := GroupOf(p.Name, 10), (Group{p.LRMult, p.DecayMult}); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", p.Name, got, want)
		}
	}
}

func TestSchedule(t *testing.T) {
	for _, path := range golden.Files(t, "lr_schedule") {
		c := golden.Load(t, path)
		compared := 0
		for _, name := range c.Names() {
			kind, ok := strings.CutPrefix(name, "lr.")
			if !ok || !c.Has("iters."+kind) {
				continue
			}
			base, schedule := 6e-5, Schedule{Iterations: 60000, Warmup: 1500, WarmupRatio: 1e-6, Power: 1}
			switch {
			case strings.HasSuffix(kind, "_head"):
				base *= 10
			case strings.HasPrefix(kind, "40k"):
				schedule.Iterations = 40000
			case kind != "60k":
				continue // another optimizer's schedule
			}
			compared++
			want := c.Floats(name)
			for i, iteration := range c.Ints("iters." + kind) {
				if got := base * schedule.Factor(int(iteration)); math.Abs(got-float64(want[i])) > 1e-6*float64(want[i])+1e-16 {
					t.Errorf("%s at %d: %v, want %v", kind, iteration, got, want[i])
				}
			}
		}
		if compared == 0 {
			t.Errorf("%s: nothing was compared", path)
		}
	}
}
