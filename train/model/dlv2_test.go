package model

import (
	"fmt"
	"path/filepath"
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
	for _, path := range golden.Files(t, "dlv2") {
		c := golden.Load(t, path)
		out := c.Part("out")
		for name, m := range map[string]nn.Mode{"eval": nn.Scoring, "train": nn.Training} {
			t.Run(filepath.Base(path)+"/"+name, func(t *testing.T) {
				torchtest.Run(t, func(s *torch.Scope) {
					in := c.Part("in")
					width := in.Must("weight.backbone.layer1.0.conv1.weight").Shape[0]
					store := nn.NewStore(s)
					encoder := NewResNet(store.Root().Sub("backbone"), ResNetConfig{Depths: [4]int{3, 4, 6, 3}, Width: width})
					net := Segmentor{encoder, NewDeepLabV2Head(store.Root().Sub("decode_head"), encoder.Shape().Dims[3], in.Must("cot.logits").Shape[1])}
					load(t, s, store, "", []*golden.Case{in})
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
}
