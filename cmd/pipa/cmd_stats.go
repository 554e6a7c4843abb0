package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/formats/stats"
	"github.com/urfave/cli/v2"
)

type statsOptions struct {
	dataset     datasetOptions
	dir         string // of the files; empty is the dataset's
	temperature float64
	minPixels   int64
	workers     int
	force, json bool
	display     display
}

func statsCommand() *cli.Command {
	return &cli.Command{
		Name:      "stats",
		Usage:     "count the class pixels of every label, for rare class sampling",
		ArgsUsage: formatUsage,
		Description: `Writes DAFormer's ` + stats.File + ` and its two companions into the dataset's folder, or reads them where they are there, and prints each class's frequency, its probability, and the number of files that it can be drawn from.

` + formatHelp() + `
   pipa stats gta data/gta`,
		Flags: []cli.Flag{
			splitFlag(), maxPixelsFlag(), workersFlag(),
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`DIR` of the files", DefaultText: "the dataset's"},
			&cli.Float64Flag{Name: "temperature", Value: 0.01, Usage: "`TEMPERATURE` of the softmax over 1 - frequency"},
			&cli.Int64Flag{Name: "min-pixels", Value: 3000, Usage: "a class can be drawn from files in which it has more `PIXELS` than this"},
			forceFlag(), jsonFlag(), progressFlag(),
		},
		Action: action(statsOptionsOf, runStats),
	}
}

func statsOptionsOf(c *cli.Context) (o statsOptions, err error) {
	o = statsOptions{
		dir: c.String("out"), temperature: c.Float64("temperature"), minPixels: c.Int64("min-pixels"),
		workers: c.Int("workers"), force: c.Bool("force"), json: c.Bool("json"),
	}
	if o.dataset, err = datasetOptionsOf(c); err != nil {
		return o, err
	}
	if err := onThisMachine("--out", o.dir, "folder"); err != nil {
		return o, err
	}
	if o.dir == "" && strings.Contains(o.dataset.dir, "://") {
		return o, usagef("%s is not on this machine: give a folder for the statistics, --out DIR", o.dataset.dir)
	}
	o.display, err = displayOf(c)
	return o, err
}

func runStats(ctx context.Context, o statsOptions) error {
	d, err := o.dataset.open(ctx)
	if err != nil {
		return err
	}
	if o.dir == "" {
		o.dir = d.Dir()
	}
	if _, err := os.Stat(filepath.Join(o.dir, stats.File)); err != nil || o.force {
		if err := writeStats(ctx, d, o); err != nil {
			return err
		}
	}
	labels, err := stats.Read(o.dir)
	if err != nil {
		return otherwise(exitBadData, err)
	}
	if labels, err = stats.Align(d, labels); err != nil {
		return otherwise(exitUsage, err)
	}
	rare, err := stats.NewRareClasses(labels, o.temperature, o.minPixels)
	if err != nil {
		return otherwise(exitUsage, err)
	}
	return printRareClasses(d, rare, o.json)
}

func writeStats(ctx context.Context, d *formats.Dataset, o statsOptions) error {
	bar := o.display.bar("stats "+d.Name, "labels", d.Len())
	labels, err := stats.Count(ctx, d, o.workers, bar.set)
	bar.close()
	if err != nil {
		return otherwise(exitBadData, err)
	}
	return otherwise(exitUsage, stats.Write(o.dir, labels, o.force))
}

func printRareClasses(d *formats.Dataset, r *stats.RareClasses, asJSON bool) error {
	type row struct {
		Class       string  `json:"class"`
		ID          int     `json:"id"`
		Pixels      int64   `json:"pixels"`
		Probability float64 `json:"probability"`
		Files       int     `json:"files"`
	}
	var rows []row
	var all int64
	for i, id := range r.Classes {
		rows = append(rows, row{d.Classes[id], int(id), r.Pixels[i], r.Probabilities[i], len(r.Samples[i])})
		all += r.Pixels[i]
	}
	if asJSON {
		return printJSON(rows)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%-13s %12s  %7s  %6s  %6s\n", "class", "pixels", "share", "P(c)", "files")
	for _, r := range rows {
		fmt.Fprintf(&b, "%-13s %12d  %6.2f%%  %6.4f  %6d\n", r.Class, r.Pixels, 100*float64(r.Pixels)/float64(all), r.Probability, r.Files)
	}
	return printText(b.String())
}
