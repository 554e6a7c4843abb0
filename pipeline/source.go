package pipeline

import (
	"context"
	"fmt"
	"iter"
	"strings"
)

// rowBytes is more than a row's columns other than its rasters take.
const rowBytes = 4096

// Generate makes a stream of samples 0..n-1 in batches of up to rows rows and
// BatchBytes, in order, as [Samples] reads them.
func Generate(ctx context.Context, header Header, n, rows, workers int, read func(context.Context, int) (Sample, error), skip func(i int, err error) error) Stream {
	return Collect(header, rows, Samples(ctx, n, workers, read, skip))
}

// Samples reads samples 0..n-1, in order, on up to workers goroutines. skip is
// asked about a sample that cannot be read: nil leaves it out, an error ends the
// sequence. A nil skip ends it at the first.
func Samples(ctx context.Context, n, workers int, read func(context.Context, int) (Sample, error), skip func(i int, err error) error) iter.Seq2[Sample, error] {
	type read1 struct {
		i      int
		sample Sample
		err    error
	}
	indices := func(yield func(int, error) bool) {
		for i := range n {
			if !yield(i, nil) {
				return
			}
		}
	}
	samples := Map(ctx, workers, indices, func(ctx context.Context, i int) (read1, error) {
		s, err := read(ctx, i)
		return read1{i, s, err}, nil
	}, nil)
	return func(yield func(Sample, error) bool) {
		for r, err := range samples {
			if err == nil {
				err = r.err
			}
			if err != nil && ctx.Err() == nil && skip != nil {
				if err = skip(r.i, err); err == nil {
					continue
				}
			}
			if !yield(r.sample, err) || err != nil {
				return
			}
		}
	}
}

// Collect makes a stream of samples, in batches of up to rows rows and
// BatchBytes; a row that is larger makes a batch of its own.
func Collect(header Header, rows int, samples iter.Seq2[Sample, error]) Stream {
	rows = max(rows, 1)
	return Stream{header, func(yield func(*Batch, error) bool) {
		out := NewBuilder(header)
		defer out.Release()
		flush := func() bool {
			b, err := out.Batch()
			return yield(b, err) && err == nil
		}
		for s, err := range samples {
			// A sample that no longer fits begins the next batch.
			if err == nil && out.Len() > 0 && out.bytes+len(s.Image.Pix())+len(s.Label.Pix())+rowBytes > BatchBytes {
				if !flush() {
					return
				}
			}
			if err == nil {
				err = out.AppendSample(s)
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if out.Len() >= rows && !flush() {
				return
			}
		}
		if out.Len() > 0 {
			flush()
		}
	}}
}

// Rows are the samples of a stream, in memory of their own.
func Rows(s Stream) iter.Seq2[Sample, error] {
	return func(yield func(Sample, error) bool) {
		for b, err := range s.Batches {
			if err != nil {
				yield(Sample{}, err)
				return
			}
			for i := range b.Len() {
				row, err := b.Sample(i)
				row.Dataset, row.Image, row.Label = strings.Clone(row.Dataset), row.Image.Clone(), row.Label.Clone()
				if !yield(row, err) || err != nil {
					b.Release()
					return
				}
			}
			b.Release()
		}
	}
}

// Limit ends a stream after n rows.
func Limit(s Stream, n int) Stream {
	return Stream{s.Header, func(yield func(*Batch, error) bool) {
		left := n
		if left <= 0 {
			return
		}
		for b, err := range s.Batches {
			if err != nil {
				yield(nil, err)
				return
			}
			if b.Len() > left {
				whole := b
				b, err = whole.part(0, left)
				whole.Release()
				if err != nil {
					yield(nil, err)
					return
				}
			}
			left -= b.Len()
			if !yield(b, nil) || left == 0 {
				return
			}
		}
	}}
}

// part is a batch of the rows from one up to, not including, another.
func (b *Batch) part(from, to int) (*Batch, error) {
	out := NewBuilder(*b.header)
	defer out.Release()
	for i := from; i < to; i++ {
		if err := out.AppendFrom(b, i); err != nil {
			return nil, err
		}
	}
	return out.Batch()
}

// Skip leaves out a stream's first n rows.
func Skip(s Stream, n int) Stream {
	return Stream{s.Header, func(yield func(*Batch, error) bool) {
		left := n
		for b, err := range s.Batches {
			if err == nil && left > 0 {
				whole, rows := b, b.Len()
				skipped := min(left, rows)
				left -= skipped
				if skipped < rows {
					b, err = whole.part(skipped, rows)
				}
				whole.Release()
				if skipped == rows {
					continue
				}
			}
			if !yield(b, err) || err != nil {
				return
			}
		}
	}}
}

// EveryNth is of every n batches of a stream the i-th, from 0.
func EveryNth(s Stream, i, n int) Stream {
	return Stream{s.Header, func(yield func(*Batch, error) bool) {
		at := 0
		for b, err := range s.Batches {
			mine := at%n == i
			if at++; err == nil && !mine {
				b.Release()
				continue
			}
			if !yield(b, err) || err != nil {
				return
			}
		}
	}}
}

// Rebatch regroups a stream into batches of rows rows; the last may be
// shorter.
func Rebatch(s Stream, rows int) Stream {
	return Stream{s.Header, func(yield func(*Batch, error) bool) {
		out := NewBuilder(s.Header)
		defer out.Release()
		for b, err := range s.Batches {
			if err != nil {
				yield(nil, err)
				return
			}
			for i := range b.Len() {
				if err = out.AppendFrom(b, i); err != nil {
					break
				}
				if out.Len() == rows {
					full, err := out.Batch()
					if !yield(full, err) || err != nil {
						b.Release()
						return
					}
				}
			}
			b.Release()
			if err != nil {
				yield(nil, err)
				return
			}
		}
		if out.Len() > 0 {
			yield(out.Batch())
		}
	}}
}

// A Matched is a batch of one stream with as many rows of another.
type Matched struct {
	Left  *Batch
	Right []Sample
	held  []*Batch
}

// Release gives up the batches that the rows are views into.
func (m *Matched) Release() {
	m.Left.Release()
	for _, b := range m.held {
		b.Release()
	}
}

// Zip pairs the rows of left with those of right, a stream of samples, batch by
// batch of left. It ends with the shorter stream: the rows of left's last batch
// that have no partner are dropped.
func Zip(left, right Stream) iter.Seq2[*Matched, error] {
	return func(yield func(*Matched, error) bool) {
		if right.Header.Kind != KindSample {
			yield(nil, fmt.Errorf("match rows: the second stream is of %s, want samples", right.Header.Kind.Plural()))
			return
		}
		next, stop := iter.Pull2(right.Batches)
		defer stop()
		var current *Batch
		at := 0
		defer func() {
			if current != nil {
				current.Release()
			}
		}()
		for l, err := range left.Batches {
			if err != nil {
				yield(nil, err)
				return
			}
			m := &Matched{Left: l}
			ended := false
			for len(m.Right) < l.Len() {
				if current == nil || at == current.Len() {
					if current != nil {
						current.Release()
						current = nil
					}
					b, err, ok := next()
					if err != nil {
						m.Release()
						yield(nil, err)
						return
					}
					if !ok {
						ended = true
						break
					}
					current, at = b, 0
					continue
				}
				if n := len(m.held); n == 0 || m.held[n-1] != current {
					current.Retain()
					m.held = append(m.held, current)
				}
				s, err := current.Sample(at)
				if err != nil {
					m.Release()
					yield(nil, err)
					return
				}
				m.Right = append(m.Right, s)
				at++
			}
			if ended && len(m.Right) == 0 {
				m.Release()
				return
			}
			if !yield(m, nil) || ended {
				return
			}
		}
	}
}

// Concat joins streams of one header end to end; histories and seeds may
// differ, and the first stream's count.
func Concat(streams ...Stream) (Stream, error) {
	if len(streams) == 0 {
		return Stream{}, fmt.Errorf("join streams: there are none")
	}
	first := streams[0]
	for i, s := range streams[1:] {
		h := s.Header
		// Colors are for looking at; streams from before they were kept have none.
		h.History, h.Seed, h.Colors = first.Header.History, first.Header.Seed, first.Header.Colors
		if !h.Equal(first.Header) {
			return Stream{}, fmt.Errorf("join streams: stream %d differs from the first in kind, classes, datasets, labels or size", i+2)
		}
	}
	return Stream{first.Header, func(yield func(*Batch, error) bool) {
		for _, s := range streams {
			for b, err := range s.Batches {
				if !yield(b, err) || err != nil {
					return
				}
			}
		}
	}}, nil
}

// Counted calls count with the number of rows that have come, batch by batch.
func Counted(s Stream, count func(rows int)) Stream {
	return Stream{s.Header, func(yield func(*Batch, error) bool) {
		rows := 0
		for b, err := range s.Batches {
			if err == nil {
				rows += b.Len()
				count(rows)
			}
			if !yield(b, err) {
				return
			}
		}
	}}
}
