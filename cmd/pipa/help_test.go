package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pipa-uda/pipa/fixtures/checkout"
	"github.com/rivo/uniseg"
	"github.com/urfave/cli/v2"
)

// TestHelpFitsTheTerminal: no line of any help is wider than the terminal, but for
// examples and words that cannot be broken.
func TestHelpFitsTheTerminal(t *testing.T) {
	app := newApp()
	for _, width := range []int{60, 80, 120} {
		check := func(words, text string) {
			inExample, widest := false, 0
			for line := range strings.SplitSeq(text, "\n") {
				if strings.HasSuffix(line, ":") && !strings.HasPrefix(line, " ") {
					inExample = line == "Examples:" || line == "To begin with:"
				}
				columns := uniseg.StringWidth(line)
				widest = max(widest, columns)
				if limit := width; columns > limit && (!inExample || columns > 80) && len(strings.Fields(line)) > 2 {
					t.Errorf("%s, at %d columns: %q has %d", words, width, line, columns)
				}
			}
			if widest < width/2 {
				t.Errorf("%s, at %d columns: only %d are used", words, width, widest)
			}
		}
		check("pipa", helpOfAll(app, width))
		eachCommand("pipa", app.Commands, func(words string, c *cli.Command) { check(words, helpOf(words, c, width)) })
	}
}

// TestHelpSaysAll: every command has an example and says its subcommands; every flag
// has a text, a group that is known, and a name for its value.
func TestHelpSaysAll(t *testing.T) {
	app := newApp()
	overview := helpOfAll(app, 80)
	eachCommand("pipa", app.Commands, func(words string, c *cli.Command) {
		text := helpOf(words, c, 80)
		if !strings.Contains(text, "\nExamples:\n  ") || c.Usage == "" {
			t.Errorf("%s has no example, or does not say what it does", words)
		}
		for _, sub := range c.Subcommands {
			if !strings.Contains(text, "\n  "+sub.Name+" ") {
				t.Errorf("the help of %s lacks %s", words, sub.Name)
			}
		}
		if strings.Count(words, " ") == 1 && !strings.Contains(overview, "\n  "+c.Name+" ") {
			t.Errorf("the overview lacks %s", words)
		}
		last := ""
		var groups []string
		for _, f := range flagTexts(c) {
			if f.usage == "" || f.placeholder == "VALUE" {
				t.Errorf("%s --%s: %q, value %q", words, f.names[0], f.usage, f.placeholder)
			}
			if !strings.Contains(text, "--"+f.names[0]) {
				t.Errorf("the help of %s lacks --%s", words, f.names[0])
			}
			if f.group != last {
				groups, last = append(groups, f.group), f.group
			}
		}
		if slices.Contains(groups[:len(groups)-1], groupCommon) || len(slices.Compact(slices.Sorted(slices.Values(groups)))) != len(groups) {
			t.Errorf("%s has its flags in the groups %q", words, groups)
		}
	})
}

// examplesWorld makes what the examples name.
const examplesWorld = `
set -euo pipefail
pipa fixtures data --gta 3 --synthia 2 --train 3 --val 2
pipa precompute pairs --source cityscapes:data/cityscapes --unlabelled --size 96 --base 256 --out pairs
pipa train --preset fixture-pipa --source data/gta --target data/cityscapes --out runs/pipa
cp -r runs/pipa runs/source
cp -r data/cityscapes/leftImg8bit/val photos
cp runs/pipa/checkpoints/*/student.safetensors mit_b5.pth
`

// made are what an example needs of that world besides data.
var made = map[string][]string{
	"inspect": {"pairs"}, "cat": {"pairs"}, "merge": {"pairs"}, "verify": {"pairs"},
	"eval": {"runs"}, "predict": {"runs", "photos"}, "report": {"runs"}, "weights": {"mit_b5.pth"},
}

// TestExamplesRun runs the examples of every command, as they are, but for trainings,
// which stop after two steps.
func TestExamplesRun(t *testing.T) {
	backend, err := checkout.Backend()
	if err != nil {
		t.Fatal(err)
	}
	real, err := exec.LookPath("pipa")
	if err != nil {
		t.Fatal(err)
	}
	bin, world := t.TempDir(), t.TempDir()
	short := "#!/usr/bin/env bash\nif [[ $1 == train && $* != *--dry-run* ]]; then set -- \"$@\" --set iterations=2 --set 'source.batch=1' --set 'target.batch=1'; fi\nexec " + real + " \"$@\"\n"
	if err := os.WriteFile(filepath.Join(bin, "pipa"), []byte(short), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	t.Setenv("PIPA_TORCH", backend)
	runIn(t, world, "bash", examplesWorld)
	run := func(words, example string) {
		fields := strings.Fields(words)
		dir := t.TempDir()
		for _, name := range append(made[fields[min(1, len(fields)-1)]], "data") {
			if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join(world, name))); err != nil {
				if data, err := os.ReadFile(filepath.Join(world, name)); err != nil || os.WriteFile(filepath.Join(dir, name), data, 0o644) != nil {
					t.Fatal(err)
				}
			}
		}
		if words == "pipa fixtures" || words == "pipa" {
			if err := os.RemoveAll(filepath.Join(dir, "data")); err != nil {
				t.Fatal(err)
			}
			example = strings.Replace(example, "pipa fixtures data", "pipa fixtures data --gta 8 --synthia 2 --train 3 --val 2", 1)
		}
		if words == "pipa completion" {
			for line := range strings.SplitSeq(example, "\n") {
				for _, shell := range []string{"bash", "zsh", "fish"} {
					if strings.Contains(line, "completion "+shell) {
						if shell == "zsh" {
							line = "autoload -Uz compinit; compinit -u -D; " + line
						}
						runIn(t, dir, shell, line)
					}
				}
			}
			return
		}
		// A published network takes minutes, and is not here.
		example = strings.ReplaceAll(example, "pipa eval latest.pth", "true")
		runIn(t, dir, "bash", "set -o pipefail -e\n"+example)
	}
	app := newApp()
	run("pipa", startingExample)
	eachCommand("pipa", app.Commands, func(words string, c *cli.Command) {
		_, example := description(c)
		run(words, example)
	})
}

// runIn runs a script; where the system lacks its shell or man, it is left out.
func runIn(t *testing.T, dir, shell, script string) {
	t.Helper()
	for _, program := range []string{shell, "man"} {
		if _, err := exec.LookPath(program); err != nil && (program == shell || strings.Contains(script, "| man -l")) {
			t.Logf("no %s here: left out: %s", program, script)
			return
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, shell, "-c", script)
	c.Dir = dir
	c.Env = append(os.Environ(), "HOME="+dir)
	if err := os.MkdirAll(filepath.Join(dir, ".config/fish/completions"), 0o755); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	c.Stderr = &said
	if err := c.Run(); err != nil {
		t.Errorf("%s\n%v: %s", script, err, said.String())
	}
}

// TestManualPages: every page has its sections, and renders without a warning by the
// programs that are here.
func TestManualPages(t *testing.T) {
	app := newApp()
	pages := map[string]string{"pipa": mainPage(app)}
	eachCommand("pipa", app.Commands, func(words string, c *cli.Command) { pages[pageName(words)] = commandPage(words, c) })
	dir := t.TempDir()
	var names []string
	for name, text := range pages {
		for _, section := range []string{"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "EXIT STATUS", "ENVIRONMENT", "SEE ALSO"} {
			if !strings.Contains(text, "\n.SH "+section+"\n") {
				t.Errorf("%s has no %s", name, section)
			}
		}
		if i := strings.IndexFunc(text, func(r rune) bool { return r > 0x7e }); i >= 0 {
			t.Errorf("%s is not ASCII: %.40q", name, text[i:])
		}
		names = append(names, name+".1")
		if err := os.WriteFile(filepath.Join(dir, name+".1"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, renderer := range [][]string{
		{"mandoc", "-T", "lint", "-W", "warning"},
		{"groff", "-man", "-T", "utf8", "-z", "-wall"},
	} {
		if _, err := exec.LookPath(renderer[0]); err != nil {
			t.Logf("no %s here", renderer[0])
			continue
		}
		c := exec.Command(renderer[0], append(renderer[1:], names...)...)
		c.Dir = dir
		if said, err := c.CombinedOutput(); err != nil || len(said) > 0 {
			t.Errorf("%s: %v: %s", renderer[0], err, said)
		}
	}
}
