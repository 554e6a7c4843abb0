package weights

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/fixtures/golden"
	"github.com/pipa-uda/pipa/train/model"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/torch/torchtest"
)

// TestWantsAreTheModels: what a description says that a network has is what
// train/model makes, name by name and shape by shape.
func TestWantsAreTheModels(t *testing.T) {
	const classes, channels = 6, 4
	for _, encoder := range []string{"mit", "resnet"} {
		for _, decoder := range []string{"daformer", "daformer-aspp", "daformer-conv1", "segformer", "deeplabv2", ""} {
			for _, hrda := range []bool{false, true} {
				if hrda && decoder == "" {
					continue
				}
				n := Network{Encoder: encoder, Dims: [4]int{4, 4, 5, 8}, Depths: [4]int{1, 2, 1, 1}, Decoder: decoder, Classes: classes, Channels: channels, HRDA: hrda}
				if encoder == "resnet" {
					n.Dims = [4]int{16, 32, 64, 128}
				}
				t.Run(encoder+" "+n.String(), func(t *testing.T) {
					torchtest.Run(t, func(s *torch.Scope) {
						store := nn.NewStore(s)
						root := store.Root()
						if encoder == "mit" {
							if _, err := model.NewMixTransformer(root.Sub("backbone"), model.MiTConfig{Dims: n.Dims, Depths: n.Depths}); err != nil {
								t.Fatal(err)
							}
						} else {
							model.NewResNet(root.Sub("backbone"), model.ResNetConfig{Depths: n.Depths, Width: n.Dims[0] / 4})
						}
						head := root.Sub("decode_head")
						if hrda {
							attention := decoder
							if strings.HasPrefix(decoder, "daformer") {
								attention = "daformer-conv1"
							}
							newDecoder(head.Sub("scale_attention"), attention, n)
							head = head.Sub("head")
						}
						newDecoder(head, decoder, n)
						var got, want []string
						for _, e := range store.Entries() {
							got = append(got, line(e.Name, e.Tensor.Shape()))
						}
						for _, w := range n.Wants() {
							want = append(want, line(w.Name, w.Shape))
						}
						slices.Sort(got)
						slices.Sort(want)
						for _, l := range got {
							if !slices.Contains(want, l) {
								t.Errorf("the model has %s, which is not wanted", l)
							}
						}
						for _, l := range want {
							if !slices.Contains(got, l) {
								t.Errorf("%s is wanted, which the model does not have", l)
							}
						}
					})
				})
			}
		}
	}
}

func line[N int | int64](name string, shape []N) string {
	text, err := json.Marshal(shape)
	if err != nil || len(shape) == 0 {
		text = []byte("[]")
	}
	return name + " " + string(text)
}

func newDecoder(p nn.Path, kind string, n Network) {
	c := model.DAFormerConfig{Classes: n.Classes, Channels: n.Channels}
	switch kind {
	case "segformer":
		model.NewSegFormerHead(p, n.Dims[:], n.Classes, n.Channels, 0)
		return
	case "deeplabv2":
		model.NewDeepLabV2Head(p, n.Dims[3], n.Classes)
		return
	case "":
		return
	case "daformer-aspp":
		c.Fusion = model.ASPP
	case "daformer-conv1":
		c.Fusion = model.Pointwise
	}
	model.NewDAFormerHead(p, n.Dims[:], c)
}

// TestWantsAreThePublishedOnes: the released code's own network has the tensors
// of MiT-B5 with DAFormer's decoder, beside the contrasts' heads.
func TestWantsAreThePublishedOnes(t *testing.T) {
	var file struct {
		Params, Buffers []struct {
			Name  string
			Shape []int
		}
	}
	if err := json.Unmarshal(golden.Table(t, "param_groups_daf.json"), &file); err != nil {
		t.Fatal(err)
	}
	n := Network{Encoder: "mit-b5", Dims: [4]int{64, 128, 320, 512}, Depths: [4]int{3, 6, 40, 3}, Decoder: "daformer", Channels: 256, Classes: 19}
	want := map[string]bool{}
	for _, w := range n.Wants() {
		want[line(w.Name, w.Shape)] = true
	}
	seen := 0
	for _, p := range append(file.Params, file.Buffers...) {
		if first, _, _ := strings.Cut(p.Name, "."); contrastHeads[first] {
			continue
		}
		seen++
		if l := line(p.Name, p.Shape); !want[l] {
			t.Errorf("published networks have %s, which is not wanted", l)
		}
	}
	if seen != len(want) {
		t.Errorf("published networks have %d tensors, wanted are %d", seen, len(want))
	}
}
