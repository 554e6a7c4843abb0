package precompute

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/formats/classmap"
	"github.com/pipa-uda/pipa/loader"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/storage"
)

// rowMaker makes the rows of a plan, each on its own.
type rowMaker struct {
	*loader.Rows
	plan *Plan
}

// input is a plan's input, opened: images whose files are those of the plan.
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
	l, err := in.layout()
	if err != nil {
		return nil, err
	}
	set, err := OpenSet(ctx, l, in.Dir, options)
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

// layout is how the input lies in its folder.
func (in Input) layout() (formats.Layout, error) {
	if in.Map == "" {
		return formats.Named(in.Format)
	}
	l, err := classmap.Parse([]byte(in.Map))
	if err != nil {
		return l, fmt.Errorf("the plan's class map: %w", err)
	}
	return l, nil
}

// OpenSet is formats.Open for a folder given by its path or URL.
func OpenSet(ctx context.Context, l formats.Layout, dir string, o formats.Options) (*formats.Dataset, error) {
	if storage.IsURL(dir) {
		files, err := storage.Open(ctx, dir)
		if err != nil {
			return nil, err
		}
		// A folder on this machine is better known by its path: links that lead
		// out of own data are refused there.
		if path, local := storage.Local(files); local {
			return formats.Open(l, path, o)
		}
		o.Files = files
	}
	return formats.Open(l, dir, o)
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

// Header implements [loader.Images].
func (in *input) Header() pipeline.Header {
	h := in.set.Header()
	h.Labelled = !in.Unlabelled
	return h
}

// Len implements [loader.Images].
func (in *input) Len() int { return len(in.Items) }

// Digest implements [loader.Images]; the plan has its own.
func (in *input) Digest() string { return "" }

// Visit implements [loader.Images].
func (in *input) Visit(ctx context.Context, i int, use func(loader.Item) error) error {
	s, err := in.sample(ctx, i)
	if err != nil {
		return err
	}
	return use(loader.Item{Sample: s, Height: s.Image.Height(), Width: s.Image.Width()})
}

// newRowMaker opens a plan's inputs; sourceDir and mixedDir say where they lie now
// and may be empty.
func newRowMaker(ctx context.Context, p *Plan, sourceDir, mixedDir string) (*rowMaker, error) {
	source, err := openInput(ctx, p.Source, sourceDir, p.MaxPixels)
	if err != nil {
		return nil, err
	}
	m := &rowMaker{plan: p}
	draws := loader.Draws{Seed: p.Seed, Epoch: p.Epoch}
	switch {
	case p.Mixes():
		target, err := openInput(ctx, *p.Mixed, mixedDir, p.MaxPixels)
		if err != nil {
			return nil, err
		}
		a, b := loader.Side{Images: source, Options: *p.Samples}, loader.Side{Images: target, Options: *p.Target}
		if p.Kind == pipeline.KindPair {
			m.Rows, err = loader.MixedPairs(a, b, draws, *p.Pairs)
		} else {
			m.Rows, err = loader.Mixes(a, b, draws)
		}
		return m, err
	case p.Kind == pipeline.KindPair:
		m.Rows, err = loader.Pairs(source, draws, *p.Pairs)
	case p.Samples == nil:
		m.Rows = loader.Plain(source, draws)
	default:
		m.Rows, err = loader.Samples(source, draws, *p.Samples)
	}
	return m, err
}

// append adds row r of the plan: item r mod n in pass r / n.
func (m *rowMaker) append(ctx context.Context, out *pipeline.Builder, r int) error {
	return m.Append(ctx, out, r%m.Items, m.plan.Epoch+uint64(r/m.Items))
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
		out := pipeline.NewBuilder(m.Header)
		defer out.Release()
		out.Reserve(min(m.plan.Batch, to-start))
		for r := start; r < min(start+m.plan.Batch, to); r++ {
			if err := m.append(ctx, out, r); err != nil {
				return nil, fmt.Errorf("row %d: %w", r, err)
			}
		}
		return out.Batch()
	}
	return pipeline.Stream{Header: m.Header, Batches: pipeline.Map(ctx, workers, starts, make, (*pipeline.Batch).Release)}
}

// missing reports whether a file is not there.
func missing(err error) bool { return errors.Is(err, fs.ErrNotExist) }
