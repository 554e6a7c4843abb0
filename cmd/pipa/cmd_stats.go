package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/formats/stats"
	"github.com/urfave/cli/v2"
)

type statsOptions struct {
	dataset     datasetOptions
	place       *stats.Place // nil is the dataset's folder
	temperature float64
	minPixels   int64
	workers     int
	force, json bool
	bad         badOptions
	display     display
}

func statsCommand() *cli.Command {
	return &cli.Command{
		Name:      "stats",
		Usage:     "count the class pixels of every label, for rare class sampling",
		ArgsUsage: datasetUsage,
		Description: `Writes DAFormer's ` + stats.File + ` and its two companions into the dataset's folder, or reads them where they are there, and prints each class's frequency, its probability, and the number of files that it can be drawn from. Where that folder cannot be written, or has the statistics of another split, name a file with --stats, which "pipa train" takes too.

` + datasetHelp() + `
   pipa stats gta data/gta
   pipa stats cityscapes data/cityscapes --split val --stats val.json`,
		Flags: append([]cli.Flag{
			splitFlag(), maxPixelsFlag(), workersFlag(),
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`DIR` of the files", DefaultText: "the dataset's"},
			&cli.StringFlag{Name: "stats", Usage: "`FILE` for one list instead of the three, anywhere"},
			&cli.Float64Flag{Name: "temperature", Value: 0.01, Usage: "`TEMPERATURE` of the softmax over 1 - frequency"},
			&cli.Int64Flag{Name: "min-pixels", Value: 3000, Usage: "a class can be drawn from files in which it has more `PIXELS` than this"},
			forceFlag(), jsonFlag(), progressFlag(),
		}, badFlags()...),
		Action: action(statsOptionsOf, runStats),
	}
}

func statsOptionsOf(c *cli.Context) (o statsOptions, err error) {
	o = statsOptions{
		temperature: c.Float64("temperature"), minPixels: c.Int64("min-pixels"),
		workers: c.Int("workers"), force: c.Bool("force"), json: c.Bool("json"),
	}
	if o.dataset, err = datasetOptionsOf(c); err != nil {
		return o, err
	}
	dir, file := c.String("out"), c.String("stats")
	if err := errors.Join(onThisMachine("--out", dir, "folder"), onThisMachine("--stats", file, "file")); err != nil {
		return o, err
	}
	switch {
	case dir != "" && file != "":
		return o, usagef("give --out DIR or --stats FILE, not both")
	case dir != "":
		p := stats.In(dir)
		o.place = &p
	case file != "":
		p := stats.At(file)
		o.place = &p
	case strings.Contains(o.dataset.Dir, "://"):
		return o, usagef("%s is not on this machine: give a place for the statistics, --out DIR or --stats FILE", o.dataset.Dir)
	}
	if o.bad, err = badOptionsOf(c); err != nil {
		return o, err
	}
	o.display, err = displayOf(c)
	return o, err
}

func runStats(ctx context.Context, o statsOptions) error {
	d, err := o.dataset.open(ctx)
	if err != nil {
		return err
	}
	place := stats.In(d.Dir())
	if o.place != nil {
		place = *o.place
	}
	there, err := place.Exists()
	if err != nil {
		return err
	}
	if !there || o.force {
		if err := writeStats(ctx, d, place, o); err != nil {
			return err
		}
	}
	labels, err := place.Read()
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

func writeStats(ctx context.Context, d *formats.Dataset, place stats.Place, o statsOptions) error {
	if err := place.Writable(); err != nil {
		return err
	}
	bar, bad := o.display.bar("stats "+d.Name, "labels", d.Len()), o.bad.of(d.Len())
	labels, err := stats.Count(ctx, d, o.workers, bad.skip, bar.set)
	bar.close()
	if err = bad.finish(otherwise(exitBadData, err)); err != nil {
		return err
	}
	return otherwise(exitUsage, place.Write(labels, o.force))
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
