package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/rivo/uniseg"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// The groups of a command's flags. What a command has of its own comes first, under
// "Options".
const (
	groupOwn     = "Options"
	groupInput   = "Input"
	groupAugment = "Augmentation"
	groupPairs   = "Crop pairs"
	groupSight   = "How the network sees an image"
	groupJob     = "The job"
	groupCommon  = "Common options"
)

// A flagText is what is said of a flag.
type flagText struct {
	names       []string // the long one first
	placeholder string   // of its value; empty where it takes none
	usage       string   // ends with the default, if there is one to say
	group       string
	repeats     bool
}

var (
	inBackticks  = regexp.MustCompile("`([^`]*)`")
	choicesFirst = regexp.MustCompile("^`[^`]*[|][^`]*`:? ") // of which the text says no more
)

// flagTexts are the flags of a command, in their order, by groups.
func flagTexts(c *cli.Command) []flagText {
	var texts []flagText
	for _, f := range append(slices.Clone(c.Flags), cli.HelpFlag) {
		said, ok := f.(cli.DocGenerationFlag)
		if !ok || slices.ContainsFunc(texts, func(t flagText) bool { return t.names[0] == f.Names()[0] }) {
			continue
		}
		t := flagText{names: f.Names(), group: groupOwn, usage: inBackticks.ReplaceAllString(choicesFirst.ReplaceAllString(said.GetUsage(), ""), "$1")}
		if of, ok := f.(cli.CategorizableFlag); ok && of.GetCategory() != "" {
			t.group = of.GetCategory()
		}
		if f == cli.HelpFlag {
			t.group, t.usage = groupCommon, "print this help"
		}
		if said.TakesValue() {
			t.placeholder = "VALUE"
			if m := inBackticks.FindStringSubmatch(said.GetUsage()); m != nil {
				t.placeholder = m[1]
			}
			if value := strings.Trim(said.GetDefaultText(), `"`); value != "" {
				t.usage += " (default: " + value + ")"
			}
		}
		_, t.repeats = f.(*cli.GenericFlag)
		texts = append(texts, t)
	}
	order := []string{groupOwn, groupInput, groupAugment, groupPairs, groupSight, groupJob, groupCommon}
	slices.SortStableFunc(texts, func(a, b flagText) int { return slices.Index(order, a.group) - slices.Index(order, b.group) })
	return texts
}

// spelled are a flag's names as they are typed, the short one first, which is left
// room where there is none.
func (t flagText) spelled() string {
	text := "    "
	if len(t.names) > 1 {
		text = "-" + t.names[1] + ", "
	}
	text += "--" + t.names[0]
	if t.placeholder != "" {
		text += " " + t.placeholder
	}
	return text
}

// description splits a command's description: paragraphs, and the examples, which are
// indented and the last.
func description(c *cli.Command) (paragraphs []string, examples string) {
	prose, examples, ok := strings.Cut("\n"+c.Description, "\n   ")
	for p := range strings.SplitSeq(prose, "\n\n") {
		if p = strings.Join(strings.Fields(p), " "); p != "" {
			paragraphs = append(paragraphs, p)
		}
	}
	if ok {
		examples = strings.ReplaceAll(examples, "\n   ", "\n")
	}
	return paragraphs, examples
}

// synopses are the ways to call a command, which is named by its words.
func synopses(words string, c *cli.Command) []string {
	var all []string
	if len(c.Subcommands) > 0 {
		all = append(all, words+" COMMAND [options]")
	}
	if c.UsageText != "" {
		all = append(all, words+" "+c.UsageText)
	} else if len(c.Subcommands) == 0 {
		all = append(all, strings.TrimSpace(words+" [options] "+c.ArgsUsage))
	}
	return all
}

// wrapped are the lines of a text of at most that many columns, but for longer words.
func wrapped(text string, columns int) (lines []string) {
	line := ""
	for word := range strings.FieldsSeq(text) {
		switch {
		case line == "":
			line = word
		case uniseg.StringWidth(line)+1+uniseg.StringWidth(word) > columns:
			lines, line = append(lines, line), word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

// twoColumns are rows under a heading: the left column takes at most a third of the
// width, and what is longer has a line of its own.
func twoColumns(heading string, rows [][2]string, width int) string {
	left := 0
	for _, r := range rows {
		if w := uniseg.StringWidth(r[0]); w <= width/3 {
			left = max(left, w)
		}
	}
	var b strings.Builder
	b.WriteString("\n" + heading + ":\n")
	begin := strings.Repeat(" ", left+4)
	for _, r := range rows {
		text := strings.Join(wrapped(r[1], width-left-4), "\n"+begin)
		if w := uniseg.StringWidth(r[0]); w <= left {
			fmt.Fprintf(&b, "  %s%*s  %s\n", r[0], left-w, "", text)
		} else {
			fmt.Fprintf(&b, "  %s\n%s%s\n", r[0], begin, text)
		}
	}
	return b.String()
}

// indented is a block of lines, as they are.
func indented(heading, lines string) string {
	return "\n" + heading + ":\n  " + strings.ReplaceAll(lines, "\n", "\n  ") + "\n"
}

// helpOf is the help of a command, which is named by its words.
func helpOf(words string, c *cli.Command, width int) string {
	var b strings.Builder
	b.WriteString(strings.Join(wrapped(words+": "+c.Usage, width), "\n  ") + "\n\n")
	for i, s := range synopses(words, c) {
		b.WriteString([]string{"Usage: ", "       "}[min(i, 1)] + strings.Join(wrapped(s, width-7), "\n         ") + "\n")
	}
	paragraphs, examples := description(c)
	for _, p := range paragraphs {
		b.WriteString("\n" + strings.Join(wrapped(p, width), "\n") + "\n")
	}
	if examples != "" {
		b.WriteString(indented("Examples", examples))
	}
	var rows [][2]string
	for _, sub := range c.Subcommands {
		rows = append(rows, [2]string{sub.Name, sub.Usage})
	}
	if rows != nil {
		b.WriteString(twoColumns("Commands", rows, width))
	}
	texts := flagTexts(c)
	for len(texts) > 0 {
		rows, group := [][2]string(nil), texts[0].group
		for len(texts) > 0 && texts[0].group == group {
			rows = append(rows, [2]string{texts[0].spelled(), texts[0].usage})
			texts = texts[1:]
		}
		b.WriteString(twoColumns(group, rows, width))
	}
	return b.String()
}

// startingExample is what to try first.
const startingExample = `pipa fixtures data   # small datasets to try with
pipa read gta data/gta --limit 8 | pipa view -o gta.png
pipa train --preset fixture-pipa --source data/gta \
  --target data/cityscapes --out runs/pipa`

// helpOfAll is the help of pipa itself.
func helpOfAll(app *cli.App, width int) string {
	var b strings.Builder
	b.WriteString(strings.Join(wrapped("pipa: "+app.Usage, width), "\n  ") + "\n\n")
	b.WriteString("Usage: pipa COMMAND [options]\n")
	commands := app.Commands
	for len(commands) > 0 {
		rows, category := [][2]string(nil), commands[0].Category
		for len(commands) > 0 && commands[0].Category == category {
			rows = append(rows, [2]string{commands[0].Name, commands[0].Usage})
			commands = commands[1:]
		}
		b.WriteString(twoColumns(category, rows, width))
	}
	b.WriteString(indented("To begin with", startingExample))
	b.WriteString("\n" + strings.Join(wrapped("\"pipa COMMAND --help\" has a command's flags and examples, \"pipa man COMMAND\" its manual page, \"pipa --version\" the version.", width), "\n") + "\n")
	return b.String()
}

// printHelp is how the cli package prints help.
func printHelp(w io.Writer, _ string, of any) {
	width := 80
	if term.IsTerminal(int(os.Stdout.Fd())) {
		width = widthOf(os.Stdout)
	}
	width = max(width, 40) // less is not wrapped but cut
	text := ""
	switch c := of.(type) {
	case *cli.App:
		text = helpOfAll(c, width)
	case *cli.Command:
		text = helpOf(c.HelpName, c, width)
	}
	_, _ = io.WriteString(w, text) // run sees the writer's error
}

type helpOptions struct {
	app   *cli.App
	words []string
}

func helpCommand() *cli.Command {
	return &cli.Command{
		Name:        "help",
		Usage:       "print the help of pipa, or of a command",
		ArgsUsage:   "[COMMAND…]",
		Description: "   pipa help precompute pairs",
		Action:      action(helpOptionsOf, runHelp),
	}
}

func helpOptionsOf(c *cli.Context) (helpOptions, error) {
	return helpOptions{c.App, c.Args().Slice()}, nil
}

func runHelp(_ context.Context, o helpOptions) error {
	if len(o.words) == 0 {
		printHelp(o.app.Writer, "", o.app)
		return nil
	}
	c, words, err := named(o.app, o.words)
	if err != nil {
		return err
	}
	c.HelpName = words
	printHelp(o.app.Writer, "", c)
	return nil
}

// named finds a command by its words.
func named(app *cli.App, words []string) (c *cli.Command, name string, err error) {
	name = app.Name
	commands := app.Commands
	for _, w := range words {
		at := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(w) })
		if at < 0 {
			return nil, "", noCommand(name, w, commands)
		}
		c = commands[at]
		name += " " + c.Name
		commands = c.Subcommands
	}
	return c, name, nil
}
