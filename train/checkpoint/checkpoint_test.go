package checkpoint

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func save(t *testing.T, dir string, iteration, keep int) {
	t.Helper()
	err := Save(dir, State{Iteration: iteration}, map[string]func(string) error{
		"student.safetensors": func(path string) error { return os.WriteFile(path, []byte("weights"), 0o644) },
	}, keep)
	if err != nil {
		t.Fatal(err)
	}
}

func TestLatestCheckpointIsTheNewestWholeOne(t *testing.T) {
	dir := t.TempDir()
	if path, _, _, err := Latest(dir); path != "" || err != nil {
		t.Fatalf("without any: %q, %v", path, err)
	}
	for _, i := range []int{100, 200, 300} {
		save(t, dir, i, 3)
	}
	path, state, warnings, err := Latest(dir)
	if err != nil || state.Iteration != 300 || len(warnings) != 0 {
		t.Fatalf("%q at %d, %v, %v", path, state.Iteration, warnings, err)
	}

	for _, damage := range []struct {
		name string
		do   func(checkpoint string) error
	}{
		{"flipped byte", func(c string) error {
			return os.WriteFile(filepath.Join(c, "student.safetensors"), []byte("weightz"), 0o644)
		}},
		{"missing file", func(c string) error { return os.Remove(filepath.Join(c, "student.safetensors")) }},
	} {
		if err := damage.do(path); err != nil {
			t.Fatal(err)
		}
		before := state.Iteration
		path, state, warnings, err = Latest(dir)
		if err != nil || state.Iteration != before-100 || len(warnings) == 0 {
			t.Fatalf("after %s: %q at %d, %v, %v", damage.name, path, state.Iteration, warnings, err)
		}
	}
	if err := os.Remove(filepath.Join(path, StateFile)); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := Latest(dir); err == nil || !strings.Contains(err.Error(), "no checkpoint") {
		t.Fatalf("with none left whole: %v", err)
	}
}

func TestFailedCheckpointLeavesTheOldOnes(t *testing.T) {
	dir := t.TempDir()
	save(t, dir, 100, 1)
	full := errors.New("disk full")
	err := Save(dir, State{Iteration: 200}, map[string]func(string) error{
		"student.safetensors": func(string) error { return full },
	}, 1)
	if !errors.Is(err, full) {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(dir, Dir))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() != "00000100" {
		t.Errorf("left behind: %v", entries)
	}
}

func TestOldCheckpointsGo(t *testing.T) {
	dir := t.TempDir()
	for _, i := range []int{1, 2, 3, 4} {
		save(t, dir, i, 2)
	}
	all, err := List(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || filepath.Base(all[0]) != "00000003" {
		t.Errorf("kept %v", all)
	}
}
