package logs

import (
	"maps"
	"time"

	"github.com/pipa-uda/pipa/train/checkpoint"
	"github.com/pipa-uda/pipa/train/method"
)

// Window averages what the steps between two lines of metrics report.
type Window struct {
	checkpoint.Window
	Waited  time.Duration // for batches
	Samples int           // source and target images since the window began
	start   time.Time
}

// NewWindow begins a window.
func NewWindow() *Window { return WindowOf(checkpoint.Window{}) }

// WindowOf goes on with what a checkpoint has.
func WindowOf(s checkpoint.Window) *Window {
	if s.Losses == nil {
		s.Losses = map[string]float64{}
	}
	return &Window{Window: s, start: time.Now()}
}

// Sums copies the state.
func (w *Window) Sums() checkpoint.Window {
	s := w.Window
	s.Losses = maps.Clone(s.Losses)
	return s
}

// Add adds a step, with the rate that it had.
func (w *Window) Add(v method.Values, rate float64) {
	if len(v.Norms) > 0 {
		w.Norms = v.Norms
	}
	w.Steps++
	w.Confident += v.Confident
	w.LR = rate
	for name, l := range v.Losses {
		w.Losses[name] += l
	}
}

// Metrics are those of the window, which ends with an iteration.
func (w *Window) Metrics(iteration int) Metrics {
	elapsed := time.Since(w.start)
	m := Metrics{Iteration: iteration, LR: w.LR, Losses: map[string]float64{}, Confident: w.Confident / float64(max(w.Steps, 1)), Norms: w.Norms, Skipped: w.Skipped,
		SamplesPerSecond: float64(w.Samples) / elapsed.Seconds(),
		DataWait:         w.Waited.Seconds() / elapsed.Seconds(),
		MemoryBytes:      residentBytes()}
	for name, sum := range w.Losses {
		m.Losses[name] = sum / float64(w.Steps)
	}
	return m
}

// Pass leaves out the time that something beside the steps took since then.
func (w *Window) Pass(begun time.Time) { w.start = w.start.Add(time.Since(begun)) }
