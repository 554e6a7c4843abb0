package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestEveryPresetIsComplete(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			cfg, err := Preset(name)
			if err != nil {
				t.Fatal(err)
			}
			cfg.Source.Dir, cfg.Target.Dir = "source", "target"
			if cfg.FeatureDistance.Weight > 0 {
				cfg.Network.Weights = "mit-b5.safetensors"
			}
			if err := cfg.Validate(); err != nil {
				t.Fatal(err)
			}
			text, err := cfg.YAML()
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "config.yaml")
			if err := os.WriteFile(file, text, 0o644); err != nil {
				t.Fatal(err)
			}
			again, err := Resolve("", file, nil)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(cfg, again) {
				t.Errorf("written and read back, the configuration is\n%+v\nwant\n%+v", again, cfg)
			}
		})
	}
}

func TestLayersOverrideInOrder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mine.yaml")
	if err := os.WriteFile(file, []byte("extends: fixture-pipa\nseed: 4\npatch: {weight: 0.5, steps: 7}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	cfg, err := Resolve("", file, []string{"patch.weight=0.25", "source.crop=[64, 64]"})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Seed != 4 || cfg.Patch.Steps != 7 || cfg.Patch.Weight != 0.25 || cfg.Source.Crop != [2]int{64, 64} {
		t.Errorf("seed %d, steps %d, weight %g, crop %v", cfg.Seed, cfg.Patch.Steps, cfg.Patch.Weight, cfg.Source.Crop)
	}
	if cfg.Patch.Temperature != 0.1 {
		t.Errorf("a key set nowhere but in base is %g, want 0.1", cfg.Patch.Temperature)
	}
}

func TestMistakesAreExplained(t *testing.T) {
	for _, c := range []struct {
		name, preset string
		set          []string
		want         string
	}{
		{"preset", "fixture-pip", nil, `did you mean "fixture-pipa"`},
		{"key", "fixture-pipa", []string{"patch.wieght=1"}, "did you mean patch.weight"},
		{"section", "fixture-pipa", []string{"patch=1"}, "patch is a section"},
		{"no value", "fixture-pipa", []string{"patch"}, "want key=value"},
		{"type", "fixture-pipa", []string{"seed=many"}, "configuration"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Resolve(c.preset, "", c.set)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

// What a file extends is a preset's name, and no path.
func TestAFileExtendsPresetsAlone(t *testing.T) {
	dir := t.TempDir()
	other := filepath.Join(dir, "other.yaml")
	if err := os.WriteFile(other, []byte("seed: 7\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	bare := strings.TrimSuffix(other, ".yaml")
	for _, name := range []string{"../preset", "../../train/config/presets/base", "recipes/hrda", "presets/base", "./base", "sub/../base", bare, other, "../../../../../.." + bare, `..\base`, "/base", ".", "..", "/", ""} {
		file := filepath.Join(dir, "mine.yaml")
		if err := os.WriteFile(file, fmt.Appendf(nil, "extends: %q\n", name), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Resolve("", file, nil); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("no preset %q", name)) {
			t.Errorf("extends %q: %v", name, err)
		}
		if _, err := Resolve(name, "", nil); name != "" && (err == nil || !strings.Contains(err.Error(), fmt.Sprintf("no preset %q", name))) {
			t.Errorf("preset %q: %v", name, err)
		}
	}
}

// A configuration that the user names may be a pipe; that of a run is a file of
// its folder.
func TestARunsConfigurationIsAFile(t *testing.T) {
	run := t.TempDir()
	pipe := filepath.Join(run, File)
	if err := unix.Mkfifo(pipe, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, open := range map[string]func() error{
		"resolve": func() error { _, err := ResolveRun(run, nil); return err },
		"read":    func() error { _, _, err := ReadRun(run); return err },
	} {
		if err := open(); err == nil || !strings.Contains(err.Error(), "config.yaml: it is not a regular file") {
			t.Errorf("%s: %v", name, err)
		}
	}
	written := make(chan error)
	go func() { written <- os.WriteFile(pipe, []byte("extends: fixture-pipa\nseed: 7\n"), 0o644) }()
	cfg, err := Resolve("", pipe, nil)
	if err := errors.Join(err, <-written); err != nil || cfg.Seed != 7 {
		t.Errorf("a pipe: seed %d, %v", cfg.Seed, err)
	}
}
