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
	lost        lost
	shuffle     bool
	order       shards.Order // these are of shuffle
	seed, epoch uint64
	start       int
	share       precompute.Share
	limit       int // -1 is none
	batch       int // 0 is as stored, or 4 where rows are shuffled or shared out
	output      output
	display     display
}

func catCommand() *cli.Command {
	return &cli.Command{
		Name:      "cat",
		Usage:     "stored datasets, files → stream",
		ArgsUsage: "DIR-OR-FILE…",
		Description: `Writes the rows of datasets and files as one stream. All must be of one kind and schema.

   pipa cat pairs --shuffle --epoch 3 | pipa view -o pairs.png`,
		Flags: append([]cli.Flag{
			&cli.BoolFlag{Name: "shuffle", Usage: "one dataset's rows in an order drawn from seed and epoch"},
			&cli.StringFlag{Name: "order", Value: "permutation", Usage: "`permutation|window` the order of --shuffle: of all rows, or of a few files at a time"},
			seedFlag("`SEED` of the order"), epochFlag(),
			&cli.IntFlag{Name: "start", Usage: "begin at this `ROW` of the order, as after an interruption"},
			&cli.StringFlag{Name: "shard", Usage: "of every n batches the i-th, as `i/n`: the share of one of n processes"},
			limitFlag(),
			&cli.IntFlag{Name: "batch", Usage: "regroup the rows into record batches of this `NUMBER`", DefaultText: "as stored; 4 where shuffled or shared out"},
			outFlag(), forceFlag(), progressFlag(), stallFlag(),
		}, lostFlags()...),
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
	for _, name := range []string{"order", "seed", "epoch"} {
		if c.IsSet(name) && !o.shuffle {
			return o, usagef("--%s is of the order that --shuffle draws: add --shuffle", name)
		}
	}
	if o.batch == 0 && (o.shuffle || o.share.Of > 1) {
		o.batch = 4
	}
	if o.shuffle && len(o.names) > 1 {
		return o, usagef("--shuffle takes one dataset")
	}
	if o.lost, err = lostOf(c); err != nil {
		return o, err
	}
	o.display, err = displayOf(c)
	return o, err
}

func runCat(ctx context.Context, o catOptions) error {
	var parts []pipeline.Stream
	rows := 0 // -1 where they are not known
	for _, name := range o.names {
		in, err := openInput(ctx, name, o.lost)
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
	if !o.shuffle {
		if s, rows, err = o.stored(s, rows); err != nil {
			return err
		}
	}
	if o.share.Of > 1 {
		s = someOf(s, "--shard %d/%d has no row: the shares are of batches of %d rows, of which there are no more than %d: give a smaller --batch, or fewer shares", o.share.Index, o.share.Of, o.batch, o.share.Index)
	}
	if s = limited(s, o.limit); o.limit >= 0 {
		rows = min(rows, o.limit)
	}
	return o.output.stream(ctx, o.display.bar("cat", "rows", rows), s)
}

// stored is the part of rows in their stored order that the options name, and their
// number, or -1 where it is not known.
func (o catOptions) stored(s pipeline.Stream, rows int) (pipeline.Stream, int, error) {
	if rows >= 0 && o.start > rows {
		return s, 0, usagef("--start is %d, there are %d rows", o.start, rows)
	}
	if o.start > 0 {
		s = pipeline.Skip(s, o.start)
	}
	if o.batch > 0 {
		s = pipeline.Rebatch(s, o.batch)
	}
	if o.share.Of > 1 {
		s = pipeline.EveryNth(s, o.share.Index, o.share.Of)
	}
	if rows < 0 {
		return s, rows, nil
	}
	mine := 0
	for at := o.start + o.share.Index*o.batch; o.share.Of > 1 && at < rows; at += o.share.Of * o.batch {
		mine += min(o.batch, rows-at)
	}
	if o.share.Of == 1 {
		mine = rows - o.start
	}
	return s, mine, nil
}

// reorder gives a dataset's rows the order that the options name.
func (o catOptions) reorder(ctx context.Context, in *open.Input, name string) (err error) {
	d := in.Shards
	if d == nil {
		return usagef("--shuffle needs a dataset of Arrow files on this machine, and %s is not one: store it here first (pipa cat %s | pipa write DIR)", name, name)
	}
	cursor := d.Cursor(o.order, o.seed, o.epoch)
	if cursor.Next = o.start; cursor.Next < 0 || cursor.Next > d.Len() {
		return usagef("--start is %d, the dataset has %d rows", cursor.Next, d.Len())
	}
	in.Rows = d.ShuffledRows(cursor, o.share.Index, o.share.Of, o.batch)
	if in.Stream, err = d.Shuffled(ctx, cursor, o.share.Index, o.share.Of, o.batch); err != nil {
		return otherwise(exitUsage, err)
	}
	in.Batches = blamed(in.Batches, false)
	return nil
}
