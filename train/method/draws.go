package method

import (
	"math/rand/v2"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/uda"
)

// Draws are a step's random choices that are made on the host. They are drawn for
// the images of all ranks, and those of other ranks' dropped, but for the
// negatives.
type Draws struct {
	Classes                        [][]raster.TrainID // that ClassMix pastes, by image
	Strong                         uda.Draws
	SourceBox, MixedBox, MaskedBox raster.Box // what each pass sees in detail
	Masked                         uda.Draws  // the images' disturbance before blocks are hidden
	Blocks                         uda.Blocks // that masked consistency keeps
	Anchors                        *rand.Rand // samples the pixel contrast's; nil takes the first of each kind
	NegativesA, NegativesB         []int64    // of the patch contrast, cells of each crop's maps
}

// key names the draws of an iteration.
func (m *Method) key(iteration int, what string) pipeline.Key {
	return pipeline.NewKey(m.cfg.Seed, uint64(iteration), "train", what)
}

// Draw makes a step's choices from its keys. Every rank draws for the whole
// batch, so that an image's choices do not depend on the number of ranks.
func (m *Method) Draw(in Inputs, iteration int) Draws {
	random := func(what string) *rand.Rand { return m.key(iteration, what).Rand() }
	n, h, w := in.Source.Image.Dim(0), in.Source.Image.Dim(2), in.Source.Image.Dim(3)
	d := Draws{
		Anchors:   random("pixel"),
		SourceBox: m.Student.Detail(h, w, random("source box").IntN),
		MixedBox:  m.Student.Detail(h, w, random("mixed box").IntN),
		MaskedBox: m.Student.Detail(h, w, random("masked box").IntN),
	}
	first, all := m.group.Rank()*n, m.group.Size()*n
	strong := uda.StrongAugmentation{Jitter: m.cfg.Adapt.Jitter, JitterChance: m.cfg.Adapt.JitterChance, BlurChance: m.cfg.Adapt.BlurChance}
	if in.Target != nil {
		d.Classes = uda.ChooseClasses(in.Source.Labels, all, random("classmix"))[first : first+n]
		d.Strong = strong.Draw(all, random("strong")).Of(first, n)
	}
	if c := m.cfg.Masked; c.Weight > 0 {
		d.Masked = strong.Draw(all, random("masked")).Of(first, n)
		d.Blocks = uda.BlockMask{Block: c.Block, Ratio: c.Ratio}.Draw(all, h, w, random("blocks")).Of(first, n)
	}
	if in.Pairs != nil {
		side := m.patch.side(in.Pairs.A.Image.Dim(2))
		cells := m.group.Size() * in.Pairs.A.Image.Dim(0) * side * side
		d.NegativesA = sample(random("patch a"), cells, min(m.cfg.Patch.Negatives, cells))
		d.NegativesB = sample(random("patch b"), cells, min(m.cfg.Patch.Negatives, cells))
	}
	return d
}

// sample draws k of 0..n-1 without replacement.
func sample(rng *rand.Rand, n, k int) []int64 {
	items := rng.Perm(n)[:k]
	out := make([]int64, k)
	for i, v := range items {
		out[i] = int64(v)
	}
	return out
}
