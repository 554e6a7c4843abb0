package model

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/fixtures/golden"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/torch/torchtest"
)

// load sets every tensor of a store from the "weight.*" tensors of cases, or
// from their byte-coded "q8.*" and "step.*". It is strict about names.
func load(t *testing.T, s *torch.Scope, store *nn.Store, weights ...*golden.Case) {
	t.Helper()
	err := s.NoGrad(func(s *torch.Scope) error {
		for _, e := range store.Entries() {
			value := weight(s, e.Name, weights)
			if value == nil {
				t.Fatalf("no golden weight for %s", e.Name)
			}
			e.Tensor.In(s).CopyInPlace(value)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range weights {
		for _, name := range w.Names() {
			if bare, ok := strings.CutPrefix(name, "weight."); ok && store.Get(bare) == nil {
				t.Errorf("golden weight %s has no place in the network", name)
			}
		}
	}
}

func weight(s *torch.Scope, name string, weights []*golden.Case) *torch.Tensor {
	for _, w := range weights {
		if w.Has("weight." + name) {
			return torchtest.Tensor(s, w, "weight."+name)
		}
		if w.Has("q8." + name) {
			codes, step := w.Floats("q8."+name), w.Floats("step." + name)[0]
			for i := range codes {
				codes[i] = (codes[i] - 128) * step
			}
			return s.FromFloat32(codes, w.Must("q8."+name).Shape...)
		}
	}
	return nil
}

// checkGrads compares the gradient of every parameter that the case has one
// for, and returns their number.
func checkGrads(t *testing.T, s *torch.Scope, store *nn.Store, c *golden.Case, prefix string, relative float64) (n int) {
	t.Helper()
	for _, e := range store.Parameters() {
		if c.Has(prefix + e.Name) {
			n++
			g := e.Tensor.Grad(s)
			if g == nil {
				t.Errorf("%s has no gradient", e.Name)
				continue
			}
			golden.NearRelative(t, prefix+e.Name, g.Float32s(), c.Floats(prefix+e.Name), relative)
		}
	}
	return n
}

// mitConfig is the encoder that a case was made with, without drop path.
func mitConfig(c *golden.Case) MiTConfig {
	golden.Fixed(c, "num_heads", mitHeads)
	golden.Fixed(c, "sr_ratios", mitReduction)
	golden.Fixed(c, "mlp_ratios", [4]int{mitExpansion, mitExpansion, mitExpansion, mitExpansion})
	return MiTConfig{Dims: golden.Param[[4]int](c, "embed_dims"), Depths: golden.Param[[4]int](c, "depths")}
}

func checkMiT(t *testing.T, s *torch.Scope, c, cotangents *golden.Case, config MiTConfig, weights ...*golden.Case) {
	golden.Fixed(c, "qkv_bias", true)
	golden.Fixed(c, "patch_sizes", [4]int{7, 3, 3, 3})
	golden.Fixed(c, "strides", [4]int{4, 2, 2, 2})
	store := nn.NewStore(s)
	net, err := NewMixTransformer(store.Root(), config)
	if err != nil {
		t.Fatal(err)
	}
	load(t, s, store, weights...)
	x := torchtest.Tensor(s, c, "input").SetRequiresGrad(true)
	features := net.Forward(x, nn.Training) // drop path 0
	total := s.Zeros(torch.Float32)
	for i, f := range features {
		name := fmt.Sprintf("stage%d", i+1)
		golden.Near(t, "out."+name, f.Float32s(), c.Floats("out."+name), 3e-5+1e-5*norm(c.Floats("out."+name)))
		total = total.Add(f.Mul(torchtest.Tensor(s, cotangents, "cot."+name)).Sum())
	}
	total.Backward()
	golden.NearRelative(t, "grad.input", x.Grad(s).Float32s(), c.Floats("grad.input"), 2e-5)
	if n := checkGrads(t, s, store, c, "grad.", 4e-5); n == 0 {
		t.Error("no gradient was compared")
	}
	if text := c.Metadata["gradnorm_names"]; text != "" {
		var names []string
		if err := json.Unmarshal([]byte(text), &names); err != nil {
			t.Fatal(err)
		}
		want := c.Floats("gradnorm")
		for i, name := range names {
			got := norm2(store.Get(name).Grad(s).Float32s())
			if math.Abs(got-float64(want[i])) > 1e-4*float64(want[i])+1e-3 {
				t.Errorf("gradient norm of %s: %v, want %v", name, got, want[i])
			}
		}
	}
}

func norm(v []float32) float64 {
	largest := 0.0
	for _, x := range v {
		largest = max(largest, math.Abs(float64(x)))
	}
	return largest
}

func norm2(v []float32) float64 {
	sum := 0.0
	for _, x := range v {
		sum += float64(x) * float64(x)
	}
	return math.Sqrt(sum)
}

func TestMiTMatchesThePublishedEncoder(t *testing.T) {
	torchtest.Golden(t, "mit_tiny", func(t *testing.T, s *torch.Scope, c *golden.Case) {
		checkMiT(t, s, c, c, mitConfig(c), c.Weights())
	})
	torchtest.Golden(t, "mit_b0", func(t *testing.T, s *torch.Scope, c *golden.Case) {
		config, err := MiT("mit-b0")
		if err != nil {
			t.Fatal(err)
		}
		config.DropPath = 0
		if want := mitConfig(c); config != want {
			t.Errorf("MiT-B0 is %+v, want %+v", config, want)
		}
		checkMiT(t, s, c, c.Part("cot"), config, c.Part("weights-1-of-2"), c.Part("weights-2-of-2"))
	})
}

// fixedHead fails unless a case of the DAFormer decoder has its constants.
func fixedHead(c *golden.Case) {
	golden.Fixed(c, "dilations", asppDilations)
	golden.Fixed(c, "aspp_separable", true)
	golden.Fixed(c, "aspp_pool", false)
	golden.Fixed(c, "align_corners", false)
	golden.Fixed(c, "batch_norm_eps", 1e-5)
	golden.Fixed(c, "batch_norm_momentum", 0.1)
}

func TestDAFormerHeadMatchesThePublishedDecoder(t *testing.T) {
	for mode, m := range map[string]nn.Mode{"eval": nn.Scoring, "train": nn.Teaching} {
		t.Run(mode, func(t *testing.T) {
			torchtest.Golden(t, "daformer_head", func(t *testing.T, s *torch.Scope, c *golden.Case) {
				fixedHead(c)
				store := nn.NewStore(s)
				dims, channels := golden.Param[[4]int](c, "in_channels"), golden.Param[int](c, "head_channels")
				golden.Fixed(c, "head_embed_dim", channels)
				var features [4]*torch.Tensor
				for i := range features {
					features[i] = torchtest.Tensor(s, c, fmt.Sprintf("feat%d", i+1)).SetRequiresGrad(true)
				}
				head := NewDAFormerHead(store.Root(), dims, DAFormerConfig{Classes: golden.Param[int](c, "num_classes"), Channels: channels, Dropout: golden.Param[float64](c, "dropout")})
				load(t, s, store, c.Weights())
				logits, fused := head.Forward(features, m)
				golden.NearRelative(t, "logits", logits.Float32s(), c.Floats(mode+".logits"), 8e-6)
				golden.NearRelative(t, "fused", fused.Float32s(), c.Floats(mode+".fused"), 8e-6)
				logits.Mul(torchtest.Tensor(s, c, "cot.logits")).Sum().Add(fused.Mul(torchtest.Tensor(s, c, "cot.fused")).Sum()).Backward()
				compared := checkGrads(t, s, store, c, mode+".grad.", 1e-5)
				for i, f := range features {
					if name := fmt.Sprintf("%s.grad.feat%d", mode, i+1); c.Has(name) {
						golden.NearRelative(t, name, f.Grad(s).Float32s(), c.Floats(name), 1e-5)
						compared++
					}
				}
				if compared == 0 {
					t.Error("no gradient was compared")
				}
				if m.BatchStatistics {
					for _, e := range store.Entries() {
						if name := "train.after." + e.Name; e.Buffer && c.Has(name) {
							golden.NearRelative(t, name, e.Tensor.Float32s(), c.Floats(name), 2e-6)
						}
					}
				}
			})
		})
	}
}
