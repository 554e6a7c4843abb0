package train

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/pipeline"
)

func TestDiffNamesKeysAndValues(t *testing.T) {
	a, err := Preset("fixture-pipa")
	if err != nil {
		t.Fatal(err)
	}
	b := a
	b.Seed, b.Patch.Weight = 3, 0.2
	got, err := Diff(b, a)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"patch.weight: 0.2, was 0.1", "seed: 3, was 0"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestHashCoversWhatDecidesTheNumbers(t *testing.T) {
	base, err := Preset("fixture-pipa")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		edit func(*Config)
		same bool
	}{
		{"data folder", func(c *Config) { c.Source.Dir = "elsewhere" }, true},
		{"checkpoint interval", func(c *Config) { c.Checkpoint.Every = 7 }, true},
		{"score interval", func(c *Config) { c.Eval.Every = 7 }, true},
		{"activation checkpointing", func(c *Config) { c.Network.Checkpointing = true }, true},
		{"seed", func(c *Config) { c.Seed++ }, false},
		{"patch mode", func(c *Config) { c.Patch.Mode = "official" }, false},
		{"iterations", func(c *Config) { c.Iterations++ }, false},
		{"threads", func(c *Config) { c.Threads++ }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			edited := base
			c.edit(&edited)
			h1, err := base.hash()
			if err != nil {
				t.Fatal(err)
			}
			h2, err := edited.hash()
			if err != nil {
				t.Fatal(err)
			}
			if (h1 == h2) != c.same {
				t.Errorf("hashes %s and %s", h1, h2)
			}
		})
	}
}

func TestARunDirectoryHasOneOwner(t *testing.T) {
	dir := t.TempDir()
	unlock, err := pipeline.Lock(dir, ".lock")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pipeline.Lock(dir, ".lock"); err == nil || !strings.Contains(err.Error(), "in use by process") {
		t.Fatalf("second lock: %v", err)
	}
	unlock()
	unlock, err = pipeline.Lock(dir, ".lock")
	if err != nil {
		t.Fatal(err)
	}
	unlock()
}

// A run begins in a folder that holds nothing it would write over.
func TestARunReplacesNothing(t *testing.T) {
	cfg, err := Preset("fixture-pipa")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{metricsFile, scoresFile, resultFile, checkpointsDir, panelsDir} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, name), []byte("mine"), 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := openRun(cfg, Options{Out: dir}); err == nil || !strings.Contains(err.Error(), "holds "+name+", and no run: choose another --out") {
				t.Errorf("opened with %v", err)
			}
			if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
				t.Errorf("the folder holds %v, %v", entries, err)
			}
		})
	}
	t.Run("what a start that was cut off leaves", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, ".lock"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		unlock, err := openRun(cfg, Options{Out: dir})
		if err != nil {
			t.Fatal(err)
		}
		unlock()
	})
}

// A lock that is a link would have the owner's name written to what it leads to.
func TestALockFollowsNoLink(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "other")
	if err := os.WriteFile(other, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(other, filepath.Join(dir, ".lock")); err != nil {
		t.Fatal(err)
	}
	if _, err := pipeline.Lock(dir, ".lock"); err == nil || !strings.Contains(err.Error(), ".lock is a link") {
		t.Errorf("locked with %v", err)
	}
	if text, err := os.ReadFile(other); err != nil || string(text) != "mine" {
		t.Errorf("the other file holds %q, %v", text, err)
	}
}
