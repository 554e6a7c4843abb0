package pipeline

import (
	"context"
	"iter"
	"sync"

	"github.com/pipa-uda/pipa/internal/files"
)

// Map applies f to every value of in on up to workers goroutines and yields
// the results in the order of in. At most 2*workers values are held at once.
// The first error (of in, of f, or ctx's) is yielded last; in is pulled from
// one goroutine at a time. However the caller leaves the loop, every goroutine
// has ended when the range statement does, and discard, where it is not nil,
// has been called on each result that was made but not yielded.
func Map[In, Out any](ctx context.Context, workers int, in iter.Seq2[In, error], f func(context.Context, In) (Out, error), discard func(Out)) iter.Seq2[Out, error] {
	workers = max(workers, 1)
	type result struct {
		out Out
		err error
	}
	type job struct {
		in   In
		done chan result
	}
	return func(yield func(Out, error) bool) {
		var none Out
		ctx, cancel := context.WithCancel(ctx)
		var wg sync.WaitGroup
		jobs := make(chan job)
		order := make(chan chan result, workers)

		wg.Go(func() { // feeds jobs, keeps their order
			defer close(order)
			defer close(jobs)
			for v, err := range in {
				done := make(chan result, 1)
				if err != nil {
					done <- result{err: err}
					select {
					case order <- done:
					case <-ctx.Done():
					}
					return
				}
				// A job that has entered order is always run, so that f, which
				// owns its input, gets the chance to release it.
				select {
				case order <- done:
					jobs <- job{v, done}
				case <-ctx.Done():
					out, err := f(ctx, v)
					if err == nil && discard != nil {
						discard(out)
					}
					return
				}
			}
		})
		for range workers {
			wg.Go(func() {
				for j := range jobs {
					var r result
					r.err = files.Mapped("a mapped input", func() (err error) {
						r.out, err = f(ctx, j.in)
						return err
					})
					j.done <- r
				}
			})
		}
		defer func() {
			cancel()
			for done := range order { // drains what is under way
				if r := <-done; r.err == nil && discard != nil {
					discard(r.out)
				}
			}
			wg.Wait()
		}()
		for {
			var done chan result
			var ok bool
			select {
			case done, ok = <-order:
			case <-ctx.Done():
				yield(none, context.Cause(ctx))
				return
			}
			if !ok {
				if err := context.Cause(ctx); err != nil {
					yield(none, err)
				}
				return
			}
			r := <-done
			if r.err != nil {
				yield(none, r.err)
				return
			}
			if !yield(r.out, nil) {
				return
			}
		}
	}
}
