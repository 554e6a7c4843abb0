package optim

import "math"

// Schedule is mmcv's polynomial decay with a linear warm-up on top of it
// (mmcv 1.3.7 PolyLrUpdaterHook; DAFormer configs/_base_/schedules/
// poly10warm.py).
type Schedule struct {
	Iterations  int     // at which the rate reaches 0
	Warmup      int     // iterations of warm-up, 1500
	WarmupRatio float64 // of the rate the warm-up begins with, 1e-6
	Power       float64 // of the decay, 1
}

// Factor is what the base rate is multiplied by at an iteration, counted from
// 0.
func (s Schedule) Factor(iteration int) float64 {
	f := math.Pow(1-float64(iteration)/float64(s.Iterations), s.Power)
	if iteration < s.Warmup {
		f *= 1 - (1-float64(iteration)/float64(s.Warmup))*(1-s.WarmupRatio)
	}
	return f
}
