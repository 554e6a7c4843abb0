package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/train/checkpoint"
	"github.com/pipa-uda/pipa/train/feed"
	"github.com/pipa-uda/pipa/train/infer"
	"github.com/pipa-uda/pipa/train/method"
	"github.com/pipa-uda/pipa/train/tensorboard"
)

// logs are the run's records of its metrics and scores.
type logs struct {
	metrics, scores *lineLog
	events          *tensorboard.Log
}

func (t *trainer) openLogs() (*logs, error) {
	metrics, err := openLines(t.options.Out, metricsFile, t.iteration)
	if err != nil {
		return nil, err
	}
	// The score of the checkpoint's own iteration is taken again.
	scores, err := openLines(t.options.Out, scoresFile, t.iteration-1)
	if err != nil {
		return nil, errors.Join(err, metrics.close())
	}
	events, err := tensorboard.Open(t.options.Out, time.Now())
	if err != nil {
		return nil, errors.Join(err, metrics.close(), scores.close())
	}
	l := &logs{metrics, scores, events}
	if t.options.Resume {
		if err := l.restart(t.options.Out, t.iteration); err != nil {
			return nil, errors.Join(err, l.close())
		}
	}
	return l, nil
}

// restart has TensorBoard drop what comes after an iteration, as the other logs do,
// and the iteration's own score, which is taken again. Its metrics are not.
func (l *logs) restart(run string, iteration int) error {
	if err := l.events.Restart(time.Now(), iteration); err != nil {
		return err
	}
	kept, err := ReadMetrics(run)
	if n := len(kept); err != nil || n == 0 || kept[n-1].Iteration != iteration {
		return err
	}
	return l.plot(kept[len(kept)-1])
}

func (l *logs) write(m Metrics) error {
	if err := l.metrics.write(m); err != nil {
		return err
	}
	return l.plot(m)
}

// plot adds metrics to TensorBoard's.
func (l *logs) plot(m Metrics) error {
	scalars := map[string]float64{"train/lr": m.LR, "train/confident": m.Confident, "speed/samples_per_second": m.SamplesPerSecond, "speed/data_wait": m.DataWait, "speed/memory_bytes": float64(m.MemoryBytes)}
	for name, v := range m.Losses {
		scalars["loss/"+name] = v
	}
	for name, v := range m.Norms {
		scalars["gradient/"+name] = v
	}
	return l.events.Write(time.Now(), m.Iteration, scalars)
}

// score adds a score, by class where the class is there.
func (l *logs) score(r *infer.Result) error {
	if err := l.scores.write(r); err != nil {
		return err
	}
	scalars := map[string]float64{"eval/miou": float64(r.MIoU), "eval/all_pixels": float64(r.AllPixels)}
	for i, iou := range r.IoU {
		if !math.IsNaN(float64(iou)) {
			scalars["eval/iou/"+r.Classes[i]] = float64(iou)
		}
	}
	return l.events.Write(time.Now(), r.Iteration, scalars)
}

func (l *logs) close() error {
	return errors.Join(l.metrics.close(), l.scores.close(), l.events.Close())
}

// window averages what the steps between two lines of metrics report.
type window struct {
	checkpoint.Window
	start   time.Time
	waited  time.Duration
	samples int // source and target images since start
}

func newWindow() *window { return windowOf(checkpoint.Window{}) }

func windowOf(s checkpoint.Window) *window {
	if s.Losses == nil {
		s.Losses = map[string]float64{}
	}
	return &window{Window: s, start: time.Now()}
}

// sums copies the state.
func (w *window) sums() checkpoint.Window {
	s := w.Window
	s.Losses = maps.Clone(s.Losses)
	return s
}

func (w *window) add(v method.Values, rate float64) {
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

func (w *window) metrics(iteration int) Metrics {
	elapsed := time.Since(w.start)
	m := Metrics{Iteration: iteration, LR: w.LR, Losses: map[string]float64{}, Confident: w.Confident / float64(max(w.Steps, 1)), Norms: w.Norms, Skipped: w.Skipped,
		SamplesPerSecond: float64(w.samples) / elapsed.Seconds(),
		DataWait:         w.waited.Seconds() / elapsed.Seconds(),
		MemoryBytes:      residentBytes()}
	for name, sum := range w.Losses {
		m.Losses[name] = sum / float64(w.Steps)
	}
	return m
}

// lineLog appends JSON lines, each with an iteration, to a file. A line is
// written with one call, so a kill leaves at most the last line short, which
// resume drops.
type lineLog struct{ f *os.File }

// openLines opens a log of a run for appending after dropping every line past
// iteration: those belong to steps that will be repeated.
func openLines(run, name string, iteration int) (*lineLog, error) {
	kept, err := readLines(run, name, iteration)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(run, name)
	err = files.Write(path, true, func(w io.Writer) error {
		for _, line := range kept {
			if _, err := w.Write(append(line, '\n')); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return &lineLog{f}, nil
}

func (l *lineLog) write(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write %s: %w", l.f.Name(), err)
	}
	if _, err := l.f.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write log: %w", err)
	}
	// A run that is resumed from a later checkpoint does not write it again.
	if err := l.f.Sync(); err != nil {
		return fmt.Errorf("write log: %w", err)
	}
	return nil
}

func (l *lineLog) close() error { return l.f.Close() }

// listLeftOut lists the samples that are left out, once there are any.
func (t *trainer) listLeftOut() error {
	run, name, kept := t.options.Out, leftOutFile(t.options.Launch.Rank), -1
	if t.options.Resume {
		kept = 0 // all: their lines have no iteration
	}
	return t.bad.List(func(l feed.LeftOut) error {
		log, err := openLines(run, name, kept) // and closed after each: they are few
		if err != nil {
			return err
		}
		kept = 0
		return errors.Join(log.write(l), log.close())
	})
}
