package config

import (
	"os"
	"path/filepath"
	"testing"
)

// FuzzConfig reads damaged configurations: each gives an error, or what Resolve
// gives again of its own YAML.
func FuzzConfig(f *testing.F) {
	for _, name := range Names() {
		cfg, err := Preset(name)
		if err != nil {
			f.Fatal(err)
		}
		text, err := cfg.YAML()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte("extends: fixture-pipa\npatch: {weight: [1]}\n"))
	file := filepath.Join(f.TempDir(), "config.yaml")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
		cfg, err := Resolve("", file, nil)
		if err != nil {
			return
		}
		again, err := cfg.YAML()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, again, 0o644); err != nil {
			t.Fatal(err)
		}
		back, err := Resolve("", file, nil)
		if err != nil {
			t.Fatalf("%s\nwas written for\n%s\nand is refused: %v", again, text, err)
		}
		if keys, err := Diff(cfg, back); err != nil || len(keys) > 0 {
			t.Errorf("%q changed on the way, %v", keys, err)
		}
	})
}
