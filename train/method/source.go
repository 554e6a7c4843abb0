package method

import (
	"github.com/pipa-uda/pipa/train/loss"
	"github.com/pipa-uda/pipa/train/model"
	"github.com/pipa-uda/pipa/train/network"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
)

// A SourcePass is the student's pass of training of source images.
type SourcePass struct {
	Images
	network.Pass
}

// A SourceLoss has terms of its own in the source's phase, beside the cross
// entropy. Of several ranks, each computes its share ([Step.Group]).
type SourceLoss interface {
	Terms(st *Step, p SourcePass) ([]loss.Term, error)
}

// source is the supervised part: cross entropy, and what else is learnt from
// source images in the same pass.
func (st *Step) source(c *torch.Scope) ([]loss.Term, error) {
	images := st.in.Source.in(c)
	p := SourcePass{images, st.Student.Train(images.Image, st.draws.SourceBox)}
	terms := p.Supervise("source", images.Label, nil)
	for _, l := range st.sourceLosses {
		more, err := l.Terms(st, p)
		if err != nil {
			return nil, err
		}
		terms = append(terms, more...)
	}
	return terms, nil
}

// featureDistance is DAFormer's, to an encoder that stays as the student's began
// (docs/method.md, Feature distance).
type featureDistance struct{ frozen model.Encoder }

// newFeatureDistance makes the frozen encoder in a store of its own.
func newFeatureDistance(e model.EncoderSpec, frozen, student *nn.Store) (*featureDistance, error) {
	encoder, err := e.New(frozen.Root().Sub("backbone"))
	if err != nil {
		return nil, err
	}
	if err := frozen.CopyFrom(student); err != nil {
		return nil, err
	}
	frozen.Freeze()
	return &featureDistance{encoder}, nil
}

func (f *featureDistance) Terms(st *Step, p SourcePass) ([]loss.Term, error) {
	c := st.cfg.FeatureDistance
	distance := loss.FeatureDistance{Classes: c.Classes, Ratio: c.Ratio, Labels: st.classes, Group: st.group}
	image := st.Student.Whole(p.Image)
	var frozen []*torch.Tensor
	st.Student.Autocast(image, func() { frozen = f.frozen.Forward(image, nn.Scoring) })
	last := func(maps []*torch.Tensor) *torch.Tensor { return maps[len(maps)-1].To(torch.Float32) }
	return []loss.Term{{Name: "feature_distance", Value: distance.Loss(last(p.Features), last(frozen), p.Label), Weight: c.Weight}}, nil
}
