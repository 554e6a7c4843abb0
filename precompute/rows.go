package precompute

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/classmix"
	"github.com/pipa-uda/pipa/crops"
	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/formats/folder"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/storage"
)

// rowMaker makes the rows of a plan, each on its own.
type rowMaker struct {
	plan   *Plan
	header pipeline.Header
	source *input
	mixed  *input // nil but for mixed images
}

// input is a plan's input, opened.
type input struct {
	Input
	set   *formats.Dataset
	index map[string]int // in the dataset, by id
}

// ErrInput is wrapped where an input is not what it was when the plan was made:
// no retry will help.
var ErrInput = errors.New("the input has changed since the plan was made")

// An OpenError says that an input of a plan cannot be opened where it is said to
// lie.
type OpenError struct {
	Dir string
	Err error
}

func (e *OpenError) Error() string { return e.Err.Error() }
func (e *OpenError) Unwrap() error { return e.Err }

// openInput opens an input where it lies now: at dir, or where it lay. Its
// images may declare maxPixels.
func openInput(ctx context.Context, in Input, dir string, maxPixels int) (*input, error) {
	if dir != "" {
		in.Dir = dir
	}
	// A split's list of samples may need labels that are gone; those that the
	// plan wants are checked by name.
	options := formats.Options{Split: in.Split, Unlabelled: in.Unlabelled, MaxPixels: maxPixels}
	if in.Map != "" {
		m, err := folder.Parse([]byte(in.Map))
		if err != nil {
			return nil, fmt.Errorf("the plan's class map: %w", err)
		}
		options.Map = m
	}
	set, err := OpenSet(ctx, in.Format, in.Dir, options)
	if err != nil {
		return nil, &OpenError{in.Dir, err}
	}
	o := &input{in, set, map[string]int{}}
	for i, e := range set.Entries {
		o.index[e.ID] = i
	}
	for _, item := range in.Items {
		if _, ok := o.index[item.ID]; !ok {
			return nil, fmt.Errorf("%s has no sample %s any more: %w", in.Dir, item.ID, ErrInput)
		}
	}
	return o, nil
}

// OpenSet is formats.Open for a folder given by its path or URL.
func OpenSet(ctx context.Context, format, dir string, o formats.Options) (*formats.Dataset, error) {
	if storage.IsURL(dir) {
		files, err := storage.Open(ctx, dir)
		if err != nil {
			return nil, err
		}
		// A folder on this machine is better known by its path: links that lead
		// out of own data are refused there.
		if path, local := storage.Local(files); local {
			return formats.Open(format, path, o)
		}
		o.Files = files
	}
	return formats.Open(format, dir, o)
}

// sample reads item k and checks that its files are those of the plan.
func (in *input) sample(ctx context.Context, k int) (pipeline.Sample, error) {
	item := in.Items[k]
	e, err := in.set.Load(ctx, in.index[item.ID])
	if err != nil {
		return pipeline.Sample{}, err
	}
	check := func(file string, data []byte, want *Seal) error {
		if want == nil {
			return nil
		}
		if got := sealOf(data); got != *want {
			return fmt.Errorf("%s has %d bytes with hash %s, the plan says %d with %s: %w", file, got.Bytes, got.XXH3, want.Bytes, want.XXH3, ErrInput)
		}
		return nil
	}
	if err := errors.Join(check(e.Image, e.ImageBytes, &item.Image), check(e.Entry.Label, e.LabelBytes, item.Label)); err != nil {
		return pipeline.Sample{}, err
	}
	return in.set.Decode(e)
}

// newRowMaker opens a plan's inputs; sourceDir and mixedDir say where they lie now
// and may be empty.
func newRowMaker(ctx context.Context, p *Plan, sourceDir, mixedDir string) (*rowMaker, error) {
	m := &rowMaker{plan: p}
	var err error
	if m.source, err = openInput(ctx, p.Source, sourceDir, p.MaxPixels); err != nil {
		return nil, err
	}
	in := m.source.set.Header()
	in.Seed, in.Labelled = p.Seed, !p.Source.Unlabelled
	switch p.Kind {
	case pipeline.KindSample:
		m.header, err = header(p.Samples, p, in)
	case pipeline.KindPair:
		var stage *crops.Stage
		if stage, err = crops.New(*p.Pairs, p.Seed, p.Epoch); err == nil {
			m.header, err = stage.Header(in)
		}
	case pipeline.KindMix:
		if m.mixed, err = openInput(ctx, *p.Mixed, mixedDir, p.MaxPixels); err != nil {
			return nil, err
		}
		target := m.mixed.set.Header()
		target.Labelled = !p.Mixed.Unlabelled
		if in, err = header(p.Samples, p, in); err != nil {
			return nil, err
		}
		if target, err = header(p.Target, p, target); err != nil {
			return nil, err
		}
		m.header, err = classmix.Header(in, target, classmix.Options{Epoch: p.Epoch, Weight: 1})
	}
	return m, err
}

// header is that of an input's samples, augmented. Samples that are left as
// they are have no step in their history.
func header(o *augment.Options, p *Plan, in pipeline.Header) (pipeline.Header, error) {
	if o == nil {
		return in, nil
	}
	stage, err := augment.New(*o, p.Seed, p.Epoch)
	if err != nil {
		return in, err
	}
	return stage.Header(in)
}

// append adds row r of the plan: item r mod n of the source in pass r / n.
func (m *rowMaker) append(ctx context.Context, out *pipeline.Builder, r int) error {
	n := len(m.source.Items)
	item, epoch := r%n, m.plan.Epoch+uint64(r/n)
	s, err := m.source.sample(ctx, item)
	if err != nil {
		return err
	}
	switch m.plan.Kind {
	case pipeline.KindSample:
		if m.plan.Samples == nil {
			return out.AppendSample(s)
		}
		stage, err := augment.New(*m.plan.Samples, m.plan.Seed, epoch)
		if err != nil {
			return err
		}
		return stage.Add(out, s)
	case pipeline.KindPair:
		stage, err := crops.New(*m.plan.Pairs, m.plan.Seed, epoch)
		if err != nil {
			return err
		}
		return stage.Add(out, s)
	}
	// The targets come in the order of a keyed permutation, as often as they are
	// needed.
	order := pipeline.NewPermutation(pipeline.NewKey(m.plan.Seed, epoch, "precompute target", ""), len(m.mixed.Items))
	t, err := m.mixed.sample(ctx, order.At(item%len(m.mixed.Items)))
	if err != nil {
		return err
	}
	if s, err = m.augment(m.plan.Samples, s, epoch); err != nil {
		return err
	}
	if t, err = m.augment(m.plan.Target, t, epoch); err != nil {
		return err
	}
	mixed, err := classmix.Mix(s, t, m.plan.Seed, classmix.Options{Epoch: epoch, Weight: 1})
	if err != nil {
		return err
	}
	return out.AppendMix(mixed)
}

func (m *rowMaker) augment(o *augment.Options, s pipeline.Sample, epoch uint64) (pipeline.Sample, error) {
	stage, err := augment.New(*o, m.plan.Seed, epoch)
	if err != nil {
		return s, err
	}
	return stage.Sample(s), nil
}

// batches makes the rows from to to, in order, on up to workers goroutines.
func (m *rowMaker) batches(ctx context.Context, from, to, workers int) pipeline.Stream {
	starts := func(yield func(int, error) bool) {
		for r := from; r < to; r += m.plan.Batch {
			if !yield(r, nil) {
				return
			}
		}
	}
	make := func(ctx context.Context, start int) (*pipeline.Batch, error) {
		out := pipeline.NewBuilder(m.header)
		defer out.Release()
		out.Reserve(min(m.plan.Batch, to-start))
		for r := start; r < min(start+m.plan.Batch, to); r++ {
			if err := m.append(ctx, out, r); err != nil {
				return nil, fmt.Errorf("row %d: %w", r, err)
			}
		}
		return out.Batch()
	}
	return pipeline.Stream{Header: m.header, Batches: pipeline.Map(ctx, workers, starts, make, (*pipeline.Batch).Release)}
}

// missing reports whether a file is not there.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
