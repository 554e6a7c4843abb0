package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// TestDocumentedCommandsExist: every pipa command in the README and in docs/
// exists, with the flags it is shown with.
func TestDocumentedCommandsExist(t *testing.T) {
	pages, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	pages = append(pages, "../../README.md", "../../deploy/README.md", "../../beam/README.md")
	seen := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range shellLines(string(text)) {
			for _, command := range pipaCommands(line) {
				seen++
				if problem := checkCommandLine(newApp(), command); problem != "" {
					t.Errorf("%s: %s: pipa %s", page, problem, strings.Join(command, " "))
				}
			}
		}
	}
	if seen < 30 {
		t.Errorf("%d commands were found in %q; the pages show more", seen, pages)
	}
}

func TestCheckCommandLine(t *testing.T) {
	for line, want := range map[string]string{
		"pipa read gta data/gta --shuffle | pipa view -o x.png": "",
		"pipa precompute pairs --source x:y # a remark":         "",
		"pipa reed gta data/gta":                                "there is no command reed",
		"pipa read gta data/gta --shufle":                       "there is no flag --shufle",
		"pipa precompute mix --size 3":                          "there is no flag --size",
	} {
		got := ""
		for _, c := range pipaCommands(line) {
			got += checkCommandLine(newApp(), c)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

// shellLines are the lines of a page's shell blocks, continued ones joined.
func shellLines(page string) []string {
	var lines []string
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(page, -1) {
		lines = append(lines, strings.Split(strings.ReplaceAll(block[1], "\\\n", " "), "\n")...)
	}
	return lines
}

// pipaCommands splits a line into the words after each pipa in it.
func pipaCommands(line string) (commands [][]string) {
	line, _, _ = strings.Cut(line, " #")
	for _, part := range regexp.MustCompile(`[|()&;]|<\(`).Split(line, -1) {
		if words := strings.Fields(part); len(words) > 1 && words[0] == "pipa" {
			commands = append(commands, words[1:])
		}
	}
	return commands
}

// checkCommandLine says what is wrong with a command's words, if anything.
func checkCommandLine(app *cli.App, words []string) string {
	commands, flags := app.Commands, []cli.Flag{}
	for i, w := range words {
		if name, isFlag := strings.CutPrefix(w, "-"); isFlag {
			name, _, _ = strings.Cut(strings.TrimPrefix(name, "-"), "=")
			known := append([]cli.Flag{cli.HelpFlag, cli.VersionFlag}, flags...)
			if name != "" && !slices.ContainsFunc(known, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) }) {
				return "there is no flag " + w
			}
			continue
		}
		at := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(w) })
		if at < 0 && i == 0 {
			return "there is no command " + w
		}
		if at >= 0 {
			flags = commands[at].Flags
			commands = commands[at].Subcommands
		} else {
			commands = nil // arguments from here on
		}
	}
	return ""
}
