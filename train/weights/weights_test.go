package weights

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/train/model"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/torch/torchtest"
	"github.com/pipa-uda/pipa/train/weights/safetensors"
)

// encoder gives the tensors of a small MiT, under "backbone.".
func encoder(t *testing.T, s *torch.Scope) (*nn.Store, []safetensors.Tensor) {
	t.Helper()
	store := nn.NewStore(s)
	if _, err := model.NewMixTransformer(store.Root().Sub("backbone"), model.MiTConfig{Dims: [4]int{8, 16, 20, 32}, Depths: [4]int{1, 2, 1, 1}}); err != nil {
		t.Fatal(err)
	}
	tensors, err := store.Tensors()
	if err != nil {
		t.Fatal(err)
	}
	return store, tensors
}

// renamed copies tensors under other names; an empty name drops one.
func renamed(tensors []safetensors.Tensor, name func(string) string) []safetensors.Tensor {
	var out []safetensors.Tensor
	for _, x := range tensors {
		if x.Name = name(x.Name); x.Name != "" {
			out = append(out, x)
		}
	}
	return out
}

// toHuggingFace writes a MiT as transformers names it: the inverse of what the
// package does, in terms of the published layer names.
func toHuggingFace(tensors []safetensors.Tensor) []safetensors.Tensor {
	var out []safetensors.Tensor
	for _, x := range tensors {
		name := strings.TrimPrefix(x.Name, "backbone.")
		var stage, block int
		var rest string
		switch {
		case strings.HasPrefix(name, "patch_embed"):
			fmt.Sscanf(name, "patch_embed%d.%s", &stage, &rest)
			name = fmt.Sprintf("patch_embeddings.%d.%s", stage-1, strings.Replace(rest, "norm.", "layer_norm.", 1))
		case strings.HasPrefix(name, "norm"):
			fmt.Sscanf(name, "norm%d.%s", &stage, &rest)
			name = fmt.Sprintf("layer_norm.%d.%s", stage-1, rest)
		default:
			fmt.Sscanf(name, "block%d.%d.%s", &stage, &block, &rest)
			for _, r := range [][2]string{{"norm1.", "layer_norm_1."}, {"norm2.", "layer_norm_2."}, {"attn.norm.", "attention.self.layer_norm."}, {"attn.q.", "attention.self.query."},
				{"attn.kv.", "attention.self.kv."}, {"attn.sr.", "attention.self.sr."}, {"attn.proj.", "attention.output.dense."}, {"mlp.fc1.", "mlp.dense1."}, {"mlp.fc2.", "mlp.dense2."}} {
				if tail, ok := strings.CutPrefix(rest, r[0]); ok {
					rest = r[1] + tail
					break
				}
			}
			name = fmt.Sprintf("block.%d.%d.%s", stage-1, block, rest)
		}
		x.Name = "segformer.encoder." + name
		if !strings.Contains(name, ".kv.") {
			out = append(out, x)
			continue
		}
		half := append([]int{x.Shape[0] / 2}, x.Shape[1:]...)
		n := len(x.Data) / 2
		for i, part := range []string{".key.", ".value."} {
			out = append(out, safetensors.Tensor{Name: strings.Replace(x.Name, ".kv.", part, 1), DType: x.DType, Shape: half, Data: x.Data[i*n : (i+1)*n]})
		}
	}
	return out
}

// TestEveryNamingGivesTheEncoder: each published naming of one network is read
// back to the same tensors, and loaded strictly.
func TestEveryNamingGivesTheEncoder(t *testing.T) {
	torchtest.Run(t, func(s *torch.Scope) {
		store, tensors := encoder(t, s)
		extra := func(names ...string) []safetensors.Tensor {
			var out []safetensors.Tensor
			for _, n := range names {
				out = append(out, safetensors.Tensor{Name: n, DType: "F32", Shape: []int{1}, Data: make([]byte, 4)})
			}
			return out
		}
		bare := func(n string) string { return strings.TrimPrefix(n, "backbone.") }
		prefixed := func(p string) func(string) string { return func(n string) string { return p + n } }
		for name, file := range map[string][]safetensors.Tensor{
			"SegFormer":      append(renamed(tensors, bare), extra("head.weight", "head.bias")...),
			"Hugging Face":   append(toHuggingFace(tensors), extra("classifier.weight", "classifier.bias")...),
			"mmsegmentation": append(slices.Clone(tensors), extra("decode_head.conv_seg.bias")...),
			"DAFormer": slices.Concat(renamed(tensors, prefixed("model.")), renamed(tensors, prefixed("ema_model.")), renamed(tensors, prefixed("imnet_model.")),
				extra("model.decode_head.conv_seg.bias", "project.0.weight")),
			"data parallel": renamed(tensors, prefixed("module.")),
		} {
			t.Run(name, func(t *testing.T) {
				f, err := safetensors.New(nil, file)
				if err != nil {
					t.Fatal(err)
				}
				if f, err = Canonical(f); err != nil {
					t.Fatal(err)
				}
				part, err := Encoder(f)
				if err != nil {
					t.Fatal(err)
				}
				if err := store.LoadPart("backbone.", part); err != nil {
					t.Fatal(err)
				}
				after, err := store.Tensors()
				if err != nil {
					t.Fatal(err)
				}
				for i := range tensors {
					if string(after[i].Data) != string(tensors[i].Data) {
						t.Errorf("%s has changed", tensors[i].Name)
					}
				}
			})
		}
	})
}

// TestLoadingIsStrict: every missing, unexpected and mis-shaped tensor is named.
func TestLoadingIsStrict(t *testing.T) {
	torchtest.Run(t, func(s *torch.Scope) {
		store, tensors := encoder(t, s)
		for i, x := range tensors {
			switch strings.TrimPrefix(x.Name, "backbone.") {
			case "norm1.bias":
				tensors[i].Name = "backbone.norm9.bias"
			case "norm2.weight":
				tensors[i].Shape = []int{4, 4}
			}
		}
		f, err := safetensors.New(nil, tensors)
		if err != nil {
			t.Fatal(err)
		}
		part, err := Encoder(f)
		if err != nil {
			t.Fatal(err)
		}
		err = store.LoadPart("backbone.", part)
		for _, want := range []string{"norm1.bias is missing", "norm9.bias is unexpected", "norm2.weight is [4 4], want [16]"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v does not say %q", err, want)
			}
		}
	})
	none, err := safetensors.New(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Encoder(none); err == nil || !strings.Contains(err.Error(), "nvidia/mit-b0") {
		t.Errorf("a file without an encoder: %v, want where to get one", err)
	}
}

// TestReadTellsFormatsApart: a file's first bytes say what it is, not its name.
func TestReadTellsFormatsApart(t *testing.T) {
	for _, name := range []string{"zip.pth", "legacy.pth", "legacy4.pth"} {
		f, err := Read("../../train/weights/torchfile/testdata/" + name)
		if err != nil {
			t.Error(err)
			continue
		}
		if n := len(f.Names()); n != 8 {
			t.Errorf("%s has %d tensors, want 8", name, n)
		}
	}
}
