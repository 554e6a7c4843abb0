package logs

import (
	"errors"
	"math"
	"time"

	"github.com/pipa-uda/pipa/train/feed"
	"github.com/pipa-uda/pipa/train/infer"
	"github.com/pipa-uda/pipa/train/tensorboard"
)

// Logs are a run's records of its metrics and scores.
type Logs struct {
	metrics, scores *lines
	events          *tensorboard.Log
}

// Open opens the logs of a run that goes on from an iteration: what comes after it is
// dropped. resumed says that the run has had them before.
func Open(run string, iteration int, resumed bool) (*Logs, error) {
	metrics, err := openLines(run, MetricsFile, iteration)
	if err != nil {
		return nil, err
	}
	// The score of the checkpoint's own iteration is taken again.
	scores, err := openLines(run, ScoresFile, iteration-1)
	if err != nil {
		return nil, errors.Join(err, metrics.close())
	}
	events, err := tensorboard.Open(run, time.Now())
	if err != nil {
		return nil, errors.Join(err, metrics.close(), scores.close())
	}
	l := &Logs{metrics, scores, events}
	if resumed {
		if err := l.restart(run, iteration); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	return l, nil
}

// restart has TensorBoard drop what comes after an iteration, as the other logs do,
// and the iteration's own score, which is taken again. Its metrics are not.
func (l *Logs) restart(run string, iteration int) error {
	if err := l.events.Restart(time.Now(), iteration); err != nil {
		return err
	}
	kept, err := ReadMetrics(run)
	if n := len(kept); err != nil || n == 0 || kept[n-1].Iteration != iteration {
		return err
	}
	return l.plot(kept[len(kept)-1])
}

// Write adds a line of metrics.
func (l *Logs) Write(m Metrics) error {
	if err := l.metrics.write(m); err != nil {
		return err
	}
	return l.plot(m)
}

// plot adds metrics to TensorBoard's.
func (l *Logs) plot(m Metrics) error {
	scalars := map[string]float64{"train/lr": m.LR, "train/confident": m.Confident, "speed/samples_per_second": m.SamplesPerSecond, "speed/data_wait": m.DataWait, "speed/memory_bytes": float64(m.MemoryBytes)}
	for name, v := range m.Losses {
		scalars["loss/"+name] = v
	}
	for name, v := range m.Norms {
		scalars["gradient/"+name] = v
	}
	return l.events.Write(time.Now(), m.Iteration, scalars)
}

// Score adds a score, by class where the class is there.
func (l *Logs) Score(r *infer.Result) error {
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

// Close ends them.
func (l *Logs) Close() error {
	return errors.Join(l.metrics.close(), l.scores.close(), l.events.Close())
}

// LeftOut gives what lists the samples that a rank of a run leaves out, in a file that
// is there once there are any. resumed says that the run may have some already.
func LeftOut(run string, rank int, resumed bool) func(feed.LeftOut) error {
	kept := -1
	if resumed {
		kept = 0 // all: their lines have no iteration
	}
	return func(l feed.LeftOut) error {
		log, err := openLines(run, leftOutFile(rank), kept) // and closed after each: they are few
		if err != nil {
			return err
		}
		kept = 0
		return errors.Join(log.write(l), log.close())
	}
}
