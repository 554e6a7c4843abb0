package main

import (
	"context"

	"github.com/pipa-uda/pipa/formats/open"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/shards"
	"github.com/pipa-uda/pipa/precompute"
	"github.com/urfave/cli/v2"
)

type catOptions struct {
	names       []string
	shuffle     bool
	order       shards.Order // these are of shuffle
	seed, epoch uint64
	start       int
	share       precompute.Share
	limit       int // -1 is none
	batch       int // 0 is as stored
	output      output
	display     display
}

func catCommand() *cli.Command {
	return &cli.Command{
		Name:      "cat",
		Usage:     "sharded dataset, files → stream",
		ArgsUsage: "DIR-OR-FILE…",
		Description: "Writes the rows of datasets and files as one stream. All must be of one kind and schema.\n\n" +
			"   pipa cat pairs --shuffle --epoch 3 | pipa view -o pairs.png",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "shuffle", Usage: "one dataset's rows in an order drawn from seed and epoch"},
			&cli.StringFlag{Name: "order", Value: "permutation", Usage: "`ORDER` of --shuffle: permutation, of all rows; or window, of a few files at a time"},
			seedFlag("`SEED` of the order"), epochFlag(),
			&cli.IntFlag{Name: "start", Usage: "begin --shuffle at this `ROW` of the order, as after an interruption"},
			&cli.StringFlag{Name: "shard", Usage: "of every n batches of --shuffle the i-th, as `i/n`: the share of one of n processes"},
			limitFlag(),
			&cli.IntFlag{Name: "batch", Usage: "regroup the rows into record batches of this `NUMBER`", DefaultText: "as stored; 4 where shuffled"},
			outFlag(), forceFlag(), progressFlag(),
		},
		Action: action(catOptionsOf, runCat),
	}
}

func catOptionsOf(c *cli.Context) (o catOptions, err error) {
	o = catOptions{shuffle: c.Bool("shuffle"), seed: c.Uint64("seed"), epoch: c.Uint64("epoch"), start: c.Int("start"), limit: limitOf(c), batch: c.Int("batch")}
	if o.names, err = arguments(c); err != nil {
		return o, err
	}
	if o.output, err = binaryOutputOf(c); err != nil {
		return o, err
	}
	if o.share, err = shareOf(c); err != nil {
		return o, err
	}
	orders := map[string]shards.Order{"permutation": shards.PermutationOrder, "window": shards.WindowOrder}
	known := false
	if o.order, known = orders[c.String("order")]; !known {
		return o, usagef("--order is %q, want permutation or window", c.String("order"))
	}
	if o.shuffle && len(o.names) > 1 {
		return o, usagef("--shuffle takes one dataset")
	}
	o.display, err = displayOf(c)
	return o, err
}

func runCat(ctx context.Context, o catOptions) error {
	var parts []pipeline.Stream
	rows := 0 // -1 where they are not known
	for _, name := range o.names {
		in, err := openInput(ctx, name)
		if err != nil {
			return err
		}
		defer in.Close()
		if o.shuffle {
			if err := o.reorder(ctx, in, name); err != nil {
				return err
			}
		}
		parts = append(parts, in.Stream)
		if rows += in.Rows; rows < 0 || in.Rows < 0 {
			rows = -1
		}
	}
	s, err := pipeline.Concat(parts...)
	if err != nil {
		return otherwise(exitUsage, err)
	}
	if s = limited(s, o.limit); o.limit >= 0 {
		rows = min(rows, o.limit)
	}
	if o.batch > 0 && !o.shuffle {
		s = pipeline.Rebatch(s, o.batch)
	}
	return o.output.stream(ctx, o.display.bar("cat", "rows", rows), s)
}

// reorder gives a dataset's rows the order that the options name.
func (o catOptions) reorder(ctx context.Context, in *open.Input, name string) (err error) {
	d := in.Shards
	if d == nil {
		return usagef("--shuffle needs a dataset of Arrow files on this machine, and %s is not one: store it here first (pipa cat %s | pipa write DIR)", name, name)
	}
	batch := 4
	if o.batch > 0 {
		batch = o.batch
	}
	cursor := d.Cursor(o.order, o.seed, o.epoch)
	if cursor.Next = o.start; cursor.Next < 0 || cursor.Next > d.Len() {
		return usagef("--start is %d, the dataset has %d rows", cursor.Next, d.Len())
	}
	in.Rows = d.ShuffledRows(cursor, o.share.Index, o.share.Of, batch)
	if in.Stream, err = d.Shuffled(ctx, cursor, o.share.Index, o.share.Of, batch); err != nil {
		return otherwise(exitUsage, err)
	}
	in.Batches = blamed(in.Batches, false)
	return nil
}
