// Package checkpoint has the state of a run at rest: a folder for an iteration, with
// state.json and the tensors beside it. It is written aside and renamed, so that one
// which has its name is whole, and every file is sealed with its size and hash, so
// that a damaged one is found and passed over.
//
//	dir, state, warnings, err := checkpoint.Latest("runs/pipa")
package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/zeebo/xxh3"
)

// Version changes when the files of a checkpoint change meaning.
const Version = 1

// Dir is the folder of a run that its checkpoints lie in.
const Dir = "checkpoints"

// The files of a checkpoint: its state, and those tensors that the run has.
const (
	StateFile     = "state.json"
	StudentFile   = "student.safetensors"
	TeacherFile   = "teacher.safetensors"
	OptimizerFile = "optimizer.safetensors"
	BankFile      = "bank.safetensors"
)

// State is the JSON part of a checkpoint.
type State struct {
	Version   int    `json:"version"`
	Iteration int    `json:"iteration"` // training steps done; the next step is this one, counted from 0
	Seed      uint64 `json:"seed"`
	// Config is the hash of what decides the run's numbers, Data the digest
	// of each input. A run is only continued where both are the same. No
	// generator or sampler state is needed: every draw is keyed by seed and
	// iteration.
	Config string            `json:"config"`
	Data   map[string]string `json:"data"`
	// Changes are what became of the data since the run was begun.
	Changes []Change   `json:"data_changes,omitempty"`
	Classes []string   `json:"classes"` // names by train ID
	Colors  [][3]uint8 `json:"colours,omitempty"`
	// Window is what the next line of metrics has averaged so far.
	Window Window          `json:"window"`
	Files  map[string]Seal `json:"files"`
}

// Palette is the colors of the classes.
func (s State) Palette() [][3]uint8 {
	return pipeline.Header{Classes: s.Classes, Colors: s.Colors}.Palette()
}

// maxIteration and maxLosses are far beyond those of any run: a checkpoint may come
// from elsewhere.
const (
	maxIteration = 1 << 40
	maxLosses    = 1 << 10
)

// validate checks what a state can get wrong by itself.
func (s State) validate() error {
	w := s.Window
	switch {
	case s.Iteration < 0 || s.Iteration > maxIteration:
		return fmt.Errorf("%d steps done", s.Iteration)
	case w.Steps < 0 || w.Steps > s.Iteration || w.Skipped < 0 || w.Skipped > s.Iteration:
		return fmt.Errorf("%d steps since the last line of metrics and %d skipped, of %d done", w.Steps, w.Skipped, s.Iteration)
	case len(w.Losses) > maxLosses || len(w.Norms) > maxLosses:
		return fmt.Errorf("%d losses and %d norms", len(w.Losses), len(w.Norms))
	}
	return pipeline.Header{Classes: s.Classes, Colors: s.Colors}.Validate()
}

// An EditedError says that a run's configuration is not the one that its
// checkpoint was made with.
type EditedError struct{ Run, Checkpoint string }

func (e *EditedError) Error() string {
	return fmt.Sprintf("%s: its configuration is not the one that %s was made with: it was edited. A run is what it was begun as: undo that, or begin a new run, which network.init can start from this one",
		e.Run, filepath.Base(e.Checkpoint))
}

// A Change says that a run went on from an iteration with other data, as it was
// told to.
type Change struct {
	Iteration int    `json:"iteration"`
	Data      string `json:"data"` // source, target or pairs
	Was       string `json:"was"`  // digests
	Now       string `json:"now"`
}

// Window is what the next line of metrics has averaged so far, so that a resumed
// run logs the same numbers.
type Window struct {
	Steps     int                `json:"steps"`
	Skipped   int                `json:"skipped"` // steps whose loss was not a finite number
	Norms     map[string]float64 `json:"norms"`   // of gradients, as last probed
	Losses    map[string]float64 `json:"losses"`
	Confident float64            `json:"confident"`
	LR        float64            `json:"lr"`
}

// A Seal is the size and the hash of a file as it was written.
type Seal struct {
	Bytes int64  `json:"bytes"`
	XXH3  string `json:"xxh3"`
}

// Name is the folder of an iteration's checkpoint.
func Name(iteration int) string { return fmt.Sprintf("%08d", iteration) }

// Save writes a run's checkpoint of a state, each file made by its function at the
// path it is given. Older checkpoints beyond keep are removed afterwards.
func Save(run string, state State, contents map[string]func(path string) error, keep int) (err error) {
	dir := filepath.Join(run, Dir)
	name := filepath.Join(dir, Name(state.Iteration))
	defer func() {
		if err != nil {
			err = fmt.Errorf("write checkpoint %s: %w", name, err)
		}
	}()
	// One of the same iteration holds the same state: a run was resumed and
	// stopped before its first step. Only a damaged one is replaced.
	if _, err := Read(name); err == nil {
		return nil
	} else if files.Passing(err) {
		return err
	}
	if err := files.MkdirAll(dir); err != nil {
		return err
	}
	aside, err := files.MkdirAside(dir, ".tmp-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(aside)
	state.Version = Version
	state.Files = map[string]Seal{}
	for file, write := range contents {
		path := filepath.Join(aside, file)
		if err := write(path); err != nil {
			return err
		}
		if state.Files[file], err = SealOf(path); err != nil {
			return err
		}
	}
	text, err := json.MarshalIndent(state, "", "  ")
	if err != nil {
		return err
	}
	err = files.Write(filepath.Join(aside, StateFile), true, func(w io.Writer) error {
		_, err := w.Write(append(text, '\n'))
		return err
	})
	if err != nil {
		return err
	}
	if err := os.RemoveAll(name); err != nil {
		return err
	}
	if err := os.Rename(aside, name); err != nil {
		return err
	}
	if err := files.SyncDir(dir); err != nil {
		return err
	}
	all, err := List(run)
	if err != nil {
		return err
	}
	for _, old := range all[:max(0, len(all)-keep)] {
		if err := os.RemoveAll(old); err != nil {
			return fmt.Errorf("remove old checkpoint: %w", err)
		}
	}
	return nil
}

// SealOf reads a file back: what is hashed is what lies on the disk.
func SealOf(path string) (Seal, error) {
	f, err := files.OpenIn(filepath.Dir(path), filepath.Base(path))
	if err != nil {
		return Seal{}, err
	}
	defer f.Close()
	h := xxh3.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return Seal{}, fmt.Errorf("read %s back: %w", path, err)
	}
	return Seal{n, fmt.Sprintf("%016x", h.Sum64())}, nil
}

// List is the folders of a run's checkpoints, oldest first.
func List(run string) ([]string, error) {
	dir := filepath.Join(run, Dir)
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found []string
	for _, e := range entries {
		if name := e.Name(); e.IsDir() && len(name) == 8 && strings.Trim(name, "0123456789") == "" {
			found = append(found, filepath.Join(dir, name))
		}
	}
	slices.Sort(found)
	return found, nil
}

// Latest returns a run's newest checkpoint whose files all match their seals, and a
// warning for each newer one that was passed over. The path is empty where there is
// none at all.
func Latest(run string) (path string, state State, warnings []error, err error) {
	all, err := List(run)
	if err != nil {
		return "", State{}, nil, fmt.Errorf("look for checkpoints: %w", err)
	}
	for _, c := range slices.Backward(all) {
		state, err := Read(c)
		if err == nil {
			return c, state, warnings, nil
		}
		if files.Passing(err) { // an older one is not what was asked for
			return "", State{}, nil, fmt.Errorf("look for the newest checkpoint: %w", err)
		}
		warnings = append(warnings, err)
	}
	if len(all) > 0 {
		return "", State{}, warnings, fmt.Errorf("no checkpoint under %s is whole: %w", filepath.Join(run, Dir), errors.Join(warnings...))
	}
	return "", State{}, nil, nil
}

// Read reads and verifies one checkpoint folder.
func Read(dir string) (State, error) {
	var state State
	text, err := files.ReadIn(dir, StateFile)
	if err != nil {
		return state, fmt.Errorf("checkpoint %s: %w", dir, err)
	}
	if err := json.Unmarshal(text, &state); err != nil {
		return state, fmt.Errorf("checkpoint %s: %s: %w", dir, StateFile, err)
	}
	if state.Version != Version {
		return state, fmt.Errorf("checkpoint %s has version %d, this pipa reads version %d", dir, state.Version, Version)
	}
	if err := state.validate(); err != nil {
		return state, fmt.Errorf("checkpoint %s: %s: %w", dir, StateFile, err)
	}
	for file, want := range state.Files {
		if !files.IsPlainName(file) {
			return state, fmt.Errorf("checkpoint %s: %s names a file outside it: %q", dir, StateFile, file)
		}
		got, err := SealOf(filepath.Join(dir, file))
		if err != nil {
			return state, fmt.Errorf("checkpoint %s: %w", dir, err)
		}
		if got != want {
			return state, fmt.Errorf("checkpoint %s: %s is damaged: %d bytes with hash %s, want %d with %s", dir, file, got.Bytes, got.XXH3, want.Bytes, want.XXH3)
		}
	}
	return state, nil
}
