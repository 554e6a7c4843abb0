package model

import (
	"fmt"
	"testing"

	"github.com/pipa-uda/pipa/fixtures/golden"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/torch/torchtest"
)

// checkBuffers compares the running statistics after a forward pass.
func checkBuffers(t *testing.T, store *nn.Store, c *golden.Case, prefix string, relative float64) (n int) {
	t.Helper()
	for _, e := range store.Entries() {
		if name := prefix + e.Name; e.Buffer && c.Has(name) {
			n++
			golden.NearRelative(t, name, e.Tensor.To(torch.Float32).Float32s(), c.Floats(name), relative)
		}
	}
	return n
}

func TestDeepLabV2MatchesThePublishedNetwork(t *testing.T) {
	for name, m := range map[string]nn.Mode{"eval": nn.Scoring, "train": nn.Training} {
		t.Run(name, func(t *testing.T) {
			torchtest.Golden(t, "dlv2", func(t *testing.T, s *torch.Scope, in *golden.Case) {
				golden.Fixed(in, "strides", [4]int{1, 2, 1, 1})
				golden.Fixed(in, "dilations", [4]int{1, 1, 2, 4})
				golden.Fixed(in, "contract_dilation", true)
				golden.Fixed(in, "style", "pytorch")
				golden.Fixed(in, "head_dilations", [4]int{6, 12, 18, 24})
				out := in.Part("out")
				config, err := ResNet(fmt.Sprintf("resnet%d", golden.Param[int](in, "resnet_depth")))
				if err != nil {
					t.Fatal(err)
				}
				config.Width = golden.Param[int](in, "stem_channels")
				golden.Fixed(in, "base_channels", config.Width)
				store := nn.NewStore(s)
				encoder := NewResNet(store.Root().Sub("backbone"), config)
				net := Segmentor{encoder, NewDeepLabV2Head(store.Root().Sub("decode_head"), encoder.Dims()[3], golden.Param[int](in, "num_classes"))}
				load(t, s, store, in)
				x := torchtest.Tensor(s, in, "input").SetRequiresGrad(true)
				got := net.Forward(x, m)
				if name == "eval" {
					for i, f := range got.Features {
						feature := fmt.Sprintf("eval.feat%d", i+1)
						golden.NearRelative(t, feature, f.Float32s(), out.Floats(feature), 5e-6)
					}
				}
				golden.NearRelative(t, "logits", got.Logits.Float32s(), out.Floats(name+".logits"), 2e-5)
				got.Logits.Mul(torchtest.Tensor(s, in, "cot.logits")).Sum().Backward()
				golden.NearRelative(t, "grad.input", x.Grad(s).Float32s(), out.Floats(name+".grad.input"), 2e-5)
				if n := checkGrads(t, s, store, out, name+".grad.", 6e-5); n == 0 {
					t.Error("no gradient was compared")
				}
				if m.BatchStatistics && checkBuffers(t, store, out, "train.after.", 2e-6) == 0 {
					t.Error("no running statistic was compared")
				}
			})
		})
	}
}
