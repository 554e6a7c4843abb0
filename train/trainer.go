package train

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/loss"
	"github.com/pipa-uda/pipa/train/optim"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/uda"
	"github.com/pipa-uda/pipa/train/weights/safetensors"
)

// trainer is a run in progress.
type trainer struct {
	*networks
	cfg       config.Config
	options   Options
	lib       *torch.Lib
	root      *torch.Scope
	group     *torch.Group   // the ranks that train together; nil is this process alone
	reducer   *torch.Reducer // of the student's gradients
	feeds     *feeds
	classes   int
	names     []string   // of the classes
	colors    [][3]uint8 // of the classes; nil where the source says none
	scored    bool       // the target has labels to score on
	teacher   *uda.Teacher
	optimizer *optim.AdamW
	schedule  optim.Schedule
	bank      loss.Bank
	window    *window
	iteration int // steps done
}

// newTrainer builds a run's networks, opens its data and, resuming, restores
// its last good checkpoint. It talks to no other rank.
func newTrainer(ctx context.Context, root *torch.Scope, cfg config.Config, o Options) (_ *trainer, err error) {
	t := &trainer{cfg: cfg, options: o, lib: root.Lib(), root: root, window: newWindow()}
	if t.feeds, err = openFeeds(ctx, cfg, o); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.feeds.close())
		}
	}()
	if err := t.setClasses(); err != nil {
		return nil, err
	}
	if err := t.lib.Seed(pipeline.NewKey(cfg.Seed, 0, "train", "init").Uint64()); err != nil {
		return nil, err
	}
	if t.networks, err = buildNetworks(root, cfg, t.classes); err != nil {
		return nil, err
	}
	t.student.syncBatchNorm, t.networks.teacher.syncBatchNorm = cfg.Network.SyncBatchNorm, cfg.Network.SyncBatchNorm
	if cfg.Adapt.Enabled {
		if t.teacher, err = uda.NewTeacher(root, t.teacherStore, t.studentStore, cfg.Adapt.EMA); err != nil {
			return nil, err
		}
	}
	c := cfg.Optimizer
	t.optimizer = optim.NewAdamW(root, t.studentStore.Parameters(), func(name string) optim.Group { return optim.GroupOf(name, c.HeadMultiplier) },
		optim.Options{Betas: c.Betas, WeightDecay: c.WeightDecay})
	t.schedule = optim.Schedule{Iterations: cfg.Iterations, Warmup: c.Warmup, WarmupRatio: c.WarmupRatio, Power: c.Power}
	if o.Resume {
		if err := t.restore(); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// files are the tensors of a checkpoint.
func (t *trainer) files() map[string]func() ([]safetensors.Tensor, error) {
	f := map[string]func() ([]safetensors.Tensor, error){
		studentFile:   t.studentStore.Tensors,
		optimizerFile: t.optimizer.Tensors,
	}
	if t.teacherStore != nil {
		f[teacherFile] = t.teacherStore.Tensors
	}
	if len(t.bank.Entries) > 0 {
		f[bankFile] = func() ([]safetensors.Tensor, error) { return bankTensors(t.bank) }
	}
	return f
}

// The tensor files of a checkpoint.
const (
	studentFile   = "student.safetensors"
	teacherFile   = "teacher.safetensors"
	optimizerFile = "optimizer.safetensors"
	bankFile      = "bank.safetensors"
)

// save writes a checkpoint of the state between two steps, on rank 0: it is the
// same on all, but for the running statistics of batch norms that are not
// synchronised.
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
	state := State{Iteration: t.iteration, Seed: t.cfg.Seed, Classes: t.names, Colors: t.colors, Config: hash, Data: t.feeds.digests(), Window: t.window.sums()}
	return saveCheckpoint(filepath.Join(t.options.Out, checkpointsDir), state, files, t.cfg.Checkpoint.Keep)
}

// restore continues from the newest whole checkpoint. A run without any begins
// anew.
func (t *trainer) restore() error {
	dir, state, warnings, err := latestCheckpoint(filepath.Join(t.options.Out, checkpointsDir))
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
	for name, now := range t.feeds.digests() {
		if before := state.Data[name]; before != now {
			return fmt.Errorf("resume %s: the %s data differ from the run's (digest %s, was %s); a run is continued with the data it was begun with", t.options.Out, name, now, before)
		}
	}
	open := func(name string) (*safetensors.File, error) {
		// Only files that the checkpoint lists were looked at.
		if _, listed := state.Files[name]; !listed {
			return nil, fmt.Errorf("resume from %s: %s lists no %s", dir, stateFile, name)
		}
		return safetensors.Open(filepath.Join(dir, name))
	}
	load := func(name string, to func(*safetensors.File) error) error {
		f, err := open(name)
		if err != nil {
			return err
		}
		if err := to(f); err != nil {
			return fmt.Errorf("resume from %s: %w", filepath.Join(dir, name), err)
		}
		return nil
	}
	if err := load(studentFile, t.studentStore.Load); err != nil {
		return err
	}
	if err := load(optimizerFile, t.optimizer.Load); err != nil {
		return err
	}
	if t.teacherStore != nil {
		if err := load(teacherFile, t.teacherStore.Load); err != nil {
			return err
		}
	}
	if _, has := state.Files[bankFile]; has {
		if err := load(bankFile, func(f *safetensors.File) (err error) { t.bank, err = loadBank(t.root, f); return err }); err != nil {
			return err
		}
	}
	t.iteration = state.Iteration
	t.window = windowOf(state.Window)
	t.options.Log.Info("continuing", "checkpoint", dir, "iteration", t.iteration)
	return nil
}
