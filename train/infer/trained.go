package infer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/pipa-uda/pipa/train/checkpoint"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/network"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/weights"
	"github.com/pipa-uda/pipa/train/weights/safetensors"
)

// Trained is a checkpoint whose networks are to be used.
type Trained struct {
	Name     string        // the run's, with @ITERATION where one checkpoint was asked for; or a file's
	Dir      string        // the checkpoint's folder, or the file of weights
	Config   config.Config // the run's
	State    checkpoint.State
	Warnings []error // newer checkpoints that were passed over, being damaged

	// Encoder is to be set where the run was trained with an encoder that a program
	// brought: one of the same name.
	Encoder network.Encoder

	published *published // of a file of weights; nil where it is a run's
}

// Open opens a run's newest good checkpoint, or, given the folder of a
// checkpoint (RUN/checkpoints/NNNNNNNN), that one, or, given a file, the whole
// network that is published in it.
func Open(path string) (t Trained, err error) {
	path = filepath.Clean(path)
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		return openPublished(path)
	}
	run := path
	_, err = os.Stat(filepath.Join(path, checkpoint.StateFile))
	single := err == nil
	if single {
		run = filepath.Dir(filepath.Dir(path))
	} else if _, err := os.Stat(filepath.Join(path, config.File)); errors.Is(err, os.ErrNotExist) {
		return t, fmt.Errorf("open %s: neither a run, with %s, nor a checkpoint, with %s, nor a file of weights", path, config.File, checkpoint.StateFile)
	}
	if t.Config, err = config.ResolveRun(run, nil); err != nil {
		return t, fmt.Errorf("open %s: %w", path, err)
	}
	abs, err := filepath.Abs(run)
	if err != nil {
		return t, fmt.Errorf("open %s: %w", path, err)
	}
	t.Name = filepath.Base(abs)
	if single {
		t.Dir = path
		if t.State, err = checkpoint.Read(path); err != nil {
			return t, err
		}
		t.Name += fmt.Sprintf("@%d", t.State.Iteration)
		return t, t.check(run)
	}
	if t.Dir, t.State, t.Warnings, err = checkpoint.Latest(run); err != nil {
		return t, err
	}
	if t.Dir == "" {
		return t, fmt.Errorf("open %s: it has no checkpoint yet", path)
	}
	return t, t.check(run)
}

// check fails where a run's configuration and its checkpoint cannot be one's: the
// network is made by the one and has the other's values.
func (t Trained) check(run string) error {
	if err := t.Config.Validate(); err != nil {
		return fmt.Errorf("open %s: %w", run, err)
	}
	hash, err := t.Config.Hash()
	if err != nil {
		return err
	}
	if t.State.Config != hash {
		return fmt.Errorf("open %w", &checkpoint.EditedError{Run: run, Checkpoint: t.Dir})
	}
	if len(t.State.Classes) == 0 {
		return fmt.Errorf("open %s: it names no classes", t.Dir)
	}
	return nil
}

// studentOrTeacher is a network's name and its file in a checkpoint.
func studentOrTeacher(teacher bool) (name, file string) {
	if teacher {
		return "teacher", checkpoint.TeacherFile
	}
	return "student", checkpoint.StudentFile
}

// network loads the student or the teacher. The heads of a student's losses, which
// only training needs, are passed over.
func (t Trained) network(s *torch.Scope, teacher bool) (*network.Network, error) {
	name, _ := studentOrTeacher(teacher)
	tensors, err := t.Weights(teacher)
	if err != nil {
		return nil, err
	}
	net, err := load(s, t.Config.Network, t.Encoder, len(t.State.Classes), tensors)
	if err != nil {
		return nil, fmt.Errorf("load the %s of %s: %w", name, t.Name, err)
	}
	return net, nil
}

// Weights are the student's or the teacher's tensors. It fails where the network's
// have values that are not finite: what they give looks like a score of nothing
// learned.
func (t Trained) Weights(teacher bool) (*safetensors.File, error) {
	name, _ := studentOrTeacher(teacher)
	tensors, err := t.tensors(teacher)
	if err != nil {
		return nil, err
	}
	bad, err := weights.NonFinite(tensors)
	if err != nil {
		return nil, fmt.Errorf("load the %s of %s: %w", name, t.Name, err)
	}
	if bad = slices.DeleteFunc(bad, network.IsHead); len(bad) > 0 {
		return nil, fmt.Errorf("load the %s of %s: it has values that are not finite in %s, such as %s: the training or the copy went wrong", name, t.Name, counted(len(bad)), bad[0])
	}
	return tensors, nil
}

func counted(tensors int) string {
	if tensors == 1 {
		return "1 tensor"
	}
	return fmt.Sprintf("%d tensors", tensors)
}

// HasTeacher reports whether there is a teacher beside the student.
func (t Trained) HasTeacher() bool {
	_, listed := t.State.Files[checkpoint.TeacherFile]
	return listed
}

func (t Trained) tensors(teacher bool) (*safetensors.File, error) {
	name, file := studentOrTeacher(teacher)
	switch {
	case t.published != nil && teacher && t.published.teacher == nil:
		return nil, fmt.Errorf("load the teacher of %s: the file has one network alone", t.Name)
	case t.published != nil && teacher:
		return t.published.teacher, nil
	case t.published != nil:
		return t.published.student, nil
	case teacher && !t.Config.Adapt.Enabled:
		return nil, fmt.Errorf("load the teacher of %s: a source-only run has none", t.Name)
	}
	// Only files that the checkpoint lists were looked at.
	if _, listed := t.State.Files[file]; !listed {
		return nil, fmt.Errorf("load the %s of %s: %s does not list %s", name, t.Name, filepath.Join(t.Dir, checkpoint.StateFile), file)
	}
	return safetensors.Open(filepath.Join(t.Dir, file))
}

// load makes the network that weights hold.
func load(s *torch.Scope, c config.Network, custom network.Encoder, classes int, tensors *safetensors.File) (*network.Network, error) {
	a, err := network.Of(c, custom)
	if err != nil {
		return nil, err
	}
	store := nn.NewStore(s)
	net, err := a.New(store.Root(), classes)
	if err != nil {
		return nil, err
	}
	return net, network.Load(store, tensors)
}
