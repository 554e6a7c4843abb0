package main

import (
	"context"
	"os"

	"github.com/pipa-uda/pipa/formats/parquet"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/shards"
	"github.com/pipa-uda/pipa/pipeline/storage"
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
	if o.shuffle {
		if len(o.names) > 1 {
			return o, usagef("--shuffle takes one dataset")
		}
		if err := mayShuffle(o.names[0]); err != nil {
			return o, err
		}
	}
	o.display, err = displayOf(c)
	return o, err
}

// mayShuffle refuses what has no order of its rows: only a dataset of Arrow files
// on this machine has one.
func mayShuffle(name string) error {
	if storage.IsURL(name) {
		return usagef("--shuffle needs a dataset on this machine, and %s is not: store it here first (pipa cat %s | pipa write DIR)", name, name)
	}
	if info, err := os.Stat(name); err == nil && !info.IsDir() {
		return usagef("--shuffle needs a dataset's folder, and %s is a file: store it with pipa write first", name)
	}
	if parquet.IsFolder(name) {
		return usagef("--shuffle needs Arrow files, and %s holds Parquet: store it again first (pipa cat %s | pipa write DIR)", name, name)
	}
	return nil
}

func runCat(ctx context.Context, o catOptions) error {
	open := func(name string) (input, error) { return openInput(ctx, name) }
	if o.shuffle {
		open = func(name string) (input, error) { return o.openShuffled(ctx, name) }
	}
	all := input{rows: 0}
	var parts []pipeline.Stream
	for _, name := range o.names {
		in, err := open(name)
		if err != nil {
			return err
		}
		defer in.close()
		parts = append(parts, in.Stream)
		if all.rows += in.rows; in.rows < 0 {
			all.rows = -1 << 30
		}
	}
	var err error
	if all.Stream, err = pipeline.Concat(parts...); err != nil {
		return otherwise(exitUsage, err)
	}
	all = all.limited(o.limit)
	if o.batch > 0 && !o.shuffle {
		all.Stream = pipeline.Rebatch(all.Stream, o.batch)
	}
	return o.output.stream(ctx, o.display.bar("cat", "rows", max(all.rows, -1)), all.Stream)
}

// openShuffled opens a dataset's rows in the order that the options name.
func (o catOptions) openShuffled(ctx context.Context, name string) (in input, err error) {
	d, err := shards.Open(name)
	if err != nil {
		return in, otherwise(exitBadData, err)
	}
	batch := 4
	if o.batch > 0 {
		batch = o.batch
	}
	cursor := d.Cursor(o.order, o.seed, o.epoch)
	if cursor.Next = o.start; cursor.Next < 0 || cursor.Next > d.Len() {
		return in, usagef("--start is %d, the dataset has %d rows", cursor.Next, d.Len())
	}
	in = input{rows: d.ShuffledRows(cursor, o.share.Index, o.share.Of, batch), close: d.Close}
	in.Stream, err = d.Shuffled(ctx, cursor, o.share.Index, o.share.Of, batch)
	in.Batches = blamed(in.Batches, false)
	return in, otherwise(exitUsage, err)
}
