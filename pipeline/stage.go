package pipeline

import (
	"context"
	"iter"
)

// A Stream is a header and the batches that follow it. Each yielded batch
// belongs to the consumer, who releases it. Ranging to the end, or breaking
// off, ends the producer with no goroutine left. An error is the last thing a
// stream yields.
type Stream struct {
	Header  Header
	Batches iter.Seq2[*Batch, error]
}

// A Stage is a pure function of a batch and its own parameters: it starts no
// goroutine, keeps no state between batches, and draws random numbers only
// from keys. [Run] applies it.
type Stage interface {
	// Header checks that the stage can read a stream with header in, and
	// returns the header of what it writes, history extended.
	Header(in Header) (Header, error)
	// Apply appends to out the rows it makes of in. It neither keeps nor
	// releases in; rows appended to out are copied.
	Apply(ctx context.Context, in *Batch, out *Builder) error
}

// Run applies stage to every batch of in, on up to workers goroutines, in
// order. One batch in is one batch out.
func Run(ctx context.Context, in Stream, stage Stage, workers int) (Stream, error) {
	header, err := stage.Header(in.Header)
	if err != nil {
		return Stream{}, err
	}
	apply := func(ctx context.Context, b *Batch) (*Batch, error) {
		defer b.Release()
		out := NewBuilder(header)
		defer out.Release()
		if err := stage.Apply(ctx, b, out); err != nil {
			return nil, err
		}
		return out.Batch()
	}
	return Stream{header, Map(ctx, workers, in.Batches, apply, (*Batch).Release)}, nil
}
