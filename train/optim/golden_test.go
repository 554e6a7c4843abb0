package optim

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/pipa-uda/pipa/fixtures/golden"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/torch/torchtest"
	"github.com/pipa-uda/pipa/train/weights/safetensors"
)

func TestAdamW(t *testing.T) {
	torchtest.Golden(t, "adamw", func(t *testing.T, s *torch.Scope, c *golden.Case) {
		golden.Fixed(c, "eps", epsilon)
		store := nn.NewStore(s)
		groups := map[string]Group{}
		rates, decays := golden.Param[[]float64](c, "lr_mult"), golden.Param[[]float64](c, "decay_mult")
		for i, name := range golden.Param[[]string](c, "parameters") {
			store.Root().Param(name, func(p *torch.Tensor) { p.CopyInPlace(torchtest.Tensor(s, c, name)) }, c.Must(name).Shape...)
			groups[name] = Group{rates[i], decays[i]}
		}
		options := Options{Betas: golden.Param[[2]float64](c, "betas"), WeightDecay: golden.Param[float64](c, "weight_decay")}
		make := func() *AdamW {
			return NewAdamW(s, store.Entries(), func(n string) Group { return groups[n] }, options)
		}
		opt := make()
		for step, lr := range golden.Param[[]float64](c, "lr_per_step") {
			for _, e := range store.Parameters() {
				e.Tensor.SetGrad(torchtest.Tensor(s, c, fmt.Sprintf("grad%d.%s", step+1, e.Name)))
			}
			if err := opt.Step(lr); err != nil {
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
	var table struct {
		Params []struct {
			Name      string  `json:"name"`
			LRMult    float64 `json:"lr_mult"`
			DecayMult float64 `json:"decay_mult"`
		} `json:"params"`
	}
	if err := json.Unmarshal(golden.Table(t, "param_groups_daf.json"), &table); err != nil {
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
		for name, p := range golden.Param[map[string]struct {
			Power       float64 `json:"power"`
			Warmup      int     `json:"warmup_iters"`
			WarmupRatio float64 `json:"warmup_ratio"`
			LR          float64 `json:"lr"`
			Iterations  int     `json:"max_steps"`
			Least       float64 `json:"min_lr"`
		}](c, "schedules") {
			if p.Least != 0 {
				continue // the SGD of another recipe, whose rate does not end at 0
			}
			compared++
			schedule := Schedule{Iterations: p.Iterations, Warmup: p.Warmup, WarmupRatio: p.WarmupRatio, Power: p.Power}
			want := c.Floats("lr." + name)
			for i, iteration := range c.Ints("iters." + name) {
				if got := p.LR * schedule.Factor(int(iteration)); math.Abs(got-float64(want[i])) > 1e-6*float64(want[i])+1e-16 {
					t.Errorf("%s at %d: %v, want %v", name, iteration, got, want[i])
				}
			}
		}
		if compared == 0 {
			t.Errorf("%s: nothing was compared", path)
		}
	}
}

func TestLinearScheduleMatchesThePublishedOne(t *testing.T) {
	for _, path := range golden.Files(t, "vfm_schedule") {
		c := golden.Load(t, path)
		for name, p := range golden.Param[map[string]struct {
			Warmup     int     `json:"warmup_iters"`
			Iterations int     `json:"max_steps"`
			Start      float64 `json:"start_factor"`
			Final      float64 `json:"final_factor"`
		}](c, "schedules") {
			if p.Final != 0 {
				t.Errorf("%s ends at %v, want 0", name, p.Final)
			}
			schedule := LinearSchedule{Iterations: p.Iterations, Warmup: p.Warmup, Start: p.Start}
			want := c.Floats("factor." + name)
			for i, iteration := range c.Ints("iters." + name) {
				if got := schedule.Factor(int(iteration)); math.Abs(got-float64(want[i])) > 1e-7 {
					t.Errorf("%s at %d: %v, want %v", name, iteration, got, want[i])
				}
			}
		}
	}
}
