package pipeline

import (
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipa-uda/pipa/pipeline/raster"
	"go.uber.org/goleak"
)

func numbers(n int) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		for i := range n {
			if !yield(i, nil) {
				return
			}
		}
	}
}

// TestMapKeepsOrder: whichever job ends first, results come in the order of
// the input.
func TestMapKeepsOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, workers := range []int{-1, 0, 1, 2, 7, 100} {
			slow := func(_ context.Context, i int) (int, error) {
				time.Sleep(rand.N(time.Minute))
				return i * i, nil
			}
			i := 0
			for v, err := range Map(t.Context(), workers, numbers(50), slow, nil) {
				if err != nil || v != i*i {
					t.Fatalf("%d workers: result %d is %d, %v", workers, i, v, err)
				}
				i++
			}
			if i != 50 {
				t.Errorf("%d workers: %d results, want 50", workers, i)
			}
		}
	})
}

// TestMapIsBounded: a consumer that does not move lets at most 2*workers
// values, and the one on its way in, leave the input.
func TestMapIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const workers = 3
		var taken atomic.Int32
		in := func(yield func(int, error) bool) {
			for i := range 1000 {
				taken.Add(1)
				if !yield(i, nil) {
					return
				}
			}
		}
		for range Map(t.Context(), workers, in, func(_ context.Context, i int) (int, error) { return i, nil }, nil) {
			synctest.Wait() // until the pool has run as far ahead as it may
			if n := taken.Load(); n > 2*workers+2 {
				t.Fatalf("%d values taken for the first result", n)
			}
			break
		}
	})
}

// TestMapEndsCleanly: every way out of the loop leaves no goroutine, and every
// result that was made is either yielded or discarded.
func TestMapEndsCleanly(t *testing.T) {
	broken := errors.New("broken")
	failAt := func(n int) func(context.Context, int) (int, error) {
		return func(_ context.Context, i int) (int, error) {
			if i == n {
				return 0, broken
			}
			return i, nil
		}
	}
	for _, c := range []struct {
		name     string
		f        func(context.Context, int) (int, error)
		in       iter.Seq2[int, error]
		breakAt  int // leave the loop at this result
		cancelAt int // cancel the context at this result
		want     error
	}{
		{"to the end", failAt(-1), numbers(40), -1, -1, nil},
		{"a job fails", failAt(17), numbers(40), -1, -1, broken},
		{"the first job fails", failAt(0), numbers(40), -1, -1, broken},
		{"the input fails", failAt(-1), func(yield func(int, error) bool) {
			for i := range 9 {
				if !yield(i, nil) {
					return
				}
			}
			yield(0, broken)
		}, -1, -1, broken},
		{"the consumer leaves", failAt(-1), numbers(40), 5, -1, nil},
		{"the context ends", failAt(-1), numbers(1 << 30), -1, 5, context.Canceled},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer goleak.VerifyNone(t)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var made, given, discarded atomic.Int32
			f := func(ctx context.Context, i int) (int, error) {
				v, err := c.f(ctx, i)
				if err == nil {
					made.Add(1)
				}
				return v, err
			}
			var last error
			for v, err := range Map(ctx, 4, c.in, f, func(int) { discarded.Add(1) }) {
				if last = err; err != nil {
					break
				}
				given.Add(1)
				if v == c.breakAt {
					break
				}
				if v == c.cancelAt {
					cancel()
				}
			}
			if !errors.Is(last, c.want) {
				t.Errorf("ended with %v, want %v", last, c.want)
			}
			if made.Load() != given.Load()+discarded.Load() {
				t.Errorf("%d results made, %d given, %d discarded", made.Load(), given.Load(), discarded.Load())
			}
		})
	}
}

// TestRunReleases: a stage's stream broken off in the middle leaves no Arrow
// buffer and no goroutine behind.
func TestRunReleases(t *testing.T) {
	defer goleak.VerifyNone(t)
	header := Header{Kind: KindSample, Classes: []string{"road"}, Datasets: []string{"d"}}
	read := func(_ context.Context, i int) (Sample, error) {
		return Sample{ID: string(rune('a' + i)), Dataset: "d", Split: "train", Image: raster.New(4, 4, 3)}, nil
	}
	s := Generate(t.Context(), header, 20, 2, 2, read, nil)
	out, err := Run(t.Context(), s, passing{}, 3)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for b, err := range out.Batches {
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, b.IDs()...)
		b.Release()
		if len(ids) == 6 {
			break
		}
	}
	if want := []string{"a", "b", "c", "d", "e", "f"}; !slices.Equal(ids, want) {
		t.Errorf("ids %q, want %q", ids, want)
	}
}

// passing is a stage that changes nothing.
type passing struct{}

func (passing) Header(in Header) (Header, error) { return in, nil }
func (passing) Apply(_ context.Context, in *Batch, out *Builder) error {
	for i := range in.Len() {
		if err := out.AppendFrom(in, i); err != nil {
			return err
		}
	}
	return nil
}

// TestGenerateSplitsLargeBatches: rows that together exceed a batch's bytes
// are spread over more batches than asked for.
func TestGenerateSplitsLargeBatches(t *testing.T) {
	header := Header{Kind: KindSample, Datasets: []string{"d"}}
	read := func(_ context.Context, i int) (Sample, error) {
		return Sample{ID: string(rune('a' + i)), Dataset: "d", Split: "train", Image: raster.New(3000, 3000, 3)}, nil
	}
	var lens []int
	for b, err := range Generate(t.Context(), header, 5, 4, 1, read, nil).Batches {
		if err != nil {
			t.Fatal(err)
		}
		lens = append(lens, b.Len())
		b.Release()
	}
	if want := []int{2, 2, 1}; !slices.Equal(lens, want) {
		t.Errorf("batches of %v rows, want %v: 27 MB each under a limit of 64 MiB", lens, want)
	}
}
