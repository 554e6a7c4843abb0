package train

import (
	"fmt"
	"strings"

	"github.com/pipa-uda/pipa/train/loss"
	"github.com/pipa-uda/pipa/train/model"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/weights"
	"github.com/pipa-uda/pipa/train/weights/safetensors"
)

// networks are a run's parameters. The teacher and the frozen encoder carry no
// contrast heads; what the recipe does not use is nil.
type networks struct {
	studentStore, teacherStore *nn.Store
	frozenStore                *nn.Store // the frozen encoder's
	student, teacher           network
	frozen                     model.Encoder // with the weights the student began with
	pixelHead                  *model.PixelProjection
	pixelClassifier            *model.PixelClassifier // pixel mode official only
	patchHead                  *model.PatchProjection
	patchClassifier            *nn.Conv2d // patch mode official only: random, and no loss reaches it
}

// buildNetworks makes and initialises the networks in scope. The
// initialisation draws from the default generator.
func buildNetworks(scope *torch.Scope, cfg Config, classes int) (n *networks, err error) {
	n = &networks{studentStore: nn.NewStore(scope)}
	root := n.studentStore.Root()
	if n.student, err = cfg.Network.newNetwork(root, classes); err != nil {
		return nil, err
	}
	if cfg.Network.Checkpointing {
		n.student.tape = &nn.Tape{}
	}
	dims := n.student.Backbone.Dims()
	if cfg.Network.Weights != "" {
		if err := loadEncoder(n.studentStore, cfg.Network.Weights); err != nil {
			return nil, err
		}
	}
	if cfg.FeatureDistance.Weight > 0 {
		n.frozenStore = nn.NewStore(scope)
		if n.frozen, err = cfg.Network.newEncoder(n.frozenStore.Root().Sub("backbone")); err != nil {
			return nil, err
		}
		if err := n.frozenStore.CopyFrom(n.studentStore); err != nil {
			return nil, err
		}
		n.frozenStore.Freeze()
	}
	if cfg.Pixel.Weight > 0 {
		n.pixelHead = model.NewPixelProjection(root, dims, cfg.Pixel.Dim)
		if cfg.Pixel.Mode == "official" {
			n.pixelClassifier = model.NewPixelClassifier(root, dims, classes)
		}
	}
	if cfg.Patch.Weight > 0 {
		channels := cfg.Network.Channels
		if cfg.Patch.Mode == "official" {
			if cfg.Network.HRDA.enabled() {
				channels = classes // it contrasts the fused logits
			}
			n.patchClassifier = nn.NewConv2d(root.Sub("classifier"), channels, classes, nn.Conv{Kernel: 1, Bias: true})
		}
		n.patchHead = model.NewPatchProjection(root, channels, cfg.Patch.Dim)
	}
	if cfg.Adapt.Enabled {
		n.teacherStore = nn.NewStore(scope)
		if n.teacher, err = cfg.Network.newNetwork(n.teacherStore.Root(), classes); err != nil {
			return nil, err
		}
		n.teacherStore.Freeze()
	}
	return n, nil
}

// loadEncoder sets backbone.* from a file of published weights. It is strict:
// every encoder parameter must be there in the right shape and finite, and
// nothing else but a classification head.
func loadEncoder(store *nn.Store, path string) error {
	f, err := weights.Open(path)
	if err != nil {
		return fmt.Errorf("network.weights: %w", err)
	}
	var want []weights.Want
	for _, e := range store.Entries() {
		w := weights.Want{Name: e.Name}
		for _, n := range e.Tensor.Shape() {
			w.Shape = append(w.Shape, int(n))
		}
		want = append(want, w)
	}
	encoder, err := f.Fit("backbone.", want)
	if err != nil {
		return fmt.Errorf("network.weights: %w", err)
	}
	if bad, err := weights.NonFinite(encoder); err != nil {
		return err
	} else if len(bad) > 0 {
		return fmt.Errorf("network.weights: %s has values that are not finite, in %s", path, strings.Join(bad, ", "))
	}
	if err := store.LoadPart("backbone.", encoder); err != nil {
		return fmt.Errorf("network.weights: %s: %w", path, err)
	}
	return nil
}

// bankTensors and loadBank save and restore the patch contrast's negatives.
func bankTensors(b loss.Bank) ([]safetensors.Tensor, error) {
	var out []safetensors.Tensor
	for i, e := range b.Entries {
		features, err := nn.Export(fmt.Sprintf("%03d.features", i), e.Features)
		if err != nil {
			return nil, err
		}
		classes, err := nn.Export(fmt.Sprintf("%03d.classes", i), e.Classes)
		if err != nil {
			return nil, err
		}
		out = append(out, features, classes)
	}
	return out, nil
}

func loadBank(scope *torch.Scope, f *safetensors.File) (loss.Bank, error) {
	var b loss.Bank
	for i := 0; f.Has(fmt.Sprintf("%03d.features", i)); i++ {
		var e loss.BankEntry
		for name, to := range map[string]**torch.Tensor{"features": &e.Features, "classes": &e.Classes} {
			t, err := f.Tensor(fmt.Sprintf("%03d.%s", i, name))
			if err != nil {
				return b, err
			}
			if *to, err = nn.Import(scope, t); err != nil {
				return b, err
			}
		}
		b.Entries = append(b.Entries, e)
	}
	return b, nil
}
