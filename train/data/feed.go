package data

import (
	"context"
	"fmt"
	"iter"

	"github.com/pipa-uda/pipa/pipeline"
)

// A Feed yields one batch for each training iteration, without end. The
// consumer releases the batches.
type Feed interface {
	// Header describes the batches: their kind, classes and fixed size.
	Header() pipeline.Header
	// Digest identifies the samples behind the feed. It is equal where the same
	// seed would give the same batches.
	Digest() string
	// From yields the batches of iteration, iteration+1, and so on.
	From(ctx context.Context, iteration int) iter.Seq2[*pipeline.Batch, error]
}

// Source is random access to the samples a feed draws from. Read is called
// from several goroutines.
type Source interface {
	Len() int
	Read(ctx context.Context, i int) (pipeline.Sample, error)
}

// Drawn is a feed over a Source. Its k-th draw is sample k mod n of a keyed
// permutation of the n samples, a new permutation for each pass (epoch).
type Drawn struct {
	source  Source
	stage   func(epoch uint64) (pipeline.Stage, error)
	in, out pipeline.Header
	options DrawnOptions
}

// DrawnOptions says how a Drawn feed cuts and orders its samples.
type DrawnOptions struct {
	Seed    uint64
	Name    string // of the feed, part of the key of its order: two feeds over one source differ
	Digest  string // of the source's samples
	Batch   int    // rows an iteration gets
	Workers int    // goroutines that prepare batches; at most twice as many batches wait
}

// NewDrawn makes a feed over source. in describes its samples; stage gives the
// stage of an epoch, which must make one row of each.
func NewDrawn(source Source, in pipeline.Header, stage func(epoch uint64) (pipeline.Stage, error), o DrawnOptions) (*Drawn, error) {
	if source.Len() == 0 {
		return nil, fmt.Errorf("%s has no samples", o.Name)
	}
	first, err := stage(0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Name, err)
	}
	out, err := first.Header(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Name, err)
	}
	if !out.Size.Fixed() {
		return nil, fmt.Errorf("%s: images of varying size cannot be batched: set a crop", o.Name)
	}
	return &Drawn{source, stage, in, out, o}, nil
}

// Header implements [Feed].
func (d *Drawn) Header() pipeline.Header { return d.out }

// Digest implements [Feed].
func (d *Drawn) Digest() string { return d.options.Digest }

// draw names the sample of the k-th draw.
func (d *Drawn) draw(k int) (epoch uint64, index int) {
	n := d.source.Len()
	epoch = uint64(k / n)
	order := pipeline.NewPermutation(pipeline.NewKey(d.options.Seed, epoch, "order", d.options.Name), n)
	return epoch, order.At(k % n)
}

// From implements [Feed].
func (d *Drawn) From(ctx context.Context, iteration int) iter.Seq2[*pipeline.Batch, error] {
	iterations := func(yield func(int, error) bool) {
		for i := iteration; yield(i, nil); i++ {
		}
	}
	return pipeline.Map(ctx, d.options.Workers, iterations, d.batch, (*pipeline.Batch).Release)
}

// batch makes the batch of one iteration.
func (d *Drawn) batch(ctx context.Context, iteration int) (*pipeline.Batch, error) {
	out := pipeline.NewBuilder(d.out)
	defer out.Release()
	for r := range d.options.Batch {
		epoch, index := d.draw(iteration*d.options.Batch + r)
		if err := d.append(ctx, out, epoch, index); err != nil {
			return nil, fmt.Errorf("%s: batch of iteration %d: %w", d.options.Name, iteration, err)
		}
	}
	return out.Batch()
}

func (d *Drawn) append(ctx context.Context, out *pipeline.Builder, epoch uint64, index int) error {
	sample, err := d.source.Read(ctx, index)
	if err != nil {
		return err
	}
	stage, err := d.stage(epoch)
	if err != nil {
		return err
	}
	one := pipeline.NewBuilder(d.in)
	defer one.Release()
	if err := one.AppendSample(sample); err != nil {
		return err
	}
	in, err := one.Batch()
	if err != nil {
		return err
	}
	defer in.Release()
	before := out.Len()
	if err := stage.Apply(ctx, in, out); err != nil {
		return err
	}
	if out.Len() != before+1 {
		return fmt.Errorf("sample %s became %d rows, want 1", sample.ID, out.Len()-before)
	}
	return nil
}

// Pull turns a feed's batches into calls, for a step that needs several feeds
// side by side. stop ends the producer; it must be called.
func Pull(ctx context.Context, f Feed, iteration int) (next func() (*pipeline.Batch, error), stop func()) {
	pull, stop := iter.Pull2(f.From(ctx, iteration))
	return func() (*pipeline.Batch, error) {
		batch, err, ok := pull()
		if !ok {
			return nil, fmt.Errorf("the feed ended")
		}
		return batch, err
	}, stop
}
