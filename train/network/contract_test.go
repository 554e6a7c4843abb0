package network

import (
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/torch/torchtest"
	"github.com/pipa-uda/pipa/train/weights"
	"github.com/pipa-uda/pipa/train/weights/safetensors"
)

// networkOf is a configuration of a network, as the reference has it.
func networkOf(t *testing.T, set ...string) config.Network {
	t.Helper()
	cfg, err := config.Resolve("", "", set)
	if err != nil {
		t.Fatal(err)
	}
	return cfg.Network
}

// A contract is what an encoder is known to be, apart from its code: the published
// table's line.
type contract struct {
	set             []string
	dims, strides   []int
	multiple, least int
	parameters      int
	first           string // its first parameter's published name
}

var pyramid, dilated = []int{4, 8, 16, 32}, []int{4, 8, 8, 8}

var contracts = map[string]contract{
	"mit":       {[]string{"network.dims=[8, 16, 20, 32]", "network.depths=[1, 1, 2, 1]"}, []int{8, 16, 20, 32}, pyramid, 32, 32, 0, "patch_embed1.proj.weight"},
	"mit-b0":    {nil, []int{32, 64, 160, 256}, pyramid, 32, 32, 3_319_392, "patch_embed1.proj.weight"},
	"mit-b1":    {nil, []int{64, 128, 320, 512}, pyramid, 32, 32, 13_151_424, "patch_embed1.proj.weight"},
	"mit-b2":    {nil, []int{64, 128, 320, 512}, pyramid, 32, 32, 24_196_288, "patch_embed1.proj.weight"},
	"mit-b3":    {nil, []int{64, 128, 320, 512}, pyramid, 32, 32, 44_072_128, "patch_embed1.proj.weight"},
	"mit-b4":    {nil, []int{64, 128, 320, 512}, pyramid, 32, 32, 60_842_688, "patch_embed1.proj.weight"},
	"mit-b5":    {nil, []int{64, 128, 320, 512}, pyramid, 32, 32, 81_443_008, "patch_embed1.proj.weight"},
	"resnet50":  {nil, []int{256, 512, 1024, 2048}, dilated, 8, 32, 23_527_264, "stem.0.weight"},
	"resnet101": {nil, []int{256, 512, 1024, 2048}, dilated, 8, 32, 42_519_392, "stem.0.weight"},
}

// TestEveryEncoderKeepsItsContract asks each encoder that a configuration can name:
// its maps have the channels and strides it says, for images of sizes that are
// multiples and of others, down to the least; and its names are those of files that
// others publish.
func TestEveryEncoderKeepsItsContract(t *testing.T) {
	if known := slices.Sorted(maps.Keys(contracts)); !slices.Equal(known, slices.Sorted(slices.Values(Encoders()))) {
		t.Fatalf("there are contracts of %q, and encoders %q: give each its contract", known, Encoders())
	}
	for _, name := range Encoders() {
		t.Run(name, func(t *testing.T) {
			c := contracts[name]
			if !strings.HasPrefix(name, "mit-b") && !strings.Contains(config.Reference(), name) { // the reference has mit-b0 to mit-b5
				t.Errorf("the reference of the configuration does not name it")
			}
			a, err := Of(networkOf(t, append(c.set, "network.encoder="+name)...), nil)
			if err != nil {
				t.Fatal(err)
			}
			s := a.Encoder.Shape()
			if !slices.Equal(s.Dims, c.dims) || !slices.Equal(s.Strides, c.strides) || s.Multiple != c.multiple || s.Least != c.least {
				t.Errorf("it is %+v, want %+v", s, c)
			}
			for i, stride := range s.Strides {
				if s.Multiple%stride != 0 || i > 0 && stride < s.Strides[i-1] {
					t.Errorf("strides %v are not from fine to coarse, or do not divide %d", s.Strides, s.Multiple)
				}
			}
			torchtest.Run(t, func(scope *torch.Scope) {
				store := nn.NewStore(scope)
				encoder, err := a.Encoder.New(store.Root().Sub("backbone"))
				if err != nil {
					t.Fatal(err)
				}
				if n := store.Count(); c.parameters > 0 && n != c.parameters {
					t.Errorf("it has %d parameters, published are %d", n, c.parameters)
				}
				checkNames(t, store, c)
				for _, size := range [][2]int{{2 * s.Multiple, 3 * s.Multiple}, {s.Least, s.Least}, {s.Least + 1, 2*s.Least + 13}} {
					h, w := max(size[0], s.Least), max(size[1], s.Least)
					if err := scope.NoGrad(func(k *torch.Scope) error {
						checkMaps(t, encoder.Forward(k.Zeros(torch.Float32, 1, 3, h, w), nn.Scoring), c, h, w)
						return nil
					}); err != nil {
						t.Fatal(err)
					}
				}
			})
		})
	}
}

func checkMaps(t *testing.T, got []*torch.Tensor, c contract, h, w int) {
	t.Helper()
	if len(got) != len(c.dims) {
		t.Fatalf("it gives %d maps, and says %d", len(got), len(c.dims))
	}
	cells := func(length, stride int) int64 { return int64((length + stride - 1) / stride) }
	for i, m := range got {
		if want := []int64{1, int64(c.dims[i]), cells(h, c.strides[i]), cells(w, c.strides[i])}; !slices.Equal(m.Shape(), want) {
			t.Errorf("map %d of an image of %dx%d is %v, want %v", i, h, w, m.Shape(), want)
		}
	}
}

// large is what a file of weights takes too long to be written for, in parameters.
const large = 30_000_000

// checkNames: weights that are published under the encoder's own names are taken
// for an encoder's, all of them and nothing else.
func checkNames(t *testing.T, store *nn.Store, c contract) {
	t.Helper()
	tensors, err := store.Tensors()
	if err != nil {
		t.Fatal(err)
	}
	var want []weights.Want
	for i, e := range tensors {
		name, ok := strings.CutPrefix(e.Name, "backbone.")
		if !ok {
			t.Errorf("%s is not under backbone", e.Name)
		}
		want = append(want, weights.Want{Name: e.Name, Shape: e.Shape})
		tensors[i].Name = name
	}
	if tensors[0].Name != c.first {
		t.Errorf("the first parameter is %s, want %s", tensors[0].Name, c.first)
	}
	if c.parameters > large && slices.ContainsFunc(slices.Collect(maps.Values(contracts)), func(s contract) bool { return s.first == c.first && s.parameters <= large }) {
		return // it has more of the names that a smaller one of its family has
	}
	path := filepath.Join(t.TempDir(), "published.safetensors")
	if err := safetensors.WriteFile(path, nil, tensors); err != nil {
		t.Fatal(err)
	}
	f, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Fit("backbone.", want); err != nil {
		t.Error(err)
	}
}

// TestEveryNetworkIsWhatItSays: decoders at one scale and at two have the strides,
// maps and endings that they say, and predict at the image's size.
func TestEveryNetworkIsWhatItSays(t *testing.T) {
	for _, encoder := range [][]string{{"network.encoder=mit", "network.dims=[8, 16, 20, 32]", "network.depths=[1, 1, 1, 1]"}, {"network.encoder=resnet50"}} {
		for _, decoder := range Decoders() {
			for _, scales := range []string{"[0, 0]", "[64, 64]"} {
				set := append([]string{"network.decoder=" + decoder, "network.channels=16", "network.hrda.crop=" + scales}, encoder...)
				t.Run(strings.Join([]string{encoder[0], decoder, scales}, " "), func(t *testing.T) {
					a, err := Of(networkOf(t, set...), nil)
					if err != nil {
						t.Fatal(err)
					}
					torchtest.Run(t, func(scope *torch.Scope) {
						store := nn.NewStore(scope)
						net, err := a.New(store.Root(), 5)
						if err != nil {
							t.Fatal(err)
						}
						if err := scope.NoGrad(func(s *torch.Scope) error {
							checkNetwork(t, s, net, a.Geometry())
							return nil
						}); err != nil {
							t.Fatal(err)
						}
					})
				})
			}
		}
	}
}

func checkNetwork(t *testing.T, s *torch.Scope, net *Network, g config.Geometry) {
	t.Helper()
	side := 64
	if g.Stride != net.Stride() || g.Multiple != net.Multiple() || side%g.Multiple != 0 {
		t.Fatalf("geometry %+v, stride %d, multiple %d", g, net.Stride(), net.Multiple())
	}
	x := s.Zeros(torch.Float32, 1, 3, side, 2*side)
	out := net.Forward(x, nn.Scoring)
	if want := []int64{1, 5, int64(side / g.Stride), int64(2 * side / g.Stride)}; !slices.Equal(out.Logits.Shape(), want) {
		t.Errorf("logits %v, want %v", out.Logits.Shape(), want)
	}
	if (out.Fused != nil) != g.Fused {
		t.Errorf("fused map %v, and it says %v", out.Fused, g.Fused)
	}
	if channels, stride := net.Ending(); g.Fused {
		want := []int64{1, int64(channels), int64(side / stride), int64(2 * side / stride)}
		if got := net.Decoded(x, nn.Scoring).Shape(); !slices.Equal(got, want) {
			t.Errorf("it decodes to %v, and says %v", got, want)
		}
	}
	for _, size := range [][2]int{{7, 33}, {95, 61}} {
		p := net.Predict(s.Zeros(torch.Float32, 1, 3, size[0], size[1]), nn.Scoring)
		if want := []int64{1, 5, int64(size[0]), int64(size[1])}; !slices.Equal(p.Shape(), want) {
			t.Errorf("it predicts %v, want %v", p.Shape(), want)
		}
	}
}

func TestWhatThereIsNotIsAWrongValue(t *testing.T) {
	for field, set := range map[string]string{
		"network.encoder":                 "network.encoder=mit-b6",
		"network.decoder":                 "network.decoder=unet",
		"network.dims and network.depths": "network.encoder=mit",
	} {
		_, err := Of(networkOf(t, set), nil)
		wrong := (*config.ValueError)(nil)
		if !errors.As(err, &wrong) || wrong.Field != field {
			t.Errorf("%s: %v", set, err)
		}
	}
	for _, name := range []string{"resnet18", "vit", ""} {
		if _, err := Of(networkOf(t, "network.encoder="+name), nil); err == nil {
			t.Errorf("there is an encoder %q", name)
		}
	}
}

// TestEveryPresetFitsItsNetwork: no published crop is one that its encoder cannot be
// trained on.
func TestEveryPresetFitsItsNetwork(t *testing.T) {
	for _, name := range config.Names() {
		cfg, err := config.Preset(name)
		if err != nil {
			t.Fatal(err)
		}
		a, err := Of(cfg.Network, nil)
		if err == nil {
			err = cfg.Fits(a.Geometry())
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
