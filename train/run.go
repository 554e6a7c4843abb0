package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/torch"
)

// Options says where a run writes and how it reports. Out is required.
type Options struct {
	Out     string // the run directory
	Resume  bool   // continue the run in Out from its last good checkpoint
	Workers int    // goroutines that prepare batches; 0 means 2
	// MaxPixels bounds what an image of a folder may declare; 0 means raster.MaxPixels.
	MaxPixels int
	Device    torch.Device
	Launch    torch.Launch // this process's place among those that train together; the zero value is alone
	Stdin     io.Reader    // the source stream where the source's dir is "-"
	Log       *slog.Logger
	Progress  func(m Metrics, total int) // called with every line of metrics, on rank 0; nil is silent
}

// The entries of a run directory.
const (
	metricsFile    = "metrics.jsonl"
	scoresFile     = "scores.jsonl" // of the student during the run and at its end
	checkpointsDir = "checkpoints"
	resultFile     = "result.json"
)

// ErrInterrupted is returned by Run when ctx ended before the last iteration;
// the state so far has been saved.
var ErrInterrupted = errors.New("interrupted, state saved")

// Run trains cfg to its last iteration, scores the result on the target, and
// returns the scores, which also lie in Out/result.json. The run directory is
// enough to resume or to repeat the run. When ctx ends, Run writes a
// checkpoint and returns ErrInterrupted.
//
// Several processes train together where their options differ in Launch alone:
// they share each batch, and take the same steps as one process would. Rank 0
// writes the run directory, which all must see to resume. When the ctx of one
// ends, all stop after the same step; when one dies, the others' Run fails
// within half a minute and says which it was.
func Run(ctx context.Context, lib *torch.Lib, cfg config.Config, o Options) (*Result, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Workers == 0 {
		o.Workers = 2
	}
	if err := cfg.Absolute(); err != nil {
		return nil, err
	}
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if err := cfg.Fits(geometry(cfg.Network)); err != nil {
		return nil, err
	}
	if cfg.Threads > 0 {
		if err := lib.SetThreads(cfg.Threads); err != nil {
			return nil, err
		}
	}
	if err := lib.FixedShapes(true); err != nil {
		return nil, err
	}
	if !o.Launch.Alone() {
		o.Log.Info(fmt.Sprintf("rank %d of %d: meeting the others", o.Launch.Rank, o.Launch.Ranks), "at", o.Launch.Address())
	}
	group, err := lib.Join(o.Launch, o.Device, joinTimeout)
	if err != nil {
		return nil, err
	}
	defer func() { group.Leave(err) }()
	var result *Result
	err = lib.Run(o.Device, func(root *torch.Scope) (err error) {
		result, err = run(ctx, root, group, cfg, o)
		return err
	})
	if collective := (*torch.OpError)(nil); group == nil || !errors.As(err, &collective) || errors.Is(err, ErrInterrupted) {
		return result, err
	}
	err = group.Explain(err)
	if all, _ := checkpoints(filepath.Join(o.Out, checkpointsDir)); len(all) > 0 {
		err = fmt.Errorf("%w; the last checkpoint is %s: start all ranks again with --resume", err, all[len(all)-1])
	}
	return nil, err
}

// run is Run, as one of a group.
func run(ctx context.Context, root *torch.Scope, group *torch.Group, cfg config.Config, o Options) (result *Result, err error) {
	var t *trainer
	unlock := func() {}
	defer func() { unlock() }()
	begin := func() (err error) {
		if group.Rank() == 0 {
			if unlock, err = openRun(cfg, o); err != nil {
				unlock = func() {}
				return err
			}
		}
		t, err = newTrainer(ctx, root, cfg, o)
		return err
	}
	err = begin()
	if t != nil {
		defer func() { err = errors.Join(err, t.feeds.close()) }()
	}
	if failed, e := group.Any(root, err != nil); err != nil || e != nil {
		return nil, errors.Join(err, e)
	} else if failed {
		return nil, errElsewhere
	}
	end, err := t.join(group)
	if err != nil {
		return nil, err
	}
	defer end()
	return t.loop(ctx)
}

// openRun creates the run directory, or checks that the one to resume was
// made with the same configuration.
func openRun(cfg config.Config, o Options) (unlock func(), err error) {
	if o.Out == "" {
		return nil, fmt.Errorf("a run needs a directory: --out RUN")
	}
	// Before anything is made in it, and again once nobody else can begin there.
	if _, err := holdsRun(o); err != nil {
		return nil, err
	}
	if err := files.MkdirAll(o.Out); err != nil {
		return nil, fmt.Errorf("create run: %w", err)
	}
	release, err := files.Lock(o.Out, ".lock")
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			release()
		}
	}()
	exists, err := holdsRun(o)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(o.Out, config.File)
	if exists {
		for _, name := range []string{checkpointsDir, panelsDir} {
			if err := inside(o.Out, name); err != nil {
				return nil, fmt.Errorf("open run: %w", err)
			}
		}
		before, err := config.ResolveRun(o.Out, nil)
		if err != nil {
			return nil, fmt.Errorf("open run: %w", err)
		}
		if err := sameConfig(cfg, before); err != nil {
			return nil, fmt.Errorf("resume %s: %w", o.Out, err)
		}
	}
	text, err := cfg.YAML()
	if err != nil {
		return nil, err
	}
	return release, files.Write(path, true, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}

// inside fails where a folder of a run, that may come from elsewhere, is a link
// that leads out of it: what is written there, and removed, would be another's.
func inside(run, name string) error {
	f, err := files.OpenIn(run, name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// holdsRun tells whether Out holds the run that is to be resumed. It fails where
// one is to be begun and Out holds it already, or files that it would replace.
func holdsRun(o Options) (bool, error) {
	_, err := files.ReadIn(o.Out, config.File)
	exists := err == nil
	switch {
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return false, fmt.Errorf("open run: %w", err)
	case exists && !o.Resume:
		return false, fmt.Errorf("%s already holds a run: continue it with --resume, or choose another --out", o.Out)
	case !exists && o.Resume:
		return false, fmt.Errorf("%s holds no run to resume: %s is missing", o.Out, config.File)
	}
	if exists {
		return true, nil
	}
	for _, name := range []string{config.File, metricsFile, scoresFile, resultFile, checkpointsDir, panelsDir} {
		if _, err := os.Lstat(filepath.Join(o.Out, name)); err == nil {
			return false, fmt.Errorf("%s holds %s, and no run: choose another --out", o.Out, name)
		}
	}
	return false, nil
}

// sameConfig fails, naming the keys, unless both configurations compute the
// same numbers.
func sameConfig(now, before config.Config) error {
	h1, err := now.Hash()
	if err != nil {
		return err
	}
	h2, err := before.Hash()
	if err != nil || h1 == h2 {
		return err
	}
	keys, err := config.Diff(now, before)
	if err != nil {
		return err
	}
	return fmt.Errorf("the configuration differs from the run's: %q; a run is continued as it was begun", keys)
}

// loop runs the steps from t.iteration to the end, logging, scoring and saving
// on the way, and returns the last score.
func (t *trainer) loop(ctx context.Context) (result *Result, err error) {
	var log *logs
	if t.group.Rank() == 0 {
		if log, err = t.openLogs(); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, log.close()) }()
	}
	feeds := t.feeds.start(ctx, t.iteration, t.cfg.Adapt.Start, t.cfg.Patch.Start)
	defer feeds.stop()
	for t.iteration < t.cfg.Iterations {
		// Before a step rather than after it, so that a run resumed from a
		// checkpoint takes the score that was due when it was written.
		if every := t.cfg.Eval.Every; every > 0 && t.iteration > 0 && t.iteration%every == 0 {
			if _, err := t.score(ctx, log); err != nil {
				return nil, err
			}
		}
		waiting := time.Now()
		batch, err := feeds.next(t.iteration)
		t.window.waited += time.Since(waiting)
		if err := t.proceed(ctx, err); err != nil {
			batch.release()
			return nil, err
		}
		err = t.advance(ctx, batch)
		batch.release()
		if err != nil {
			return nil, err
		}
		if err := t.record(log); err != nil {
			return nil, err
		}
	}
	if result, err = t.score(ctx, log); err != nil || result == nil {
		return nil, err
	}
	if t.group.Rank() != 0 {
		return result, nil
	}
	return result, writeJSON(filepath.Join(t.options.Out, resultFile), result)
}

// advance is one step with what a bad loss and the step's picture ask for.
func (t *trainer) advance(ctx context.Context, batch stepBatch) error {
	values, err := t.step(batch)
	if bad := (badLossError{}); errors.As(err, &bad) && t.cfg.OnBadLoss == "skip" && t.finite() {
		t.options.Log.Warn("step skipped: loss "+bad.loss+" is no finite number", "iteration", t.iteration, "samples", batch.ids())
		values, err = stepValues{}, nil
		t.window.Skipped++
	}
	if err != nil {
		return fmt.Errorf("iteration %d, samples %v: %w", t.iteration, batch.ids(), t.explain(err))
	}
	if err := t.drawPanel(ctx, values.panel, batch); err != nil {
		return err
	}
	t.window.samples += batch.images() * t.group.Size()
	t.window.add(values)
	t.iteration++
	return nil
}

// record logs and saves where it is time to.
func (t *trainer) record(log *logs) error {
	last := t.iteration == t.cfg.Iterations
	if t.iteration%t.cfg.LogEvery == 0 || last {
		m := t.window.metrics(t.iteration)
		if log != nil {
			if err := log.write(m); err != nil {
				return err
			}
		}
		if t.options.Progress != nil && t.group.Rank() == 0 {
			t.options.Progress(m, t.cfg.Iterations)
		}
		t.window = newWindow()
	}
	if t.iteration%t.cfg.Checkpoint.Every == 0 || last {
		return t.save()
	}
	return nil
}

// logs are the run's records of its metrics and scores.
type logs struct {
	metrics, scores *lineLog
	events          *eventLog
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
	events, err := openEvents(t.options.Out, time.Now())
	if err != nil {
		return nil, errors.Join(err, metrics.close(), scores.close())
	}
	return &logs{metrics, scores, events}, nil
}

func (l *logs) write(m Metrics) error {
	if err := l.metrics.write(m); err != nil {
		return err
	}
	scalars := map[string]float64{"train/lr": m.LR, "train/confident": m.Confident, "speed/samples_per_second": m.SamplesPerSecond, "speed/data_wait": m.DataWait, "speed/memory_bytes": float64(m.MemoryBytes)}
	for name, v := range m.Losses {
		scalars["loss/"+name] = v
	}
	for name, v := range m.Norms {
		scalars["gradient/"+name] = v
	}
	return l.events.write(time.Now(), m.Iteration, scalars)
}

// score adds a score, by class where the class is there.
func (l *logs) score(r *Result) error {
	if err := l.scores.write(r); err != nil {
		return err
	}
	scalars := map[string]float64{"eval/miou": float64(r.MIoU), "eval/all_pixels": float64(r.AllPixels)}
	for i, iou := range r.IoU {
		if !math.IsNaN(float64(iou)) {
			scalars["eval/iou/"+r.Classes[i]] = float64(iou)
		}
	}
	return l.events.write(time.Now(), r.Iteration, scalars)
}

func (l *logs) close() error {
	return errors.Join(l.metrics.close(), l.scores.close(), l.events.close())
}

// window averages what the steps between two lines of metrics report.
type window struct {
	WindowState
	start   time.Time
	waited  time.Duration
	samples int // source and target images since start
}

// WindowState is the part of a window that a checkpoint keeps, so that a
// resumed run logs the same numbers.
type WindowState struct {
	Steps     int                `json:"steps"`
	Skipped   int                `json:"skipped"` // steps whose loss was no finite number
	Norms     map[string]float64 `json:"norms"`   // of gradients, as last probed
	Losses    map[string]float64 `json:"losses"`
	Confident float64            `json:"confident"`
	LR        float64            `json:"lr"`
}

func newWindow() *window { return windowOf(WindowState{}) }

func windowOf(s WindowState) *window {
	if s.Losses == nil {
		s.Losses = map[string]float64{}
	}
	return &window{WindowState: s, start: time.Now()}
}

// sums copies the state.
func (w *window) sums() WindowState {
	s := w.WindowState
	s.Losses = maps.Clone(s.Losses)
	return s
}

func (w *window) add(v stepValues) {
	if v.losses == nil {
		return // skipped
	}
	if len(v.norms) > 0 {
		w.Norms = v.norms
	}
	w.Steps++
	w.Confident += v.confident
	w.LR = v.lr
	for name, l := range v.losses {
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
