// Package pipelinetest helps to test the stages of a stream.
package pipelinetest

import (
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pipa-uda/pipa/pipeline"
)

// errCut ends a stream that is watched to its middle.
var errCut = errors.New("the stream is cut")

// Leaks runs what a stage makes of a stream in the ways that a stream can end:
// to its last batch, left after the first by who reads it, left before the
// first, and with an error after the input's first. It fails where a batch of the
// input is not released, or released twice, or a goroutine goes on.
//
// input is called for each run, and stage gets its stream. A stage that has no
// stream to give, since it writes, returns one without Batches.
func Leaks(t *testing.T, input func() pipeline.Stream, stage func(pipeline.Stream) (pipeline.Stream, error)) {
	t.Helper()
	for _, end := range []struct {
		name      string
		take, cut int // batches of the output and of the input; -1 all
	}{
		{"to the end", -1, -1},
		{"left after the first batch", 1, -1},
		{"never read", 0, -1},
		{"with an error", -1, 1},
	} {
		t.Run(end.name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			var live, made atomic.Int64
			out, err := stage(watch(t, input(), end.cut, &live, &made))
			if err != nil && !errors.Is(err, errCut) {
				t.Fatal(err)
			}
			if err == nil && out.Batches != nil {
				err = drain(out, end.take)
			}
			if cut := errors.Is(err, errCut); cut != (end.cut >= 0) {
				t.Errorf("it ended with %v", err)
			}
			if n := live.Load(); n != 0 {
				t.Errorf("%d of %d batches were not released", n, made.Load())
			}
			if made.Load() == 0 && end.take != 0 && out.Batches != nil {
				t.Error("no batch was read")
			}
			for deadline := time.Now().Add(time.Minute); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					stacks := make([]byte, 1<<16)
					t.Fatalf("%d goroutines are left of it:\n%s", runtime.NumGoroutine()-before, stacks[:runtime.Stack(stacks, true)])
				}
			}
		})
	}
}

func drain(s pipeline.Stream, take int) error {
	for b, err := range s.Batches {
		if err != nil {
			return err
		}
		b.Release()
		if take--; take == 0 {
			return nil
		}
	}
	return nil
}

// watch counts the batches that are live, and ends with errCut after cut.
func watch(t *testing.T, s pipeline.Stream, cut int, live, made *atomic.Int64) pipeline.Stream {
	return pipeline.Stream{Header: s.Header, Batches: func(yield func(*pipeline.Batch, error) bool) {
		n := 0
		for b, err := range s.Batches {
			if n == cut {
				if err == nil {
					b.Release()
				}
				yield(nil, errCut)
				return
			}
			if n++; err == nil {
				var released atomic.Bool
				live.Add(1)
				made.Add(1)
				b.OnRelease(func() {
					if released.Swap(true) {
						t.Error("a batch was released twice")
					}
					live.Add(-1)
				})
			}
			if !yield(b, err) || err != nil {
				return
			}
		}
	}}
}
