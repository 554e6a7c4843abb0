package train

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/train/checkpoint"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/feed"
	"github.com/pipa-uda/pipa/train/infer"
	"github.com/pipa-uda/pipa/train/logs"
	"github.com/pipa-uda/pipa/train/method"
	"github.com/pipa-uda/pipa/train/optim"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/weights"
	"github.com/pipa-uda/pipa/train/weights/safetensors"
)

// trainer is a run in progress.
type trainer struct {
	cfg       config.Config
	options   Options
	lib       *torch.Lib
	root      *torch.Scope
	group     *torch.Group // the ranks that train together; nil is this process alone
	feeds     *feed.Feeds
	bad       *feed.Bad
	names     []string   // of the classes
	colors    [][3]uint8 // of the classes; nil where the source says none
	scored    bool       // the target has labels to score on
	method    *method.Method
	optimizer *optim.AdamW
	schedule  optim.Schedule
	window    *logs.Window
	iteration int // steps done
	changes   []checkpoint.Change
}

// newTrainer builds a run's networks, opens its data, and so finds out
// what can be known before the first step. It talks to no other rank.
func newTrainer(ctx context.Context, root *torch.Scope, cfg config.Config, o Options, bad *feed.Bad) (_ *trainer, err error) {
	t := &trainer{cfg: cfg, options: o, bad: bad, lib: root.Lib(), root: root, window: logs.NewWindow()}
	t.feeds, err = feed.Open(ctx, cfg, feed.Options{Workers: o.Workers, MaxPixels: o.MaxPixels, Rank: o.Launch.Rank, Ranks: o.Launch.Ranks, Stdin: o.Stdin, Bad: bad, Statistics: o.dir().Statistics(),
		SourceLayout: o.SourceLayout, TargetLayout: o.TargetLayout})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.feeds.Close())
		}
	}()
	if err := t.setClasses(); err != nil {
		return nil, err
	}
	if err := t.lib.Seed(pipeline.NewKey(cfg.Seed, 0, "train", "init").Uint64()); err != nil {
		return nil, err
	}
	if t.method, err = method.New(root, cfg, len(t.names), o.Custom); err != nil {
		return nil, err
	}
	if cfg.Network.Init != "" {
		if err := t.begin(); err != nil {
			return nil, fmt.Errorf("network.init: %w", err)
		}
	}
	t.optimizer, t.schedule = newOptimizer(root, t.method, cfg)
	return t, nil
}

// begin makes the networks what network.init has.
func (t *trainer) begin() error {
	from, err := infer.Open(t.cfg.Network.Init)
	if err != nil {
		return err
	}
	averaged, err := from.Begin(t.method.StudentStore, t.method.TeacherStore, t.names)
	if t.method.TeacherStore != nil {
		// Without a teacher of its own the student is it, batch norms included, which
		// no average copies.
		t.method.EMA.Trained = averaged
	}
	return err
}

// newOptimizer makes the student's optimizer and the schedule of its rate.
func newOptimizer(root *torch.Scope, m *method.Method, cfg config.Config) (*optim.AdamW, optim.Schedule) {
	c := cfg.Optimizer
	group := func(name string) optim.Group { return optim.GroupOf(name, c.HeadMultiplier) }
	return optim.NewAdamW(root, m.StudentStore.Parameters(), group, optim.Options{Betas: c.Betas, WeightDecay: c.WeightDecay}),
		optim.Schedule{Iterations: cfg.Iterations, Warmup: c.Warmup, WarmupRatio: c.WarmupRatio, Power: c.Power}
}

// setClasses takes the source's classes, which the network learns to tell
// apart, and checks what else has to fit them.
func (t *trainer) setClasses() error {
	h := t.feeds.Source.Header()
	if len(h.Classes) == 0 {
		return errors.New("source: it names no classes")
	}
	t.names, t.colors = h.Classes, h.Colors
	if err := checkThings(t.cfg, t.names); err != nil {
		return err
	}
	return t.setScored()
}

// setScored finds out whether there are labels to score on. A run that is to be
// scored on what cannot be opened would end in that, after all its steps.
func (t *trainer) setScored() error {
	if !t.cfg.Target.Given() || t.cfg.Target.Streamed() || t.cfg.Eval.Every < 0 {
		return nil
	}
	classes, labeled, err := feed.Describe(t.cfg.Target, t.options.TargetLayout, t.cfg.Eval.Split)
	switch {
	case err != nil:
		return &ScoreError{t.cfg.Eval.Split, err}
	case !labeled:
		t.options.Log.Info("no target with labels to score on", "split", t.cfg.Eval.Split)
		return nil
	}
	if err := feed.SameClasses("the source", t.names, "the target", classes); err != nil {
		return err
	}
	set, err := infer.OpenLabeled(t.scoredOn(), t.options.TargetLayout, t.names, t.options.MaxPixels)
	if err != nil {
		return &ScoreError{t.cfg.Eval.Split, err}
	}
	t.scored = true
	return set.Close()
}

// scoredOn is the target's split with labels.
func (t *trainer) scoredOn() config.Data {
	target := t.cfg.Target
	target.Split = t.cfg.Eval.Split
	return target
}

// A ScoreError says that a run cannot be scored, as it is to be, on its target's
// split.
type ScoreError struct {
	Split string
	Err   error
}

func (e *ScoreError) Error() string {
	return fmt.Sprintf("the target's split %q, eval.split, cannot be scored on: %v", e.Split, e.Err)
}
func (e *ScoreError) Unwrap() error { return e.Err }

// step is one iteration: the gradients of its batches, and the update.
func (t *trainer) step(b feed.Batch) (method.Values, error) {
	every := func(n int) bool { return n > 0 && t.iteration%n == 0 }
	look := method.Look{Probe: every(t.cfg.ProbeEvery), Picture: every(t.cfg.PanelsEvery) && t.group.Rank() == 0}
	v, err := t.method.Step(b.Source, b.Target, b.Pairs, t.iteration, look)
	if err != nil {
		return v, err
	}
	return v, t.optimizer.Step(t.rate())
}

// rate is the encoder's learning rate at this iteration.
func (t *trainer) rate() float64 { return t.cfg.Optimizer.LR * t.schedule.Factor(t.iteration) }

// files are the tensors of a checkpoint.
func (t *trainer) files() map[string]func() ([]safetensors.Tensor, error) {
	f := map[string]func() ([]safetensors.Tensor, error){
		checkpoint.StudentFile:   t.method.StudentStore.Tensors,
		checkpoint.OptimizerFile: t.optimizer.Tensors,
	}
	if t.method.TeacherStore != nil {
		f[checkpoint.TeacherFile] = t.method.TeacherStore.Tensors
	}
	if len(t.method.Bank.Entries) > 0 {
		f[checkpoint.BankFile] = t.method.BankTensors
	}
	return f
}

// save writes a checkpoint of the state between two steps, on rank 0: it is the
// same on all, but for the running statistics of batch norms that are not
// synchronized.
func (t *trainer) save() error {
	if t.group.Rank() != 0 {
		return nil
	}
	hash, err := t.cfg.Hash()
	if err != nil {
		return err
	}
	files := map[string]func(string) error{}
	for name, tensors := range t.files() {
		files[name] = func(path string) error {
			list, err := tensors()
			if err != nil {
				return err
			}
			return safetensors.WriteFile(path, nil, list)
		}
	}
	state := checkpoint.State{Iteration: t.iteration, Seed: t.cfg.Seed, Classes: t.names, Colors: t.colors, Config: hash, Data: t.feeds.Digests(), Changes: t.changes, Window: t.window.Sums()}
	return checkpoint.Save(t.options.Out, state, files, t.cfg.Checkpoint.Keep)
}

// sameData compares a checkpoint's data with those that are there. Where they may
// have changed it keeps in mind that they have, for the checkpoints to come.
func (t *trainer) sameData(state checkpoint.State) error {
	if err := feed.SameClasses("the run", state.Classes, "its source", t.names); err != nil {
		return err
	}
	t.changes = state.Changes
	digests := t.feeds.Digests()
	for _, name := range slices.Sorted(maps.Keys(digests)) {
		now, before := digests[name], state.Data[name]
		if before == now {
			continue
		}
		if !t.options.AcceptChangedData {
			return &ChangedDataError{name, now, before}
		}
		t.options.Log.Warn("going on with other data, as accepted", "data", name, "digest", now, "was", before)
		t.changes = append(slices.Clone(t.changes), checkpoint.Change{Iteration: state.Iteration, Data: name, Was: before, Now: now})
	}
	return nil
}

// A ChangedDataError says that a run's data are not those that it was begun with.
type ChangedDataError struct{ Data, Now, Was string } // source, target or pairs, and their digests

func (e *ChangedDataError) Error() string {
	return fmt.Sprintf("the %s data differ from the run's (digest %s, was %s); a run is continued with the data it was begun with", e.Data, e.Now, e.Was)
}

// restore continues from the newest whole checkpoint. A run without any begins
// anew.
func (t *trainer) restore() error {
	dir, state, warnings, err := checkpoint.Latest(t.options.Out)
	for _, w := range warnings {
		t.options.Log.Warn("passing over a damaged checkpoint", "reason", w)
	}
	if err != nil {
		return err
	}
	if dir == "" {
		t.options.Log.Info("no checkpoint yet, starting from the beginning", "run", t.options.Out)
		return nil
	}
	hash, err := t.cfg.Hash()
	if err != nil {
		return err
	}
	if state.Config != hash {
		return fmt.Errorf("resume %w", &checkpoint.EditedError{Run: t.options.Out, Checkpoint: dir})
	}
	if state.Iteration > t.cfg.Iterations {
		return fmt.Errorf("resume from %s: it has %d steps done, and the run has %d", dir, state.Iteration, t.cfg.Iterations)
	}
	if err := t.sameData(state); err != nil {
		return fmt.Errorf("resume %s: %w", t.options.Out, err)
	}
	load := func(name string, to func(*safetensors.File) error) error {
		// Only files that the checkpoint lists were looked at.
		if _, listed := state.Files[name]; !listed {
			return fmt.Errorf("resume from %s: %s does not list %s", dir, checkpoint.StateFile, name)
		}
		f, err := safetensors.Open(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		if err := to(f); err != nil {
			return fmt.Errorf("resume from %s: %w", filepath.Join(dir, name), err)
		}
		return nil
	}
	if err := load(checkpoint.StudentFile, finite(t.method.StudentStore.Load)); err != nil {
		return err
	}
	if err := load(checkpoint.OptimizerFile, t.optimizer.Load); err != nil {
		return err
	}
	if t.method.TeacherStore != nil {
		if err := load(checkpoint.TeacherFile, finite(t.method.TeacherStore.Load)); err != nil {
			return err
		}
	}
	if _, has := state.Files[checkpoint.BankFile]; has {
		if err := load(checkpoint.BankFile, t.method.LoadBank); err != nil {
			return err
		}
	}
	t.iteration = state.Iteration
	t.window = logs.WindowOf(state.Window)
	t.options.Log.Info("continuing", "checkpoint", dir, "iteration", t.iteration)
	return nil
}

// finite loads a network, all of whose values are finite: no step would make them
// that again.
func finite(to func(*safetensors.File) error) func(*safetensors.File) error {
	return func(f *safetensors.File) error {
		bad, err := weights.NonFinite(f)
		if err == nil && len(bad) > 0 {
			err = fmt.Errorf("it has values that are not finite, such as in %s", bad[0])
		}
		if err != nil {
			return err
		}
		return to(f)
	}
}
