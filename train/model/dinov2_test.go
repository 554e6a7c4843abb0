package model

import (
	"fmt"
	"slices"
	"testing"

	"github.com/pipa-uda/pipa/fixtures/golden"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/torch/torchtest"
)

// dinoConfig is the encoder that a case was made with.
func dinoConfig(c *golden.Case) DINOv2Config {
	golden.Fixed(c, "patch_size", dinoPatch)
	golden.Fixed(c, "qkv_bias", true)
	golden.Fixed(c, "layer_scale", true)
	golden.Fixed(c, "layer_norm_eps", 1e-6)
	golden.Fixed(c, "interpolate_mode", "bicubic")
	config := DINOv2Config{
		Dim: golden.Param[int](c, "embed_dim"), Depth: golden.Param[int](c, "depth"), Heads: golden.Param[int](c, "num_heads"),
		Grid: golden.Param[int](c, "pos_grid"), Registers: golden.Param[int](c, "register_tokens"),
		SwiGLU: golden.Param[string](c, "ffn") == "swiglufused", Antialias: golden.Param[bool](c, "interpolate_antialias"),
	}
	golden.Fixed(c, "ffn_hidden", config.hidden())
	if config.Antialias {
		golden.Fixed(c, "interpolate_offset", 0.0)
	} else {
		golden.Fixed(c, "interpolate_offset", dinoOffset)
	}
	return config
}

// within compares by the largest value of what is wanted, as the cases' own
// tolerances grow with it.
func within(t *testing.T, c *golden.Case, name string, got *torch.Tensor) {
	t.Helper()
	want := c.Floats(name)
	golden.Near(t, name, got.Float32s(), want, 2e-6+1e-5*norm(want))
}

func TestDINOv2MatchesThePublishedEncoder(t *testing.T) {
	for _, kind := range []string{"dinov2", "dinov2_reg", "dinov2_swiglu"} {
		torchtest.Golden(t, kind, checkDINOv2)
	}
}

func checkDINOv2(t *testing.T, s *torch.Scope, c *golden.Case) {
	config := dinoConfig(c)
	store := nn.NewStore(s)
	net, err := NewVisionTransformer(store.Root(), config)
	if err != nil {
		t.Fatal(err)
	}
	load(t, s, store, c.Weights())
	x := torchtest.Tensor(s, c, "input").SetRequiresGrad(true)
	grid := golden.Param[[2]int](c, "token_grid")

	within(t, c, "out.patch_embed", net.patches.Forward(x).Flatten(2, 3).Transpose(1, 2))
	within(t, c, "out.pos_embed", net.at(grid[0], grid[1]))
	within(t, c, "out.tokens", net.embed(x, nil).All)
	tokens := net.embed(x, nil).All
	for i, b := range net.blocks {
		tokens = b.forward(tokens, nn.Training)
		within(t, c, fmt.Sprintf("out.block%d", i), tokens)
	}
	out := net.Tokens(x, nil, nn.Training)
	within(t, c, "out.patch", out.Map())
	within(t, c, "out.cls", out.Class())
	total := out.Map().Mul(torchtest.Tensor(s, c, "cot.patch")).Sum().Add(out.Class().Mul(torchtest.Tensor(s, c, "cot.cls")).Sum())
	if config.Registers > 0 {
		within(t, c, "out.registers", out.Registers())
		total = total.Add(out.Registers().Mul(torchtest.Tensor(s, c, "cot.registers")).Sum())
	}
	total.Backward()
	golden.NearRelative(t, "grad.input", x.Grad(s).Float32s(), c.Floats("grad.input"), 1e-5)
	if got, want := checkGrads(t, s, store, c, "grad.", 2e-5), len(store.Parameters())-1; got != want { // all but the mask token
		t.Errorf("%d gradients were compared, want %d", got, want)
	}

	// The last of the intermediate maps is the encoder's own.
	maps := net.Intermediate(x, []int{0, config.Depth - 1}, nn.Training)
	if len(maps) != 2 || !slices.Equal(maps[1].Float32s(), out.Map().Float32s()) {
		t.Errorf("the intermediate map of the last block is not the encoder's")
	}

	if c.Has("alt.input") { // a grid of as many cells, but not square
		x := torchtest.Tensor(s, c, "alt.input")
		grid := golden.Param[[2]int](c, "alt_token_grid")
		within(t, c, "alt.out.pos_embed", net.at(grid[0], grid[1]))
		out := net.Tokens(x, nil, nn.Scoring)
		within(t, c, "alt.out.patch", out.Map())
		within(t, c, "alt.out.cls", out.Class())
	}
}

// TestDINOv2HasThePublishedSizes counts the parameters of the published models
// and names their tensors.
func TestDINOv2HasThePublishedSizes(t *testing.T) {
	for name, want := range map[string]int{"dinov2-s": 22_056_576, "dinov2-s-reg": 22_058_112, "dinov2-b": 86_580_480} {
		t.Run(name, func(t *testing.T) {
			config, err := DINOv2(name)
			if err != nil {
				t.Fatal(err)
			}
			torchtest.Run(t, func(s *torch.Scope) {
				store := nn.NewStore(s)
				if _, err := NewVisionTransformer(store.Root(), config); err != nil {
					t.Fatal(err)
				}
				got := 0
				for _, e := range store.Parameters() {
					got += e.Tensor.Numel()
				}
				if got != want {
					t.Errorf("%d parameters, want %d", got, want)
				}
			})
		})
	}
	if _, err := DINOv2("dinov2-x"); err == nil {
		t.Error("dinov2-x was taken")
	}
}

func TestUpscaleHeadMatchesThePublishedOne(t *testing.T) {
	torchtest.Golden(t, "vfm_head", func(t *testing.T, s *torch.Scope, c *golden.Case) {
		golden.Fixed(c, "layer_norm_eps", 1e-6)
		channels := golden.Param[[3]int](c, "upscale_channels")
		if channels[1] != channels[0]/2 || channels[2] != channels[0]/4 {
			t.Fatalf("channels are %v, want halves", channels)
		}
		store := nn.NewStore(s)
		head := NewUpscaleHead(store.Root(), channels[0], golden.Param[int](c, "num_classes"))
		load(t, s, store, c.Weights())
		x := torchtest.Tensor(s, c, "input").SetRequiresGrad(true)
		within(t, c, "out.upscale.6", head.upscale(x))
		logits, _ := head.Forward([]*torch.Tensor{x}, nn.Training)
		within(t, c, "out.logits", logits)
		logits.Mul(torchtest.Tensor(s, c, "cot.logits")).Sum().Backward()
		golden.NearRelative(t, "grad.input", x.Grad(s).Float32s(), c.Floats("grad.input"), 1e-5)
		if got, want := checkGrads(t, s, store, c, "grad.", 2e-5), len(store.Parameters()); got != want {
			t.Errorf("%d gradients were compared, want %d", got, want)
		}
	})
}

// TestVFMNetworkMatchesThePublishedOne: resize, encoder, head and resize, with
// and without a mask of tokens.
func TestVFMNetworkMatchesThePublishedOne(t *testing.T) {
	torchtest.Golden(t, "vfm_net", func(t *testing.T, s *torch.Scope, c *golden.Case) {
		golden.Fixed(c, "align_corners", false)
		golden.Fixed(c, "logits_stride", 4)
		size := golden.Param[int](c, "img_size")
		golden.Fixed(c, "vit_in_img_size", InnerSide(size))
		ignore := golden.Param[int](c, "ignore_index")
		for _, prefix := range []string{"", "masked."} {
			store := nn.NewStore(s)
			encoder, err := NewVisionTransformer(store.Root().Sub("encoder"), dinoConfig(c))
			if err != nil {
				t.Fatal(err)
			}
			head := NewUpscaleHead(store.Root(), golden.Param[int](c, "embed_dim"), golden.Param[int](c, "num_classes"))
			load(t, s, store, c.Weights())
			x := torchtest.Tensor(s, c, "input").SetRequiresGrad(true)
			var hidden *torch.Tensor
			compared := len(store.Parameters()) - 1 // all but the mask token
			if prefix != "" {
				hidden = torchtest.Tensor(s, c, "token_mask").To(torch.Bool)
				compared++
			}
			inner := x.UpsampleBilinear(InnerSide(size), InnerSide(size), false)
			within(t, c, prefix+"out.tokens", encoder.embed(inner, hidden).All)
			features := encoder.Tokens(inner, hidden, nn.Training).Map()
			within(t, c, prefix+"out.features", features)
			low, _ := head.Forward([]*torch.Tensor{features}, nn.Training)
			golden.NearRelative(t, prefix+"out.logits_low", low.Float32s(), c.Floats(prefix+"out.logits_low"), 5e-5)
			logits := low.UpsampleBilinear(size, size, false)
			golden.NearRelative(t, prefix+"out.logits_every4", logits.Slice(2, 0, size, 4).Slice(3, 0, size, 4).Float32s(), c.Floats(prefix+"out.logits_every4"), 3e-5)
			loss := logits.LogSoftmax(1).NLLPixels(torchtest.Tensor(s, c, "label"), ignore).Sum()
			golden.NearRelative(t, prefix+"loss", loss.Float32s(), c.Floats(prefix+"loss"), 2e-6)
			loss.Backward()
			golden.NearRelative(t, prefix+"grad.input", x.Grad(s).Float32s(), c.Floats(prefix+"grad.input"), 4e-5)
			if got := checkGrads(t, s, store, c, prefix+"grad.", 5e-5); got != compared {
				t.Errorf("%d gradients were compared, want %d", got, compared)
			}
		}
	})
}
