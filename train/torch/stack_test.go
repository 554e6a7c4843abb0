package torch

import (
	"slices"
	"sync"
	"testing"
)

// TestOperandsOutliveTheirStack makes tensors of slices that a compiler would
// keep on the stack, on goroutines whose stacks grow, and so move, on the way.
func TestOperandsOutliveTheirStack(t *testing.T) {
	run(t, func(s *Scope) {
		lib := s.Lib()
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				for round := range 300 {
					var one sync.WaitGroup
					one.Go(func() {
						if err := lib.Run(CPU, func(s *Scope) error {
							return deep(round%64, func() error { return roundTrip(t, s, float32(i*1000+round)) })
						}); err != nil {
							t.Error(err)
						}
					})
					one.Wait()
				}
			})
		}
		all.Wait()
	})
}

//go:noinline
func deep(n int, f func() error) error {
	var pad [128]byte
	if n == 0 {
		return f()
	}
	err := deep(n-1, f)
	pad[n] = byte(n)
	_ = pad
	return err
}

func roundTrip(t *testing.T, s *Scope, v float32) error {
	if got := s.FromFloat32([]float32{v, v + 1, v + 2, v + 3}, 2, 2).Float32s(); !slices.Equal(got, []float32{v, v + 1, v + 2, v + 3}) {
		t.Errorf("%v came back as %v", v, got)
	}
	return nil
}
