package train

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/train/checkpoint"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/faults"
	"github.com/pipa-uda/pipa/train/feed"
	"github.com/pipa-uda/pipa/train/infer"
	"github.com/pipa-uda/pipa/train/logs"
	"github.com/pipa-uda/pipa/train/method"
	"github.com/pipa-uda/pipa/train/network"
	"github.com/pipa-uda/pipa/train/panels"
	"github.com/pipa-uda/pipa/train/rundir"
	"github.com/pipa-uda/pipa/train/torch"
)

// Options says where a run writes and how it reports. Out is required.
type Options struct {
	Out    string // the run directory
	Resume bool   // continue the run in Out from its last good checkpoint
	// AcceptChangedData continues it even if its data are others now, such as a
	// dataset whose broken file was mended. Checkpoints say so from then on.
	AcceptChangedData bool
	Workers           int // goroutines that prepare batches; 0 means 2
	// MaxBad is how many samples that cannot be read may be left out: others are drawn
	// in their place, and the run's directory lists them.
	MaxBad feed.MaxBad
	// MaxPixels bounds what an image of a folder may declare; 0 means raster.MaxPixels.
	MaxPixels int
	Device    torch.Device
	Launch    torch.Launch // this process's place among those that train together; the zero value is alone
	Stdin     io.Reader    // the source stream where the source's dir is "-"
	Log       *slog.Logger
	Progress  func(m logs.Metrics, total int) // called with every line of metrics, on rank 0; nil is silent

	// Counting is called while the source's class statistics are counted, on rank 0;
	// nil is silent.
	Counting func(done, total int)
	Stepped  func(iteration int) // called after every step, on rank 0; nil is silent

	// What a program brings of its own, instead of what cfg names or beside it. The
	// run's configuration has the names, and the run is only resumed with the same.
	method.Custom
	SourceLayout, TargetLayout *formats.Layout // nil leaves cfg's format
}

// name puts the names of what the program brings into a configuration.
func (o Options) name(cfg *config.Config) {
	o.Custom.Name(cfg)
	if o.SourceLayout != nil {
		cfg.Source.Format = config.Custom(o.SourceLayout.Name)
	}
	if o.TargetLayout != nil {
		cfg.Target.Format = config.Custom(o.TargetLayout.Name)
	}
}

func (o Options) dir() rundir.Dir { return rundir.Dir{Path: o.Out, Resume: o.Resume} }

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
func Run(ctx context.Context, lib *torch.Lib, cfg config.Config, o Options) (*infer.Result, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Workers == 0 {
		o.Workers = 2
	}
	o.name(&cfg)
	if err := cfg.Absolute(); err != nil {
		return nil, err
	}
	if err := check(cfg, o.Encoder); err != nil {
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
	group, err := meet(ctx, lib, o)
	if err != nil {
		return nil, err
	}
	defer func() { group.Leave(err) }()
	var result *infer.Result
	err = lib.Run(o.Device, func(root *torch.Scope) (err error) {
		result, err = run(ctx, root, group, cfg, o)
		return err
	})
	if collective := (*torch.OpError)(nil); group == nil || !errors.As(err, &collective) || errors.Is(err, ErrInterrupted) {
		return result, err
	}
	err = group.Explain(err)
	if all, _ := checkpoint.List(o.Out); len(all) > 0 {
		err = &LostRankError{err, all[len(all)-1]}
	}
	return nil, err
}

// A LostRankError ends the ranks that are left where one is lost and there is a
// checkpoint to go on from.
type LostRankError struct {
	Err        error
	Checkpoint string // the last one
}

func (e *LostRankError) Error() string {
	return fmt.Sprintf("%v; the last checkpoint is %s: start all ranks again", e.Err, e.Checkpoint)
}
func (e *LostRankError) Unwrap() error { return e.Err }

// Check validates a configuration, whose data need not be opened for it: what its
// values may be, and what its network can be trained on. A value that cannot work is
// a [config.ValueError].
func Check(cfg config.Config) error { return check(cfg, nil) }

func check(cfg config.Config, encoder network.Encoder) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	a, err := network.Of(cfg.Network, encoder)
	if err != nil {
		return err
	}
	return cfg.Fits(a.Geometry())
}

// A SetupError ends a run before its first step: what was asked for does not go
// together, with the data, the directory or the device.
type SetupError struct{ Err error }

func (e *SetupError) Error() string { return e.Err.Error() }
func (e *SetupError) Unwrap() error { return e.Err }

// run is Run, as one of a group.
func run(ctx context.Context, root *torch.Scope, group *torch.Group, cfg config.Config, o Options) (result *infer.Result, err error) {
	var t *trainer
	unlock := func() {}
	defer func() { unlock() }()
	open := func() (err error) {
		if group.Rank() != 0 {
			return nil
		}
		release, err := o.dir().Open(cfg)
		if err == nil {
			unlock = release
		}
		return err
	}
	bad := &feed.Bad{Most: o.MaxBad, Log: o.Log}
	prepare := func() (err error) {
		if o.Resume {
			err = open()
		} else if group.Rank() == 0 {
			err = o.dir().Check()
		}
		if err != nil || group.Rank() != 0 {
			return err
		}
		return feed.Statistics{Spare: o.dir().Statistics(), Workers: o.Workers, Progress: o.Counting, Log: o.Log, Bad: bad}.Count(ctx, cfg, o.SourceLayout, o.MaxPixels)
	}
	begin := func() (err error) {
		if o.Resume {
			before, err := logs.ReadLeftOut(o.Out, o.Launch.Rank)
			if err != nil {
				return err
			}
			bad.Resume(before)
		}
		if t, err = newTrainer(ctx, root, cfg, o, bad); err != nil || !o.Resume {
			return err
		}
		return t.restore()
	}
	defer func() {
		if t != nil {
			err = errors.Join(err, t.feeds.Close())
		}
	}()
	for _, do := range []func() error{prepare, begin} {
		if err := together(root, group, do); err != nil {
			return nil, err
		}
	}
	// A new run's folder is made once nothing is left that can be known to be wrong:
	// it would be in the way of the run that is right.
	if !o.Resume {
		if err := together(root, group, open); err != nil {
			return nil, err
		}
	}
	if err := bad.List(logs.LeftOut(o.Out, o.Launch.Rank, o.Resume)); err != nil {
		return nil, err
	}
	end, err := t.join(group)
	if err != nil {
		return nil, err
	}
	defer end()
	return t.loop(ctx)
}

// together does what may fail before the first step on all ranks: each fails where
// one does.
func together(root *torch.Scope, group *torch.Group, do func() error) error {
	err := do()
	if err != nil {
		err = &SetupError{err}
	}
	if failed, e := group.Any(root, err != nil); err != nil || e != nil {
		return errors.Join(err, e)
	} else if failed {
		return errElsewhere
	}
	return nil
}

// loop runs the steps from t.iteration to the end, logging, scoring and saving
// on the way, and returns the last score.
func (t *trainer) loop(ctx context.Context) (result *infer.Result, err error) {
	var log *logs.Logs
	if t.group.Rank() == 0 {
		if log, err = logs.Open(t.options.Out, t.iteration, t.options.Resume); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, log.Close()) }()
	}
	feeds := t.feeds.Start(ctx, t.iteration, t.cfg.Adapt.Start, t.cfg.Patch.Start)
	defer feeds.Stop()
	for t.iteration < t.cfg.Iterations {
		// Before a step rather than after it, so that a run resumed from a
		// checkpoint takes the score that was due when it was written.
		if every := t.cfg.Eval.Every; every > 0 && t.iteration > 0 && t.iteration%every == 0 {
			if _, err := t.score(ctx, log); err != nil {
				return nil, err
			}
		}
		waiting := time.Now()
		batch, err := feeds.Next(t.iteration)
		t.window.Waited += time.Since(waiting)
		if err := t.proceed(ctx, err); err != nil {
			batch.Release()
			return nil, err
		}
		err = t.advance(ctx, batch)
		batch.Release()
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
	result.Changes, result.LeftOut = t.changes, t.bad.Count()
	return result, t.options.dir().WriteResult(result)
}

// advance is one step with what a bad loss and the step's picture ask for.
func (t *trainer) advance(ctx context.Context, batch feed.Batch) error {
	values, err := t.step(batch)
	bad := method.BadLossError{}
	switch {
	case errors.As(err, &bad) && t.cfg.OnBadLoss == "skip" && t.method.Finite():
		t.options.Log.Warn("step skipped: loss "+bad.Loss+" is not a finite number", "iteration", t.iteration, "samples", batch.IDs())
		t.window.Skipped++
	case err != nil && bad.Loss != "":
		return fmt.Errorf("iteration %d, samples %v: %w", t.iteration, batch.IDs(), faults.Diverged(bad, t.options.Out, t.iteration, t.cfg.OnBadLoss == "skip"))
	case err != nil:
		return fmt.Errorf("iteration %d, samples %v: %w", t.iteration, batch.IDs(), faults.Explain(err, t.options.Out))
	default:
		header := pipeline.Header{Seed: t.cfg.Seed, Classes: t.names, Colors: t.colors}
		if err := panels.Draw(ctx, t.options.Out, t.iteration, header, values.Panel, batch); err != nil {
			return err
		}
		t.window.Add(values, t.rate())
	}
	t.window.Samples += batch.Images() * t.group.Size()
	t.iteration++
	if t.options.Stepped != nil && t.group.Rank() == 0 {
		t.options.Stepped(t.iteration)
	}
	return nil
}

// record logs and saves where it is time to.
func (t *trainer) record(log *logs.Logs) error {
	last := t.iteration == t.cfg.Iterations
	if t.iteration%t.cfg.LogEvery == 0 || last {
		m := t.window.Metrics(t.iteration)
		if log != nil {
			if err := log.Write(m); err != nil {
				return err
			}
		}
		if t.options.Progress != nil && t.group.Rank() == 0 {
			t.options.Progress(m, t.cfg.Iterations)
		}
		t.window = logs.NewWindow()
	}
	if t.iteration%t.cfg.Checkpoint.Every == 0 || last {
		return t.save()
	}
	return nil
}
