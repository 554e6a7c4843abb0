package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/precompute"
	"github.com/urfave/cli/v2"
)

type checkOptions struct {
	dataset datasetOptions
	workers int
	json    bool
	display display
}

func checkCommand() *cli.Command {
	return &cli.Command{
		Name:      "check",
		Usage:     "decode a whole dataset and list every problem",
		ArgsUsage: datasetUsage,
		Description: `Reads every pair of image and label, their sizes, modes and ids. Prints a line for each problem, and the counts at the end; the exit code is 3 where there is a problem.

` + datasetHelp() + `
   pipa check gta data/gta`,
		Flags:  []cli.Flag{splitFlag(), unlabeledFlag(), maxPixelsFlag(), workersFlag(), jsonFlag(), progressFlag()},
		Action: action(checkOptionsOf, runCheck),
	}
}

func checkOptionsOf(c *cli.Context) (o checkOptions, err error) {
	o = checkOptions{workers: c.Int("workers"), json: c.Bool("json")}
	if o.dataset, err = datasetOptionsOf(c); err != nil {
		return o, err
	}
	o.display, err = displayOf(c)
	return o, err
}

func runCheck(ctx context.Context, o checkOptions) error {
	d, err := o.dataset.open(ctx)
	if err != nil {
		return err
	}
	bar := o.display.bar("check "+d.Name, "samples", d.Len())
	// The check goes on where nobody reads its lines: the exit code is its verdict.
	var printing error
	show := func(text string, line any) {
		if printing != nil {
			return
		}
		if o.json {
			var encoded []byte
			if encoded, printing = json.Marshal(line); printing != nil {
				return
			}
			text = string(encoded)
		}
		bar.above(func() { printing = printText(text + "\n") })
	}
	counts, err := d.Check(ctx, o.workers, func(p formats.Problem) {
		show(p.Error(), precompute.Quarantined{ID: p.ID, File: p.File, Reason: p.Err.Error()})
	}, bar.set)
	bar.close()
	if err != nil {
		return err
	}
	show(fmt.Sprintf("%s %s: %s, %s", d.Name, d.Split, count(counts.Samples, "sample"), count(counts.Problems, "problem")), precompute.Report(counts))
	if counts.Problems > 0 {
		return codedError{fmt.Errorf("%s %s has %s in %s", d.Name, d.Split, count(counts.Problems, "problem"), count(counts.Samples, "sample")), exitBadData}
	}
	return printing
}
