package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/fixtures/shared"
)

// planted is a library that a dataset could bring along: it leaves a file where it
// is loaded.
const planted = `
#include <fcntl.h>
#include <stdlib.h>
__attribute__((constructor)) static void run(void) { open(getenv("RAN"), O_CREAT | O_WRONLY, 0600); }
`

// trap is an installed program, and a library that tells when it is loaded.
type trap struct {
	program, library string
	places           map[string]string // of words in SECURITY.md
	environment      []string
	ran              string
}

func newTrap(t *testing.T) trap {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	prefix := filepath.Join(dir, "opt")
	x := trap{
		program: filepath.Join(prefix, "bin", "pipa"), library: filepath.Join(dir, "planted.so"), ran: filepath.Join(dir, "ran"),
		places: map[string]string{"PROGRAM": filepath.Join(prefix, "bin"), "PREFIX": prefix, "CACHE": filepath.Join(dir, "home", ".cache")},
	}
	x.environment = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + filepath.Join(dir, "home"), "RAN=" + x.ran}
	source := filepath.Join(dir, "planted.c")
	if err := os.WriteFile(source, []byte(planted), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("g++", "-x", "c", "-shared", "-fPIC", "-o", x.library, source).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	pipa, err := shared.Program()
	if err != nil {
		t.Fatal(err)
	}
	copyTo(t, pipa, x.program)
	return x
}

func copyTo(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(to), 0o755)
	}
	if err == nil {
		err = os.WriteFile(to, data, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// loads reports whether "pipa doctor" in a folder runs the planted library, and what
// it says.
func (x trap) loads(t *testing.T, dir string, environment ...string) (ran bool, said string) {
	t.Helper()
	if err := os.RemoveAll(x.ran); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(x.program, "doctor")
	c.Dir, c.Env = dir, append(slices.Clip(x.environment), environment...)
	out, err := c.CombinedOutput()
	if c.ProcessState == nil || c.ProcessState.ExitCode() == 0 {
		t.Errorf("doctor ends well: %v, %s", err, out)
	}
	_, err = os.Stat(x.ran)
	return err == nil, string(out)
}

// libraryPlaces are the files that SECURITY.md lists.
func libraryPlaces(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile("../../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	var places []string
	for _, row := range regexp.MustCompile("(?m)^\\| `([A-Z]+/[^`]+\\.so)` \\|").FindAllStringSubmatch(string(text), -1) {
		places = append(places, row[1])
	}
	if len(places) < 5 {
		t.Fatalf("SECURITY.md lists %q", places)
	}
	return places
}

// TestOnlyTrustedFilesAreRun plants a library in every place that SECURITY.md lists,
// where it is loaded, unless others can write it, and where a folder of data is
// worked in, where it is not.
func TestOnlyTrustedFilesAreRun(t *testing.T) {
	x := newTrap(t)
	elsewhere := t.TempDir()
	for _, listed := range libraryPlaces(t) {
		base, name, _ := strings.Cut(listed, "/")
		path := filepath.Join(x.places[base], name)
		t.Run(listed, func(t *testing.T) {
			copyTo(t, x.library, path)
			defer os.Remove(path)
			if ran, said := x.loads(t, elsewhere); !ran {
				t.Errorf("it is not loaded: %s", said)
			}
			for what, at := range map[string]string{path: path, "its folder": filepath.Dir(path)} {
				info, err := os.Stat(at)
				if err == nil {
					err = os.Chmod(at, info.Mode()|0o002)
				}
				if err != nil {
					t.Fatal(err)
				}
				if ran, said := x.loads(t, elsewhere); ran || !strings.Contains(said, "can be written by everybody") {
					t.Errorf("%s is everybody's, and it is loaded: %v, %s", what, ran, said)
				}
				if err := os.Chmod(at, info.Mode()); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
	t.Run("data", func(t *testing.T) {
		for _, name := range []string{".", "build", "lib", "lib/pipa", "bin", "run/build", "run", ".cache/pipa", "run/.cache/pipa"} {
			copyTo(t, x.library, filepath.Join(elsewhere, name, "libpipatorch.so"))
		}
		run := filepath.Join(elsewhere, "run")
		for _, environment := range [][]string{nil, {"PIPA_TORCH="}, {"HOME="}, {"HOME=."}, {"XDG_CACHE_HOME=.cache"}, {"PATH=."}, {"PWD=" + run}} {
			for _, dir := range []string{elsewhere, run} {
				if ran, said := x.loads(t, dir, environment...); ran || !strings.Contains(said, "libtorch backend not found") {
					t.Errorf("with %q in %s, what lies there is loaded: %v, %s", environment, dir, ran, said)
				}
			}
		}
		t.Run("PIPA_TORCH", func(t *testing.T) {
			if ran, said := x.loads(t, elsewhere, "PIPA_TORCH=run/libpipatorch.so"); !ran {
				t.Errorf("it is not loaded: %s", said)
			}
			if err := os.Chmod(filepath.Join(run, "libpipatorch.so"), 0o666); err != nil {
				t.Fatal(err)
			}
			if ran, said := x.loads(t, elsewhere, "PIPA_TORCH=run/libpipatorch.so"); ran {
				t.Errorf("everybody's is loaded: %s", said)
			}
		})
	})
}

// TestEveryVariableIsListed: what the program asks its environment for is in
// SECURITY.md.
func TestEveryVariableIsListed(t *testing.T) {
	listed, err := os.ReadFile("../../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "list", "-deps", "-json=Dir,Module,GoFiles", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	asked := map[string]bool{}
	lookups := regexp.MustCompile(`(?i)(?:getenv|lookupenv)\("(\w+)"\)`)
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p struct {
			Dir     string
			Module  *struct{ Path string }
			GoFiles []string
		}
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		ours := p.Module != nil && p.Module.Path == "github.com/pipa-uda/pipa"
		if !ours && !strings.Contains(p.Dir, "minio-go") {
			continue // of other libraries and Go itself, those that matter are listed by hand
		}
		for _, file := range p.GoFiles {
			text, err := os.ReadFile(filepath.Join(p.Dir, file))
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range lookups.FindAllStringSubmatch(string(text), -1) {
				asked[name[1]] = true
			}
		}
	}
	if !asked["PIPA_TORCH"] || !asked["AWS_PROFILE"] {
		t.Fatalf("the sources ask for %v alone", asked)
	}
	for name := range asked {
		if strings.HasPrefix(name, "MINIO_") {
			continue // ways to find credentials that package storage does not take
		}
		if !strings.Contains(string(listed), "`"+name+"`") {
			t.Errorf("%s is asked for, and SECURITY.md does not say so", name)
		}
	}
}
