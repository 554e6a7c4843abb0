package optim

// LinearSchedule is VFM-UDA's linear decay with a linear warm-up before it
// (tue-mps/vfm-uda models/warmup_and_linear_scheduler.py). The decay counts from
// the first iteration, so that the rate jumps down where the warm-up ends: from 1
// to 1 - Warmup/Iterations.
type LinearSchedule struct {
	Iterations int     // at which the rate reaches 0
	Warmup     int     // iterations of warm-up, the last of which has the whole rate; 1500
	Start      float64 // factor that the warm-up begins with, 1e-3
}

// Factor is what the base rate is multiplied by at an iteration, counted from 0.
func (s LinearSchedule) Factor(iteration int) float64 {
	switch {
	case iteration >= s.Warmup:
		return 1 - float64(iteration)/float64(s.Iterations)
	case s.Warmup == 1: // one point of a line is its first
		return s.Start
	}
	return s.Start + (1-s.Start)*float64(iteration)/float64(s.Warmup-1)
}
