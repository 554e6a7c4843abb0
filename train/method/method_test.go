package method

import (
	"errors"
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/loss"
	"github.com/pipa-uda/pipa/train/network"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/torch/torchtest"
	"github.com/pipa-uda/pipa/train/weights/safetensors"
)

const classes = 5

// everyLoss is a small configuration with every loss of a recipe switched on.
func everyLoss(t *testing.T, set ...string) config.Config {
	t.Helper()
	cfg, err := config.Resolve("fixture-pipa", "", append([]string{
		"source.crop=[64, 64]", "target.crop=[64, 64]", "network.dims=[8, 16, 20, 32]", "network.depths=[1, 1, 1, 1]", "network.channels=16",
		"adapt.threshold=0", "adapt.ignore_top=0", "adapt.ignore_bottom=0", "pixel={dim: 16, max_views: 6}", "patch={crop: 64, dim: 16, negatives: 40, threshold: 0.01}",
		"masked={weight: 1, block: 16}", "feature_distance={weight: 0.1, ratio: 0.1, classes: [0, 1, 2]}",
	}, set...))
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// noise are inputs that look like nothing, labeled in stripes, with pairs whose
// crops overlap but for a corner.
func noise(s *torch.Scope, cfg config.Config) Inputs {
	n, h, w := cfg.Source.Batch, cfg.Source.Crop[0], cfg.Source.Crop[1]
	images := func(n, h, w int) *torch.Tensor { return s.Zeros(torch.Float32, n, 3, h, w).NormalInPlace(0, 1) }
	in := Inputs{Source: Images{Image: images(n, h, w), Labels: make([]uint8, n*h*w)}}
	for i := range in.Source.Labels {
		in.Source.Labels[i] = uint8(i / 16 % classes)
		if i%w < 4 {
			in.Source.Labels[i] = uint8(raster.Ignore)
		}
	}
	in.Source.Label = s.Wrap(in.Source.Labels, n, h, w).To(torch.Int64)
	if cfg.Adapt.Enabled {
		in.Target = images(n, h, w)
	}
	if c := cfg.Patch; c.Weight > 0 {
		crops := func(box raster.Box) Crops {
			return Crops{Image: images(c.Batch, c.Crop, c.Crop), Overlap: slices.Repeat([]raster.Box{box}, c.Batch), Flip: make([]bool, c.Batch)}
		}
		in.Pairs = &Pairs{A: crops(raster.Box{Y0: 16, X0: 16, Y1: 64, X1: 64}), B: crops(raster.Box{Y1: 48, X1: 48})}
	}
	return in
}

// step makes a method and takes the gradients of one step.
func step(t *testing.T, s *torch.Scope, cfg config.Config, change func(m *Method)) (*Method, Values) {
	t.Helper()
	if err := s.Lib().Seed(7); err != nil {
		t.Fatal(err)
	}
	m, err := New(s, cfg, classes, Custom{})
	if err != nil {
		t.Fatal(err)
	}
	if m.FrozenStore != nil { // else its features are the encoder's own at first
		if err := s.NoGrad(func(s *torch.Scope) error {
			for _, e := range m.FrozenStore.Parameters() {
				e.Tensor.In(s).DivInPlace(2)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	if change != nil {
		change(m)
	}
	in := noise(s, cfg)
	v, err := m.Gradients(s, in, m.Draw(in, 0), 0, Look{Probe: true})
	if err != nil {
		t.Fatal(err)
	}
	return m, v
}

// recipes are what the method is tested with, and what terms each has.
var recipes = map[string]struct {
	set   []string
	terms []string
}{
	"one scale":        {nil, []string{"source", "pixel", "feature_distance", "mixed", "masked", "patch"}},
	"official":         {[]string{"pixel.mode=official", "patch.mode=official"}, []string{"source", "pixel", "feature_distance", "mixed", "masked", "patch"}},
	"two scales":       {[]string{"network.hrda.crop=[32, 32]"}, []string{"source", "source_detail", "pixel", "feature_distance", "mixed", "mixed_detail", "masked", "masked_detail", "patch"}},
	"two, official":    {[]string{"network.hrda.crop=[32, 32]", "pixel.mode=official", "patch.mode=official"}, []string{"source", "source_detail", "pixel", "feature_distance", "mixed", "mixed_detail", "masked", "masked_detail", "patch"}},
	"source only":      {[]string{"adapt.enabled=false", "patch.weight=0"}, []string{"source", "pixel", "feature_distance", "masked"}},
	"recomputed":       {[]string{"network.checkpointing=true"}, []string{"source", "pixel", "feature_distance", "mixed", "masked", "patch"}},
	"nothing but DACS": {[]string{"pixel.weight=0", "patch.weight=0", "masked.weight=0", "feature_distance.weight=0"}, []string{"source", "mixed"}},
}

// TestEveryLossReachesWhatItTrains: every term is there, not 0, and has a gradient
// in the encoder, but for the released patch loss, of which only the projection
// learns. Heads that only judge have none.
func TestEveryLossReachesWhatItTrains(t *testing.T) {
	for name, c := range recipes {
		t.Run(name, func(t *testing.T) {
			torchtest.Run(t, func(s *torch.Scope) {
				cfg := everyLoss(t, c.set...)
				m, v := step(t, s, cfg, nil)
				if got := slices.Sorted(maps.Keys(v.Losses)); !slices.Equal(got, slices.Sorted(slices.Values(c.terms))) {
					t.Errorf("terms %q, want %q", got, c.terms)
				}
				official := cfg.Patch.Mode == config.Official
				// A random classifier of two scales' first logits takes all pixels for one class.
				alike := official && cfg.Network.HRDA.Enabled()
				for term, l := range v.Losses {
					if l == 0 && !(term == "patch" && alike) {
						t.Errorf("%s is 0", term)
					}
					if reaches := !(term == "patch" && official); (v.Norms[term] > 0) != reaches {
						t.Errorf("%s has a gradient of norm %v in the encoder", term, v.Norms[term])
					}
				}
				for _, e := range m.StudentStore.Parameters() {
					g := e.Tensor.Grad(s)
					learns := g != nil && g.Abs().Sum().Item() > 0
					judge := strings.HasPrefix(e.Name, "cls_head.") || strings.HasPrefix(e.Name, "classifier.")
					if head := network.IsHead(e.Name); head && learns == judge && e.Name != "proj_head.proj.0.bias" && !(alike && strings.HasPrefix(e.Name, "project.")) {
						t.Errorf("head %s learns: %v", e.Name, learns)
					}
				}
			})
		})
	}
}

// TestEveryTermIsDocumented: the package's documentation lists what is computed,
// and nothing else.
func TestEveryTermIsDocumented(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^//\t([a-z_]+) +`).FindAllSubmatch(text, -1) {
		documented[string(m[1])] = true
	}
	computed := map[string]bool{}
	for _, r := range recipes {
		for _, name := range r.terms {
			bare := strings.TrimSuffix(name, "_detail")
			computed[bare] = true
			if !documented[bare] || bare != name && !strings.Contains(string(text), name) {
				t.Errorf("doc.go does not have %s", name)
			}
		}
	}
	if !maps.Equal(documented, computed) {
		t.Errorf("documented are %v, computed %v", documented, computed)
	}
}

// another is a loss that nothing else knows of: the mean of a projection of the
// encoder's coarsest map.
type another struct {
	head   *nn.Conv2d
	name   string
	weight float64
}

func (l another) Terms(_ *Step, p SourcePass) ([]loss.Term, error) {
	last := p.Features[len(p.Features)-1]
	return []loss.Term{{Name: l.name, Value: l.head.Forward(last).Mul(1).Mean().Add(3), Weight: l.weight}}, nil
}

// TestALossNeedsNoOtherPlace: what a loss computes is added, weighted, logged and
// measured, and its head is passed over by whoever predicts.
func TestALossNeedsNoOtherPlace(t *testing.T) {
	torchtest.Run(t, func(s *torch.Scope) {
		cfg := everyLoss(t)
		m, v := step(t, s, cfg, func(m *Method) {
			head := nn.NewConv2d(m.StudentStore.Root().Sub("another"), 32, 4, nn.Conv{Kernel: 1, Bias: true})
			m.sourceLosses = append(m.sourceLosses, another{head, "another", 0.5})
		})
		if l := v.Losses["another"]; math.Abs(l-1.5) > 0.5 || !(v.Norms["another"] > 0) {
			t.Errorf("the loss is %v, of norm %v", l, v.Norms["another"])
		}
		g := m.StudentStore.Get("another.bias").Grad(s)
		if g == nil || math.Abs(g.Sum().Item()-0.5) > 1e-6 {
			t.Errorf("its head's gradient is %v", g)
		}
		tensors, err := m.StudentStore.Tensors()
		if err != nil {
			t.Fatal(err)
		}
		f, err := safetensors.New(nil, tensors)
		if err != nil {
			t.Fatal(err)
		}
		a, err := network.Of(cfg.Network, nil)
		if err != nil {
			t.Fatal(err)
		}
		alone := nn.NewStore(s)
		if _, err := a.New(alone.Root(), classes); err != nil {
			t.Fatal(err)
		}
		if err := network.Load(alone, f); err != nil {
			t.Errorf("a student with another head cannot be used: %v", err)
		}
	})
}

func TestTwoLossesHaveTwoNames(t *testing.T) {
	torchtest.Run(t, func(s *torch.Scope) {
		defer func() {
			if r := recover(); r != "method: two losses are named source" {
				t.Errorf("recovered %v", r)
			}
		}()
		step(t, s, everyLoss(t), func(m *Method) {
			head := nn.NewConv2d(m.StudentStore.Root().Sub("another"), 32, 4, nn.Conv{Kernel: 1})
			m.sourceLosses = append(m.sourceLosses, another{head, "source", 1})
		})
	})
}

// TestALossThatIsNotANumberIsAnError names it, and keeps the bank.
func TestALossThatIsNotANumberIsAnError(t *testing.T) {
	torchtest.Run(t, func(s *torch.Scope) {
		cfg := everyLoss(t, "pixel.weight=1e300") // overflows float32
		m, err := New(s, cfg, classes, Custom{})
		if err != nil {
			t.Fatal(err)
		}
		in := noise(s, cfg)
		_, err = m.Gradients(s, in, m.Draw(in, 0), 0, Look{})
		if bad := (BadLossError{}); !errors.As(err, &bad) || bad.Loss != "pixel" || len(m.Bank.Entries) > 0 {
			t.Errorf("error %v, with %d entries in the bank", err, len(m.Bank.Entries))
		}
	})
}

// TestTheLastPhaseHasALoss: it is the one during which gradients are reduced.
func TestTheLastPhaseHasALoss(t *testing.T) {
	for name, r := range recipes {
		torchtest.Run(t, func(s *torch.Scope) {
			cfg := everyLoss(t, r.set...)
			m, err := New(s, cfg, classes, Custom{})
			if err != nil {
				t.Fatal(err)
			}
			in := noise(s, cfg)
			st := m.Begin(s, in, m.Draw(in, 0), Look{})
			phases := st.Phases()
			for i, p := range phases {
				before := len(st.values.names)
				if err := p.Run(); err != nil {
					t.Fatal(err)
				}
				if i == len(phases)-1 && len(st.values.names) == before {
					t.Errorf("%s: %s has no loss", name, p.Name)
				}
			}
		})
	}
}
