package train

import (
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
)

// The entries of a run directory, beside its configuration (config.File) and its
// checkpoints (checkpoint.Dir).
const (
	metricsFile = "metrics.jsonl"
	scoresFile  = "scores.jsonl" // of the student during the run and at its end
	resultFile  = "result.json"
	badFile     = "bad.jsonl" // samples that were left out
	lockFile    = ".lock"     // stays where a run was begun
)

// leftOutFile lists what a rank has left out.
func leftOutFile(rank int) string {
	if rank == 0 {
		return badFile
	}
	return fmt.Sprintf("bad-%d.jsonl", rank)
}

// spareStatistics is where class statistics lie that cannot lie in their dataset's
// folder: beside the run.
func spareStatistics(run string) string { return filepath.Clean(run) + "." + stats.File }

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

// openRun creates the run directory, or checks that the one to resume was
// made with the same configuration.
func openRun(cfg config.Config, o Options) (unlock func(), err error) {
	// Before anything is made in it, and again once nobody else can begin there.
	if _, err := holdsRun(o); err != nil {
		return nil, err
	}
	if err := files.MkdirAll(o.Out); err != nil {
		return nil, fmt.Errorf("create run: %w", err)
	}
	release, err := files.Lock(o.Out, lockFile)
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
		for _, name := range []string{checkpoint.Dir, panelsDir} {
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
		for _, dir := range []string{o.Out, filepath.Join(o.Out, checkpoint.Dir), filepath.Join(o.Out, panelsDir)} {
			if err := clearTemporary(dir); err != nil {
				return nil, fmt.Errorf("resume %s: %w", o.Out, err)
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

// holdsRun reports whether Out holds the run that is to be resumed. It fails where
// one is to be begun and Out holds it already, or files that it would replace.
func holdsRun(o Options) (bool, error) {
	if o.Out == "" {
		return false, ErrNoDirectory
	}
	_, err := files.ReadIn(o.Out, config.File)
	exists := err == nil
	switch {
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return false, fmt.Errorf("open run: %w", err)
	case exists && !o.Resume && !hasBegun(o.Out):
		return false, nil
	case exists && !o.Resume:
		return false, &DirectoryError{o.Out, ErrHoldsRun}
	case !exists && o.Resume:
		return false, &DirectoryError{o.Out, ErrNoRun}
	}
	if exists {
		return true, nil
	}
	for _, name := range []string{config.File, metricsFile, scoresFile, resultFile, badFile, checkpoint.Dir, panelsDir} {
		if _, err := os.Lstat(filepath.Join(o.Out, name)); err == nil {
			return false, &DirectoryError{o.Out, fmt.Errorf("%s is there, and %w", name, ErrOccupied)}
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
	for _, name := range []string{checkpoint.Dir, panelsDir, resultFile} {
		if _, err := os.Lstat(filepath.Join(run, name)); err == nil {
			return true
		}
	}
	for _, name := range []string{metricsFile, scoresFile} {
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
