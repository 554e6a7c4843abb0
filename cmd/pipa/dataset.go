package main

import (
	"context"
	"strings"

	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/precompute"
	"github.com/urfave/cli/v2"
)

const formatUsage = "FORMAT [DIR]"

// formatHelp says what a command's FORMAT may be.
func formatHelp() string {
	names := formats.Names()
	return "Formats: " + strings.Join(names[:3], ", ") + " and more (pipa formats); or folder:MAP.yaml, a custom dataset by its class map, whose DIR may\n" +
		"be left out where the map says it (see docs/custom-data.md).\n\n"
}

// datasetOptions name a dataset, and what of it is read.
type datasetOptions struct {
	format, dir, split string
	unlabeled          bool
	maxPixels          int
}

// datasetOptionsOf reads the arguments FORMAT and DIR, and the flags of a dataset.
func datasetOptionsOf(c *cli.Context) (datasetOptions, error) {
	args, err := arguments(c)
	if err != nil {
		return datasetOptions{}, err
	}
	dir := ""
	if len(args) > 1 {
		dir = args[1]
	} else if !strings.HasPrefix(args[0], formats.Own) {
		return datasetOptions{}, usagef("%s takes \"FORMAT DIR\", got %q: only folder:MAP.yaml, whose map says where the data lie, needs no DIR; see: %s --help", c.Command.HelpName, args[0], c.Command.HelpName)
	}
	return namedDataset(c, args[0], dir, c.Bool("unlabelled"))
}

// namedDataset is a dataset on this machine or in an object store.
func namedDataset(c *cli.Context, format, dir string, unlabeled bool) (datasetOptions, error) {
	o := datasetOptions{format, dir, c.String("split"), unlabeled, c.Int("max-pixels")}
	if mapFile, ok := strings.CutPrefix(format, formats.Own+":"); ok {
		if err := onThisMachine("a class map", mapFile, "file"); err != nil {
			return o, err
		}
	}
	return o, pathOrURL("a dataset", dir)
}

func (o datasetOptions) open(ctx context.Context) (*formats.Dataset, error) {
	layout, err := formats.Named(o.format)
	if err != nil {
		return nil, otherwise(exitUsage, err)
	}
	d, err := precompute.OpenSet(ctx, layout, o.dir, formats.Options{Split: o.split, Unlabeled: o.unlabeled, MaxPixels: o.maxPixels})
	return d, otherwise(exitUsage, err)
}

// splitFormat reads "FORMAT:DIR", or "folder:MAP.yaml" with ":DIR" after it or
// not; without a known format it is all folder.
func splitFormat(text string) (format, dir string) {
	if rest, ok := strings.CutPrefix(text, formats.Own+":"); ok {
		for _, ext := range []string{".yaml:", ".yml:"} {
			if at := strings.Index(rest, ext); at >= 0 {
				end := len(text) - len(rest) + at + len(ext)
				return text[:end-1], text[end:]
			}
		}
		return text, ""
	}
	for _, name := range formats.Names() {
		if dir, ok := strings.CutPrefix(text, name+":"); ok {
			return name, dir
		}
	}
	return "", text
}

// localDataset refuses "FORMAT:DIR" with a DIR that is a URL.
func localDataset(flag, text string) error {
	format, dir := splitFormat(text)
	if err := onThisMachine(flag, strings.TrimPrefix(format, formats.Own+":"), "file"); err != nil {
		return err
	}
	return onThisMachine(flag, dir, "dataset")
}
