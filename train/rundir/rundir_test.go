package rundir

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/train/checkpoint"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/logs"
	"github.com/pipa-uda/pipa/train/panels"
)

func TestARunDirectoryHasOneOwner(t *testing.T) {
	cfg, err := config.Preset("fixture-pipa")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	unlock, err := (Dir{Path: dir}).Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (Dir{Path: dir, Resume: true}).Open(cfg); !errors.Is(err, files.ErrInUse) || !strings.Contains(err.Error(), "in use by process") {
		t.Errorf("a second owner: %v", err)
	}
	unlock()
	if unlock, err = (Dir{Path: dir, Resume: true}).Open(cfg); err != nil {
		t.Fatal(err)
	}
	unlock()
}

// A run from elsewhere may link to folders of others. What is written there, and
// the old checkpoints that are removed, would be theirs.
func TestARunWritesInItsOwnFolder(t *testing.T) {
	cfg, err := config.Preset("fixture-pipa")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{checkpoint.Dir, panels.Dir} {
		for to, outside := range map[string]bool{"..": true, t.TempDir(): true, "moved": false, "nowhere": false} {
			t.Run(name+" in "+to, func(t *testing.T) {
				dir := t.TempDir()
				unlock, err := (Dir{Path: dir}).Open(cfg)
				if err != nil {
					t.Fatal(err)
				}
				unlock()
				if err := errors.Join(os.Mkdir(filepath.Join(dir, "moved"), 0o755), os.Symlink(to, filepath.Join(dir, name))); err != nil {
					t.Fatal(err)
				}
				unlock, err = (Dir{Path: dir, Resume: true}).Open(cfg)
				if outside != (err != nil) || outside && !strings.Contains(err.Error(), "a link leads out of "+dir) {
					t.Errorf("opened with %v", err)
				}
				if err == nil {
					unlock()
				}
			})
		}
	}
}

// A run begins in a folder that holds nothing it would write over.
func TestARunReplacesNothing(t *testing.T) {
	cfg, err := config.Preset("fixture-pipa")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{logs.MetricsFile, logs.ScoresFile, ResultFile, checkpoint.Dir, panels.Dir} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, name), []byte("mine"), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := (Dir{Path: dir}).Open(cfg); err == nil || !strings.Contains(err.Error(), name+" is there, and it does not belong to a run") {
				t.Errorf("opened with %v", err)
			}
			if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
				t.Errorf("the folder holds %v, %v", entries, err)
			}
		})
	}
	t.Run("a configuration of its own", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, config.File), []byte("seed: 1\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := (Dir{Path: dir}).Open(cfg); !errors.Is(err, ErrHoldsRun) {
			t.Errorf("opened with %v", err)
		}
	})
	t.Run("a run without a step", func(t *testing.T) {
		dir := t.TempDir()
		other := cfg
		other.Optimizer.LR = 1
		for _, c := range []config.Config{other, cfg} {
			unlock, err := (Dir{Path: dir}).Open(c)
			if err != nil {
				t.Fatal(err)
			}
			unlock()
		}
		if err := os.WriteFile(filepath.Join(dir, logs.MetricsFile), []byte("{}\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := (Dir{Path: dir}).Open(cfg); !errors.Is(err, ErrHoldsRun) {
			t.Errorf("opened over a step with %v", err)
		}
	})
	t.Run("what a start that was cut off leaves", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, ".lock"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		unlock, err := (Dir{Path: dir}).Open(cfg)
		if err != nil {
			t.Fatal(err)
		}
		unlock()
	})
}
