package method

import (
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/train/loss"
	"github.com/pipa-uda/pipa/train/network"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/uda"
)

// label has the teacher label the target, without a gradient.
func (st *Step) label(bool) error {
	return st.scope.NoGrad(func(c *torch.Scope) error {
		st.pseudo = st.Label(st.in.in(c)).In(st.scope)
		st.values.trusted = st.pseudo.Confident
		return nil
	})
}

// Label is the teacher's verdict on target images (docs/method.md, Pseudo-labels).
func (m *Method) Label(in Inputs) uda.PseudoLabels {
	a := m.cfg.Adapt
	pseudo := uda.Label(m.Teacher.Predict(in.Target, nn.Teaching), a.Threshold, a.IgnoreTop, a.IgnoreBottom, m.group)
	if in.Valid != nil {
		pseudo.Weight = pseudo.Weight.Mul(in.Valid)
	}
	return pseudo
}

// mixed pastes half of the source's classes over the target, disturbs the mixture
// and learns from it (docs/method.md, ClassMix).
func (st *Step) mixed(c *torch.Scope) ([]loss.Term, error) {
	in, pseudo := st.in.in(c), st.pseudo.In(c)
	mixed := uda.Mix(in.Source.Image, in.Source.Label, in.Target, pseudo, st.draws.Classes)
	if st.look.Picture {
		st.values.Panel = panel(in, pseudo, mixed)
	}
	return st.Student.Train(uda.Apply(mixed.Image, st.draws.Strong), st.draws.MixedBox).Supervise("mixed", mixed.Label, mixed.Weight), nil
}

// masked learns labels from images with blocks hidden (docs/method.md, Masked
// consistency): of the target, or of the source where there is no adaptation.
func (st *Step) masked(c *torch.Scope) ([]loss.Term, error) {
	source := st.in.Source
	image, label, weight := source.Image.In(c), source.Label, (*torch.Tensor)(nil)
	if st.in.Target != nil {
		image, label, weight = st.in.Target.In(c), st.pseudo.Label, st.pseudo.Weight.In(c)
	}
	hidden := st.draws.Blocks.Apply(uda.Apply(image, st.draws.Masked))
	terms := st.Student.Train(hidden, st.draws.MaskedBox).Supervise("masked", label.In(c), weight)
	terms[0].Weight = st.cfg.Masked.Weight // a detail's own keeps its weight, as in the released code (lhoyer/MIC masking_consistency_module.py)
	return terms, nil
}

// panel is what a step shows, four pictures an image: the source, the target with
// its pseudo-label, the teacher's confidence in it, and the mixture.
func panel(in Inputs, pseudo uda.PseudoLabels, mixed uda.Mixed) (rows []pipeline.Sample) {
	for i := range in.Target.Dim(0) {
		gray := pseudo.Probability.Select(0, i).Mul(255).To(torch.Uint8).Unsqueeze(2).Repeat(1, 1, 3)
		label := network.Raster(pseudo.Label.Select(0, i))
		rows = append(rows,
			pipeline.Sample{ID: "source", Image: network.Picture(in.Source.Image, i), Label: network.Raster(in.Source.Label.Select(0, i))},
			pipeline.Sample{ID: "target, pseudo-label", Image: network.Picture(in.Target, i), Label: label},
			pipeline.Sample{ID: "confidence, pseudo-label", Image: network.Raster(gray), Label: label},
			pipeline.Sample{ID: "mixed", Image: network.Picture(mixed.Image, i), Label: network.Raster(mixed.Label.Select(0, i))},
		)
	}
	return rows
}
