package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/internal/files"
	"github.com/urfave/cli/v2"
)

type manOptions struct {
	app   *cli.App
	words []string // of the command; empty is pipa itself
	dir   string   // where all pages go; empty prints one
	force bool
}

func manCommand() *cli.Command {
	return &cli.Command{
		Name:      "man",
		Usage:     "print the manual page of pipa, or of a command",
		ArgsUsage: "[COMMAND…]",
		Description: `With --out all pages are written into a folder, as a packager wants them: pipa.1, pipa-read.1, pipa-plan-pairs.1, …

   pipa man train | man -l -
   pipa man --out man1`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "write all pages into `DIR`, such as /usr/local/share/man/man1"},
			forceFlag(),
		},
		Action: action(manOptionsOf, runMan),
	}
}

func manOptionsOf(c *cli.Context) (manOptions, error) {
	o := manOptions{app: c.App, words: c.Args().Slice(), dir: c.String("out"), force: c.Bool("force")}
	if o.dir != "" && len(o.words) > 0 {
		return o, usagef("--out is for all pages: name no command with it")
	}
	return o, onThisMachine("--out", o.dir, "folder")
}

func runMan(_ context.Context, o manOptions) error {
	if o.dir != "" {
		return o.writeAll()
	}
	if len(o.words) == 0 {
		return printText(mainPage(o.app))
	}
	c, words, err := named(o.app, o.words)
	if err != nil {
		return err
	}
	return printText(commandPage(words, c))
}

func (o manOptions) writeAll() error {
	pages := map[string]string{o.app.Name: mainPage(o.app)}
	eachCommand(o.app.Name, o.app.Commands, func(words string, c *cli.Command) {
		pages[words] = commandPage(words, c)
	})
	if err := os.MkdirAll(o.dir, 0o777); err != nil {
		return fmt.Errorf("write manual pages: %w", err)
	}
	for _, words := range slices.Sorted(maps.Keys(pages)) {
		name := filepath.Join(o.dir, pageName(words)+".1")
		write := func(w io.Writer) error { _, err := io.WriteString(w, pages[words]); return err }
		if err := files.Write(name, o.force, write); err != nil {
			return err
		}
	}
	slog.Info(fmt.Sprintf("wrote %s into %s", count(len(pages), "manual page"), o.dir))
	return nil
}

// eachCommand goes through all commands, with the words that call each.
func eachCommand(parent string, commands []*cli.Command, do func(words string, c *cli.Command)) {
	for _, c := range commands {
		words := parent + " " + c.Name
		do(words, c)
		eachCommand(words, c.Subcommands, do)
	}
}

// pageName is the name of a command's page: pipa-plan-pairs.
func pageName(words string) string { return strings.ReplaceAll(words, " ", "-") }
