package classmix

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// Options say how images are mixed.
type Options struct {
	// Epoch is part of the key of the draws: (seed, epoch, "classmix", source
	// id and target id).
	Epoch uint64 `json:"epoch"`
	// Weight is the weight of the target's pixels in a loss, 0 to 1. Streams
	// multiplies it with the confidence of a target sample that has a
	// pseudo-label: with 1 the mix has DACS' weight, the share of confident
	// pixels (of the image here, of the batch in lhoyer/DAFormer
	// mmseg/models/uda/dacs.py).
	Weight float32 `json:"weight"`
}

// Validate names the field that is out of range.
func (o Options) Validate() error {
	if !(o.Weight >= 0 && o.Weight <= 1) {
		return fmt.Errorf("classmix: weight is %v, want 0 to 1", o.Weight)
	}
	return nil
}

// Choose draws half, rounded up, of the classes present in a label, without
// replacement, ascending. 255 is not a candidate: the pixels that a source label
// leaves out would be pasted with no label. (The released code, which chooses
// from a whole batch, does take it; train/uda keeps that.)
func Choose(label raster.Raster, rng *rand.Rand) []raster.TrainID {
	var present [256]bool
	for _, id := range label.Pix() {
		present[id] = true
	}
	var classes []raster.TrainID
	for id, ok := range present {
		if ok && raster.TrainID(id) != raster.Ignore {
			classes = append(classes, raster.TrainID(id))
		}
	}
	rng.Shuffle(len(classes), func(i, j int) { classes[i], classes[j] = classes[j], classes[i] })
	chosen := classes[:(len(classes)+1)/2]
	slices.Sort(chosen)
	return chosen
}

// Mask is 1 where a label is one of the classes.
func Mask(label raster.Raster, classes []raster.TrainID) raster.Raster {
	var table [256]byte
	for _, c := range classes {
		table[c] = 1
	}
	mask := raster.New(label.Height(), label.Width(), 1)
	for i, id := range label.Pix() {
		mask.Pix()[i] = table[id]
	}
	return mask
}

// Blend takes source where mask is 1 and target elsewhere; all have one size.
func Blend(source, target, mask raster.Raster) raster.Raster {
	out := target.Clone()
	c := source.Channels()
	for i, m := range mask.Pix() {
		if m != 0 {
			copy(out.Pix()[i*c:(i+1)*c], source.Pix()[i*c:(i+1)*c])
		}
	}
	return out
}

// An UnlabeledError says that a source sample has no label to choose classes by.
type UnlabeledError struct{ SourceID string }

func (e *UnlabeledError) Error() string {
	return fmt.Sprintf("classmix: source %s has no label", e.SourceID)
}

// A SizeError says that a source and a target sample differ in size, so that
// neither can be pasted into the other.
type SizeError struct {
	SourceID, TargetID string
	Source, Target     raster.Size
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("classmix: source %s is %dx%d, target %s is %dx%d: crop both to one size first",
		e.SourceID, e.Source.Width, e.Source.Height, e.TargetID, e.Target.Width, e.Target.Height)
}

func sizeOf(s pipeline.Sample) raster.Size {
	return raster.Size{Height: s.Image.Height(), Width: s.Image.Width()}
}

// A ClassesError says that the labels of source and target mean different things.
type ClassesError struct{ Source, Target []string }

func (e *ClassesError) Error() string {
	return fmt.Sprintf("classmix: the source's classes are %q, the labeled target's %q: want the same, or a target without labels", e.Source, e.Target)
}

// Mix mixes one source sample with one target sample of the same size. Where
// the target has a label (a pseudo-label, say) the mixed label keeps it, else
// it is 255 outside the pasted classes.
func Mix(source, target pipeline.Sample, seed uint64, o Options) (pipeline.Mix, error) {
	if source.Label.Empty() {
		return pipeline.Mix{}, &UnlabeledError{source.ID}
	}
	if !source.Image.SameSize(target.Image) {
		return pipeline.Mix{}, &SizeError{source.ID, target.ID, sizeOf(source), sizeOf(target)}
	}
	rng := pipeline.NewKey(seed, o.Epoch, "classmix", source.ID+"\x00"+target.ID).Rand()
	m := pipeline.Mix{Sample: source, TargetID: target.ID, Weight: o.Weight, Classes: Choose(source.Label, rng)}
	m.Mask = Mask(source.Label, m.Classes)
	m.Image = Blend(source.Image, target.Image, m.Mask)
	under := target.Label
	if under.Empty() {
		under = raster.New(m.Mask.Height(), m.Mask.Width(), 1)
		for i := range under.Pix() {
			under.Pix()[i] = byte(raster.Ignore)
		}
	}
	m.Label = Blend(source.Label, under, m.Mask)
	return m, nil
}

// Header describes the mixes of two streams of samples.
func Header(source, target pipeline.Header, o Options) (pipeline.Header, error) {
	if err := o.Validate(); err != nil {
		return pipeline.Header{}, err
	}
	if source.Kind != pipeline.KindSample || target.Kind != pipeline.KindSample {
		return pipeline.Header{}, fmt.Errorf("classmix: the streams are of %s and %s, want samples", source.Kind.Plural(), target.Kind.Plural())
	}
	if target.Labeled && !slices.Equal(source.Classes, target.Classes) {
		return pipeline.Header{}, &ClassesError{source.Classes, target.Classes}
	}
	header, err := source.With("classmix", struct {
		Options
		Seed   uint64          `json:"seed"`
		Target []pipeline.Step `json:"target"` // the target stream's history
	}{o, source.Seed, target.History})
	header.Kind, header.Labeled, header.Pseudo = pipeline.KindMix, true, false
	if source.Size != target.Size {
		header.Size = raster.Size{}
	}
	return header, err
}

// Streams mixes the samples of source with those of target, one with one, on up
// to workers goroutines, and ends with the shorter stream.
func Streams(ctx context.Context, source, target pipeline.Stream, o Options, workers int) (pipeline.Stream, error) {
	header, err := Header(source.Header, target.Header, o)
	if err != nil {
		return pipeline.Stream{}, err
	}
	mix := func(ctx context.Context, m *pipeline.Matched) (*pipeline.Batch, error) {
		defer m.Release()
		out := pipeline.NewBuilder(header)
		defer out.Release()
		for i, t := range m.Right {
			s, err := m.Left.Sample(i)
			if err != nil {
				return nil, err
			}
			o := o
			if target.Header.Pseudo {
				o.Weight *= t.Confidence
			}
			mixed, err := Mix(s, t, header.Seed, o)
			if err != nil {
				return nil, err
			}
			if err := out.AppendMix(mixed); err != nil {
				return nil, err
			}
		}
		return out.Batch()
	}
	batches := pipeline.Map(ctx, workers, pipeline.Zip(source, target), mix, (*pipeline.Batch).Release)
	return pipeline.Stream{Header: header, Batches: batches}, nil
}
