package config

import (
	"reflect"
	"testing"
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
			h1, err := base.Hash()
			if err != nil {
				t.Fatal(err)
			}
			h2, err := edited.Hash()
			if err != nil {
				t.Fatal(err)
			}
			if (h1 == h2) != c.same {
				t.Errorf("hashes %s and %s", h1, h2)
			}
		})
	}
}
