package loader

import (
	"context"
	"errors"

	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/classmix"
	"github.com/pipa-uda/pipa/crops"
	"github.com/pipa-uda/pipa/pipeline"
)

// A Side is one of the two collections that are mixed, and what is done to its
// images before. Both sides' options crop to one size.
type Side struct {
	Images
	Options augment.Options
}

// mixer mixes images of two sides. An item is one of the target's, and draws the
// source that is pasted into it.
type mixer struct {
	source, target Side
	draws          Draws
}

func newMixer(source, target Side, d Draws) (*mixer, error) {
	if source.Len() == 0 {
		return nil, errors.New("the source has no samples to mix in")
	}
	return &mixer{source, target, d}, nil
}

// header is that of the mixes.
func (m *mixer) header() (pipeline.Header, error) {
	of := func(s Side) (pipeline.Header, error) {
		stage, err := augment.New(s.Options, m.draws.Seed, m.draws.Epoch)
		if err != nil {
			return pipeline.Header{}, err
		}
		h := s.Header()
		h.Seed = m.draws.Seed
		return stage.Header(h)
	}
	source, err := of(m.source)
	if err != nil {
		return source, err
	}
	target, err := of(m.target)
	if err != nil {
		return target, err
	}
	return classmix.Header(source, target, classmix.Options{Epoch: m.draws.Epoch, Weight: 1})
}

// mix is the mix of the target's item in an epoch, in memory of its own.
func (m *mixer) mix(ctx context.Context, item int, epoch uint64) (mixed pipeline.Mix, err error) {
	var source, target pipeline.Sample
	if target, err = augmented(ctx, m.target, item, m.draws.Seed, epoch); err != nil {
		return mixed, err
	}
	partner := pipeline.NewKey(m.draws.Seed, epoch, "pair source", target.ID).Rand().IntN(m.source.Len())
	if source, err = augmented(ctx, m.source, partner, m.draws.Seed, epoch); err != nil {
		return mixed, err
	}
	return classmix.Mix(source, target, m.draws.Seed, classmix.Options{Epoch: epoch, Weight: 1})
}

func augmented(ctx context.Context, side Side, item int, seed, epoch uint64) (s pipeline.Sample, err error) {
	stage, err := augment.New(side.Options, seed, epoch)
	if err != nil {
		return s, err
	}
	err = side.Visit(ctx, item, func(it Item) error {
		s, err = it.augmented(stage)
		return err
	})
	return s, err
}

// Mixes are ClassMix images: one for each of the target's in each epoch, with a
// source that the target's ID draws.
func Mixes(source, target Side, d Draws) (*Rows, error) {
	m, err := newMixer(source, target, d)
	if err != nil {
		return nil, err
	}
	header, err := m.header()
	if err != nil {
		return nil, err
	}
	return &Rows{header, target.Len(), mixedDigest(source, target), func(ctx context.Context, out *pipeline.Builder, item int, epoch uint64) error {
		mixed, err := m.mix(ctx, item, epoch)
		if err != nil {
			return err
		}
		return out.AppendMix(mixed)
	}}, nil
}

// MixedPairs are crop pairs of [Mixes]. A pair has the ID of its target, and no
// label.
func MixedPairs(source, target Side, d Draws, o crops.Options) (*Rows, error) {
	m, err := newMixer(source, target, d)
	if err != nil {
		return nil, err
	}
	header, err := m.header()
	if err != nil {
		return nil, err
	}
	header.Labeled = false
	first, err := crops.New(o, d.Seed, d.Epoch)
	if err != nil {
		return nil, err
	}
	if header, err = first.Header(header); err != nil {
		return nil, err
	}
	return &Rows{header, target.Len(), mixedDigest(source, target), func(ctx context.Context, out *pipeline.Builder, item int, epoch uint64) error {
		stage, err := crops.New(o, d.Seed, epoch)
		if err != nil {
			return err
		}
		mixed, err := m.mix(ctx, item, epoch)
		if err != nil {
			return err
		}
		return stage.Add(out, pipeline.Sample{ID: mixed.TargetID, Image: mixed.Image})
	}}, nil
}

func mixedDigest(source, target Images) string { return target.Digest() + "+" + source.Digest() }
