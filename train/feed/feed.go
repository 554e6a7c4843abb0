package feed

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/pipa-uda/pipa/loader"
	"github.com/pipa-uda/pipa/pipeline"
)

// A Feed yields one batch for each training iteration. The consumer releases
// the batches.
type Feed interface {
	// Header describes the batches: their kind, classes and one size.
	Header() pipeline.Header
	// Digest identifies the samples behind the feed. It is equal where the same
	// seed would give the same batches.
	Digest() string
	// From yields the batches of iteration, iteration+1, and so on.
	From(ctx context.Context, iteration int) iter.Seq2[*pipeline.Batch, error]
}

// Drawn is an endless feed of rows drawn from a collection.
type Drawn struct {
	Rows  *loader.Rows
	Name  string // part of the key of the order: two feeds over one collection differ
	Seed  uint64
	Batch int // rows an iteration gets, over all ranks
	// Rank r of Ranks gets the r-th of equal parts of each batch; Ranks 0 is one
	// process that gets all. Which rows a batch has does not depend on them.
	Rank, Ranks int
	Workers     int // goroutines that prepare batches; at most twice as many batches wait
	// Order names the k-th draw's item, and the epoch that keys what is drawn
	// about it. Where it is nil the k-th draw is item k mod n of a keyed
	// permutation of the n items, a new permutation for each pass (epoch).
	Order func(k int) (epoch uint64, item int)
}

// Validate checks what the collection can get wrong.
func (d *Drawn) Validate() error {
	if d.Rows.Items == 0 {
		return fmt.Errorf("%s: there are no samples", d.Name)
	}
	if d.Ranks > 1 && d.Batch%d.Ranks != 0 {
		return fmt.Errorf("%s: a batch of %d cannot be shared equally by %d ranks: set a multiple", d.Name, d.Batch, d.Ranks)
	}
	if !d.Rows.Header.Size.Fixed() {
		return fmt.Errorf("%s: images of varying size cannot be batched: set a crop", d.Name)
	}
	return nil
}

// Header implements [Feed].
func (d *Drawn) Header() pipeline.Header { return d.Rows.Header }

// Digest implements [Feed].
func (d *Drawn) Digest() string { return d.Rows.Digest }

// draw names the item of the k-th draw.
func (d *Drawn) draw(k int) (epoch uint64, item int) {
	if d.Order != nil {
		return d.Order(k)
	}
	epoch = uint64(k / d.Rows.Items)
	order := pipeline.NewPermutation(pipeline.NewKey(d.Seed, epoch, "order", d.Name), d.Rows.Items)
	return epoch, order.At(k % d.Rows.Items)
}

// From implements [Feed].
func (d *Drawn) From(ctx context.Context, iteration int) iter.Seq2[*pipeline.Batch, error] {
	iterations := func(yield func(int, error) bool) {
		for i := iteration; yield(i, nil); i++ {
		}
	}
	return pipeline.Map(ctx, d.Workers, iterations, d.batch, (*pipeline.Batch).Release)
}

// batch makes the batch of one iteration.
func (d *Drawn) batch(ctx context.Context, iteration int) (*pipeline.Batch, error) {
	out := pipeline.NewBuilder(d.Rows.Header)
	defer out.Release()
	n := d.Batch / max(d.Ranks, 1)
	out.Reserve(n)
	for r := range n {
		epoch, item := d.draw(iteration*d.Batch + d.Rank*n + r)
		if err := d.Rows.Append(ctx, out, item, epoch); err != nil {
			return nil, fmt.Errorf("%s: %w", d.Name, err)
		}
	}
	return out.Batch()
}

// Streamed is a feed of the rows of a stream in their order, which ends with
// it. It can be read once.
type Streamed struct {
	name   string
	stream pipeline.Stream
	batch  int
}

// NewStreamed makes a feed of batches of batch rows.
func NewStreamed(name string, s pipeline.Stream, batch int) (*Streamed, error) {
	if !s.Header.Size.Fixed() {
		return nil, fmt.Errorf("%s: images of varying size cannot be batched: crop them first (pipa augment --crop HEIGHTxWIDTH)", name)
	}
	return &Streamed{name, s, batch}, nil
}

// Header implements [Feed].
func (s *Streamed) Header() pipeline.Header { return s.stream.Header }

// Digest implements [Feed]. A stream is known by how it was made.
func (s *Streamed) Digest() string {
	text := "stream"
	for _, step := range s.stream.Header.History {
		text += " " + step.Stage + string(step.Params)
	}
	return text
}

// ErrEnded is yielded where a stream has fewer rows than the training asks for.
var ErrEnded = errors.New("the stream ended")

// From implements [Feed]. Rows of earlier iterations are read and dropped.
func (s *Streamed) From(ctx context.Context, iteration int) iter.Seq2[*pipeline.Batch, error] {
	return func(yield func(*pipeline.Batch, error) bool) {
		i := 0
		for b, err := range pipeline.Rebatch(s.stream, s.batch).Batches {
			if err != nil {
				yield(nil, fmt.Errorf("%s: %w", s.name, err))
				return
			}
			if b.Len() < s.batch {
				b.Release()
				break
			}
			if i++; i <= iteration {
				b.Release()
				continue
			}
			if !yield(b, nil) {
				return
			}
		}
		yield(nil, fmt.Errorf("%s: %w after %d batches of %d: give it more rows, or set fewer iterations", s.name, ErrEnded, i, s.batch))
	}
}

// Pull turns a feed's batches into calls, for a step that needs several feeds
// side by side. stop ends the producer; it must be called.
func Pull(ctx context.Context, f Feed, iteration int) (next func() (*pipeline.Batch, error), stop func()) {
	pull, stop := iter.Pull2(f.From(ctx, iteration))
	return func() (*pipeline.Batch, error) {
		batch, err, ok := pull()
		if !ok {
			return nil, ErrEnded
		}
		return batch, err
	}, stop
}
