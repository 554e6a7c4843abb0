package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/precompute"
	"github.com/urfave/cli/v2"
)

// datasetUsage is the argument of commands that take a dataset. DIR is there for
// "FORMAT DIR", which is the same as FORMAT:DIR.
const datasetUsage = "DATASET [DIR]"

// datasetHelp says how a dataset is named.
func datasetHelp() string {
	names := formats.Names()
	return "A DATASET is FORMAT:DIR or \"FORMAT DIR\", with " + strings.Join(names[:3], ", ") + " or another of pipa formats for a FORMAT; or DIR alone, which looks like one of them; or MAP.yaml, a custom dataset's class map, with :DIR where the map does not say where the data lie (docs/custom-data.md).\n"
}

// datasetOptions name a dataset, and what of it is read.
type datasetOptions struct {
	formats.Place
	split     string
	unlabeled bool
	maxPixels int
}

// datasetOptionsOf reads the arguments that name a dataset, and the flags of one.
func datasetOptionsOf(c *cli.Context) (o datasetOptions, err error) {
	args, err := arguments(c)
	if err != nil {
		return o, err
	}
	var p formats.Place
	if len(args) == 2 {
		p.Dir = args[1]
		p.Layout, err = formats.Named(args[0])
	} else {
		p, err = formats.Locate(args[0])
	}
	if err != nil {
		return o, err
	}
	return placedDataset(c, p, c.Bool("unlabelled"))
}

// placedDataset is a dataset on this machine or in an object store. What a folder
// looks like is said.
func placedDataset(c *cli.Context, p formats.Place, unlabeled bool) (datasetOptions, error) {
	if p.Recognized {
		slog.Info(fmt.Sprintf("%s is read as %s, which it looks like", p.Dir, p.Layout.Name))
	}
	return datasetOptions{p, c.String("split"), unlabeled, c.Int("max-pixels")}, pathOrURL("a dataset", p.Dir)
}

func (o datasetOptions) open(ctx context.Context) (*formats.Dataset, error) {
	d, err := precompute.OpenSet(ctx, o.Layout, o.Dir, formats.Options{Split: o.split, Unlabeled: o.unlabeled, MaxPixels: o.maxPixels})
	return d, otherwise(exitUsage, err)
}

// sideOf reads a flag that names a dataset, or a folder alone, which then has no
// format: the configuration says it. A URL is refused.
func sideOf(flag, text string) (format, dir string, err error) {
	p, named, err := formats.Spelled(text)
	if err == nil && named {
		format = p.Layout.Spelling()
	}
	if err == nil {
		err = onThisMachine(flag, p.Dir, "dataset")
	}
	return format, p.Dir, err
}
