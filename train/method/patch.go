package method

import (
	"fmt"

	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/loss"
	"github.com/pipa-uda/pipa/train/model"
	"github.com/pipa-uda/pipa/train/network"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/weights/safetensors"
)

// patchContrast is PiPa's, of the overlap of two crops (docs/method.md, Patch
// contrast).
type patchContrast struct {
	head   *model.PatchProjection
	rule   patchRule
	stride int // of the maps that are compared, in crop pixels
}

// patchRule is what the paper and the released code do differently: which network
// makes the features, and what says which pixels to trust.
type patchRule interface {
	// maps are those of the first crops and of the second ones.
	maps(st *Step, a, b *torch.Tensor) (patchMaps, patchMaps)
	stride() int // of these maps
}

// patchMaps are what the patch contrast compares.
type patchMaps struct{ embed, class, confidence *torch.Tensor }

// pooled is what one cell of the compared maps covers of the decoder's, each way.
const pooled = 2

// newPatchContrast makes the contrast's heads, and chooses its rule.
func newPatchContrast(heads nn.Path, cfg config.Config, student *network.Network, classes int) *patchContrast {
	p := &patchContrast{stride: pooled * student.Stride()}
	channels := cfg.Network.Channels
	if cfg.Patch.Mode == config.Official {
		ending, stride := student.Ending()
		channels = ending
		p.rule = officialPatch{p, nn.NewConv2d(heads.Sub("classifier"), channels, classes, nn.Conv{Kernel: 1, Bias: true}), pooled * stride}
	} else {
		p.rule = paperPatch{p}
	}
	p.head = model.NewPatchProjection(heads, channels, cfg.Patch.Dim)
	return p
}

// side is that of the maps of a crop.
func (p *patchContrast) side(crop int) int { return crop / p.rule.stride() }

// contrastPatches contrasts the overlap of two crops. The step's negatives go to
// the bank at its end.
func (st *Step) contrastPatches(s *torch.Scope) ([]loss.Term, error) {
	c, in := st.cfg.Patch, st.in.Pairs.in(s)
	a, b := st.patch.rule.maps(st, in.A.Image, in.B.Image)
	contrast := loss.PatchContrast{Temperature: c.Temperature, Threshold: c.Threshold, Stride: st.patch.stride, Steps: c.Steps, Group: st.group}
	r, err := contrast.Loss(a.view(in.A, st.draws.NegativesA), b.view(in.B, st.draws.NegativesB), st.Bank)
	if err != nil {
		return nil, err
	}
	st.negatives = &loss.BankEntry{Features: r.Negatives.Features.In(st.scope), Classes: r.Negatives.Classes.In(st.scope)}
	return []loss.Term{{Name: "patch", Value: r.Loss, Weight: c.Weight}}, nil
}

// paperPatch has the student make the features, and the teacher say which pixels
// to trust.
type paperPatch struct{ *patchContrast }

func (p paperPatch) stride() int { return p.patchContrast.stride }

func (p paperPatch) maps(st *Step, a, b *torch.Tensor) (patchMaps, patchMaps) {
	crops := torch.Cat(0, a, b)
	judged := st.Teacher.Forward(crops, nn.Teaching).Logits.Softmax(1).AvgPool2d(pooled, pooled)
	confidence, class := judged.MaxDim(1, false)
	twice := nn.Training
	twice.Views = 2
	fused := st.Student.Forward(crops, twice).Fused.AvgPool2d(pooled, pooled)
	return patchMaps{p.project(st, fused), class, confidence}.halves()
}

// officialPatch has the teacher make the features and a random classifier judge
// them, so that only the projection learns (docs/method.md, Paper and official
// mode). At two scales the features are the logits of both, in maps of half the crop's
// size that are cut at the other rule's stride all the same.
type officialPatch struct {
	*patchContrast
	classifier *nn.Conv2d // random, and no loss reaches it
	mapStride  int
}

func (p officialPatch) stride() int { return p.mapStride }

// maps takes one crop after the other: each is normalized by its own batch.
func (p officialPatch) maps(st *Step, a, b *torch.Tensor) (patchMaps, patchMaps) {
	of := func(crops *torch.Tensor) patchMaps {
		fused := st.Teacher.Decoded(crops, nn.Teaching).AvgPool2d(pooled, pooled).To(torch.Float32)
		confidence, class := p.classifier.Forward(fused).Detach().Softmax(1).MaxDim(1, false)
		return patchMaps{p.project(st, fused), class, confidence}
	}
	return of(a), of(b)
}

// project is what the patch contrast compares of a fused map.
func (p *patchContrast) project(st *Step, fused *torch.Tensor) (embed *torch.Tensor) {
	st.Student.Autocast(fused, func() { embed = p.head.Forward(fused) })
	return embed.To(torch.Float32)
}

// halves splits the maps of a batch of all first crops and all second ones.
func (m patchMaps) halves() (a, b patchMaps) {
	n := m.embed.Dim(0) / 2
	half := func(from int) patchMaps {
		return patchMaps{m.embed.Narrow(0, from, n), m.class.Narrow(0, from, n), m.confidence.Narrow(0, from, n)}
	}
	return half(0), half(n)
}

func (m patchMaps) view(c Crops, negatives []int64) loss.View {
	return loss.View{Features: m.embed, Classes: m.class, Confidence: m.confidence, Overlap: c.Overlap, Flip: c.Flip, Negatives: negatives}
}

// keepNegatives adds the step's negatives to the bank.
func (st *Step) keepNegatives() error {
	if st.negatives == nil {
		return nil
	}
	return st.Bank.Push(st.root, *st.negatives, st.cfg.Patch.Steps-1)
}

// BankTensors are the bank's, for a file of it.
func (m *Method) BankTensors() ([]safetensors.Tensor, error) {
	var out []safetensors.Tensor
	for i, e := range m.Bank.Entries {
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

// LoadBank sets the bank from such a file.
func (m *Method) LoadBank(f *safetensors.File) error {
	var b loss.Bank
	for i := 0; f.Has(fmt.Sprintf("%03d.features", i)); i++ {
		var e loss.BankEntry
		for name, to := range map[string]**torch.Tensor{"features": &e.Features, "classes": &e.Classes} {
			t, err := f.Tensor(fmt.Sprintf("%03d.%s", i, name))
			if err != nil {
				return err
			}
			if *to, err = nn.Import(m.root, t); err != nil {
				return err
			}
		}
		b.Entries = append(b.Entries, e)
	}
	m.Bank = b
	return nil
}
