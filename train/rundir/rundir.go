// Package rundir has the folder of a run: who may begin one in it or go on with the one
// that it holds, and which files it has.
//
//	unlock, err := rundir.Dir{Path: "runs/pipa", Resume: true}.Open(cfg)
package rundir

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/pipa-uda/pipa/formats/stats"
	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/train/checkpoint"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/infer"
	"github.com/pipa-uda/pipa/train/logs"
	"github.com/pipa-uda/pipa/train/panels"
)

// The entries of a run directory, beside its configuration (config.File), its
// checkpoints (checkpoint.Dir), its pictures (panels.Dir) and its logs.
const (
	ResultFile = "result.json"
	lockFile   = ".lock" // stays where a run was begun
)

// A Dir is the folder of a run that is to be begun in it, or resumed.
type Dir struct {
	Path   string
	Resume bool
}

// Statistics is where class statistics lie that cannot lie in their dataset's folder:
// beside the run.
func (d Dir) Statistics() string { return filepath.Clean(d.Path) + "." + stats.File }

// WriteResult writes what a run ends with.
func (d Dir) WriteResult(r *infer.Result) error {
	path := filepath.Join(d.Path, ResultFile)
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return files.Write(path, true, func(w io.Writer) error {
		_, err := w.Write(append(text, '\n'))
		return err
	})
}

// Why a run cannot be begun or resumed where it is asked for, in a
// [DirectoryError].
var (
	ErrHoldsRun = errors.New("it already holds a run")
	ErrNoRun    = errors.New("it holds no run to resume: there is no " + config.File)
	ErrOccupied = errors.New("it does not belong to a run")
)

// ErrNoDirectory is returned where a run has no directory.
var ErrNoDirectory = errors.New("a run needs a directory")

// A DirectoryError says why a run's directory cannot be one.
type DirectoryError struct {
	Dir string
	Err error
}

func (e *DirectoryError) Error() string { return fmt.Sprintf("run directory %s: %v", e.Dir, e.Err) }
func (e *DirectoryError) Unwrap() error { return e.Err }

// Open creates the run directory, or checks that the one to resume was
// made with the same configuration.
func (d Dir) Open(cfg config.Config) (unlock func(), err error) {
	// Before anything is made in it, and again once nobody else can begin there.
	if _, err := d.holdsRun(); err != nil {
		return nil, err
	}
	if err := files.MkdirAll(d.Path); err != nil {
		return nil, fmt.Errorf("create run: %w", err)
	}
	release, err := files.Lock(d.Path, lockFile)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			release()
		}
	}()
	exists, err := d.holdsRun()
	if err != nil {
		return nil, err
	}
	path := filepath.Join(d.Path, config.File)
	if exists {
		for _, name := range []string{checkpoint.Dir, panels.Dir} {
			if err := inside(d.Path, name); err != nil {
				return nil, fmt.Errorf("open run: %w", err)
			}
		}
		before, err := config.ResolveRun(d.Path, nil)
		if err != nil {
			return nil, fmt.Errorf("open run: %w", err)
		}
		if err := sameConfig(cfg, before); err != nil {
			return nil, fmt.Errorf("resume %s: %w", d.Path, err)
		}
		for _, dir := range []string{d.Path, filepath.Join(d.Path, checkpoint.Dir), filepath.Join(d.Path, panels.Dir)} {
			if err := clearTemporary(dir); err != nil {
				return nil, fmt.Errorf("resume %s: %w", d.Path, err)
			}
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

// clearTemporary removes what a killed process was writing in a folder, whose lock
// is held.
func clearTemporary(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".tmp-") {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
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

// Check fails where a run cannot be begun, or resumed, in the folder.
func (d Dir) Check() error {
	_, err := d.holdsRun()
	return err
}

// holdsRun reports whether it holds the run that is to be resumed. It fails where
// one is to be begun and it holds one already, or files that it would replace.
func (d Dir) holdsRun() (bool, error) {
	if d.Path == "" {
		return false, ErrNoDirectory
	}
	_, err := files.ReadIn(d.Path, config.File)
	exists := err == nil
	switch {
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return false, fmt.Errorf("open run: %w", err)
	case exists && !d.Resume && !hasBegun(d.Path):
		return false, nil
	case exists && !d.Resume:
		return false, &DirectoryError{d.Path, ErrHoldsRun}
	case !exists && d.Resume:
		return false, &DirectoryError{d.Path, ErrNoRun}
	}
	if exists {
		return true, nil
	}
	for _, name := range []string{config.File, logs.MetricsFile, logs.ScoresFile, ResultFile, logs.LeftOutFile, checkpoint.Dir, panels.Dir} {
		if _, err := os.Lstat(filepath.Join(d.Path, name)); err == nil {
			return false, &DirectoryError{d.Path, fmt.Errorf("%s is there, and %w", name, ErrOccupied)}
		}
	}
	return false, nil
}

// hasBegun reports whether a run has anything to go on with, or to show. One that
// ended before its first line of metrics is not in the way of another. A file that
// has the name of the configuration, and was not written by a run, is left alone.
func hasBegun(run string) bool {
	if _, err := os.Lstat(filepath.Join(run, lockFile)); err != nil {
		return true
	}
	for _, name := range []string{checkpoint.Dir, panels.Dir, ResultFile} {
		if _, err := os.Lstat(filepath.Join(run, name)); err == nil {
			return true
		}
	}
	for _, name := range []string{logs.MetricsFile, logs.ScoresFile} {
		info, err := os.Lstat(filepath.Join(run, name))
		if err == nil && info.Size() > 0 || err != nil && !errors.Is(err, os.ErrNotExist) {
			return true
		}
	}
	return false
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
