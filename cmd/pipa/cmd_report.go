package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/train/config"
	page "github.com/pipa-uda/pipa/train/report"
	"github.com/urfave/cli/v2"
)

type reportOptions struct {
	run   string // its folder
	out   string
	force bool
}

func reportCommand() *cli.Command {
	return &cli.Command{
		Name:      "report",
		Usage:     "show a run as one HTML page: curves, scores, pictures",
		ArgsUsage: "RUN",
		Description: `The page holds all it shows, the configuration too, and needs no network. It may be made while the run goes on, and anew with --force.

   pipa report runs/pipa`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`FILE` of the page", DefaultText: "RUN/report.html"},
			forceFlag(),
		},
		Action: action(reportOptionsOf, runReport),
	}
}

func reportOptionsOf(c *cli.Context) (o reportOptions, err error) {
	args, err := arguments(c)
	if err != nil {
		return o, err
	}
	o = reportOptions{args[0], c.String("out"), c.Bool("force")}
	if err := onThisMachine("pipa report", o.run, "run"); err != nil {
		return o, err
	}
	if _, err := os.Stat(filepath.Join(o.run, config.File)); errors.Is(err, os.ErrNotExist) {
		return o, usagef("%s is not a run: it has no %s", o.run, config.File)
	}
	if o.out == "" {
		o.out = filepath.Join(o.run, "report.html")
	}
	return o, mayWrite("--out", o.out, o.force)
}

func runReport(_ context.Context, o reportOptions) error {
	if err := files.Write(o.out, o.force, func(w io.Writer) error { return otherwise(exitBadData, page.Write(w, o.run)) }); err != nil {
		return err
	}
	return printText(o.out + "\n")
}
