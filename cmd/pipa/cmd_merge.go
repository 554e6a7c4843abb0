package main

import (
	"context"
	"fmt"

	"github.com/pipa-uda/pipa/precompute"
	"github.com/urfave/cli/v2"
)

type mergeOptions struct {
	dir     string // a path or URL
	json    bool
	display display
}

func mergeCommand() *cli.Command {
	return &cli.Command{
		Name:      "merge",
		Usage:     "check all shards of a precomputed dataset and commit it",
		ArgsUsage: "DIR",
		Description: `Hashes every shard and row again, compares them with what their makers wrote, and writes the manifest. A shard that is damaged or missing is named, and made again by the next "pipa precompute".

   pipa merge pairs`,
		Flags:  []cli.Flag{jsonFlag(), progressFlag(), stallFlag()},
		Action: action(mergeOptionsOf, runMerge),
	}
}

func mergeOptionsOf(c *cli.Context) (o mergeOptions, err error) {
	args, err := arguments(c)
	if err != nil {
		return o, err
	}
	o.dir, o.json = args[0], c.Bool("json")
	if err := pathOrURL("a dataset", o.dir); err != nil {
		return o, err
	}
	o.display, err = displayOf(c)
	return o, err
}

func runMerge(ctx context.Context, o mergeOptions) error {
	p, err := precompute.OpenPlan(ctx, o.dir)
	if err != nil {
		return otherwise(exitBadData, err)
	}
	return merge(ctx, p, o)
}

func merge(ctx context.Context, p *precompute.Plan, o mergeOptions) error {
	bar := o.display.bar("merge "+o.dir, "rows", p.Rows())
	m, err := precompute.Merge(ctx, p, o.dir, bar.set)
	bar.close()
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(m)
	}
	return printText(fmt.Sprintf("%s: %s of %s in %s, digest %s\n", o.dir, count(m.Rows, "row"), m.Kind.Plural(), count(len(m.Shards), "shard"), m.Digest))
}
