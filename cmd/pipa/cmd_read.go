package main

import (
	"context"

	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/precompute"
	"github.com/urfave/cli/v2"
)

type readOptions struct {
	dataset        datasetOptions
	seed, epoch    uint64
	shuffle        bool
	shard          string           // as it was given
	share          precompute.Share // what it means
	limit          int              // -1 is none
	batch, workers int
	bad            badOptions
	output         output
	display        display
}

func readCommand() *cli.Command {
	return &cli.Command{
		Name:      "read",
		Usage:     "dataset → sample stream",
		ArgsUsage: datasetUsage,
		Description: `Decodes images and labels, maps labels to train IDs, and writes an Arrow IPC stream.

` + datasetHelp() + `
   pipa read gta data/gta --limit 8 | pipa view -o gta.png`,
		Flags: append([]cli.Flag{
			splitFlag(), unlabeledFlag(),
			seedFlag("`SEED` of the stream's random draws, here and in the stages after"),
			&cli.BoolFlag{Name: "shuffle", Usage: "read in an order that is drawn from seed and epoch"}, epochFlag(),
			limitFlag(), shardFlag(),
			&cli.IntFlag{Name: "batch", Value: 4, Usage: "at most this `NUMBER` of rows in a record batch; fewer where images are large"},
			workersFlag(), maxPixelsFlag(), outFlag(), forceFlag(), progressFlag(),
		}, badFlags()...),
		Action: action(readOptionsOf, runRead),
	}
}

func readOptionsOf(c *cli.Context) (o readOptions, err error) {
	o = readOptions{
		seed: c.Uint64("seed"), epoch: c.Uint64("epoch"), shuffle: c.Bool("shuffle"), shard: c.String("shard"),
		limit: limitOf(c), batch: c.Int("batch"), workers: c.Int("workers"),
	}
	if c.IsSet("epoch") && !o.shuffle {
		return o, usagef("--epoch is of the order that --shuffle draws: add --shuffle")
	}
	if o.output, err = binaryOutputOf(c); err != nil {
		return o, err
	}
	if o.share, err = shareOf(c); err != nil {
		return o, err
	}
	if o.dataset, err = datasetOptionsOf(c); err != nil {
		return o, err
	}
	if o.bad, err = badOptionsOf(c); err != nil {
		return o, err
	}
	o.display, err = displayOf(c)
	return o, err
}

// readParams is read's entry in a stream's history.
type readParams struct {
	Format    string `json:"format"`
	Map       string `json:"map,omitempty"` // digest of a custom dataset's class map
	Split     string `json:"split"`
	Unlabeled bool   `json:"unlabelled"`
	Shuffle   bool   `json:"shuffle"`
	Epoch     uint64 `json:"epoch"`
	Shard     string `json:"shard,omitempty"`
}

func (o readOptions) params(d *formats.Dataset) readParams {
	p := readParams{Format: d.Name, Split: d.Split, Unlabeled: o.dataset.unlabeled, Shuffle: o.shuffle, Epoch: o.epoch, Shard: o.shard}
	if m := d.Layout.Map; m.Text != "" {
		p.Format, p.Map = formats.Own, m.Digest
	}
	return p
}

func runRead(ctx context.Context, o readOptions) error {
	d, err := o.dataset.open(ctx)
	if err != nil {
		return err
	}
	n := (d.Len() - o.share.Index + o.share.Of - 1) / o.share.Of
	if n <= 0 {
		return usagef("--shard %d/%d has no sample: %s %s has %d", o.share.Index, o.share.Of, d.Name, d.Split, d.Len())
	}
	if o.limit >= 0 {
		n = min(n, o.limit)
	}
	at := func(i int) int { return i }
	if o.shuffle {
		at = pipeline.NewPermutation(pipeline.NewKey(o.seed, o.epoch, "read", d.Name+"/"+d.Split), d.Len()).At
	}
	header := d.Header()
	header.Seed = o.seed
	if header, err = header.With("read", o.params(d)); err != nil {
		return err
	}
	bad := o.bad.of(n)
	read := func(ctx context.Context, i int) (pipeline.Sample, error) {
		return d.Read(ctx, at(o.share.Index+i*o.share.Of))
	}
	s := pipeline.Generate(ctx, header, n, o.batch, o.workers, read, bad.skip)
	return bad.finish(o.output.stream(ctx, o.display.bar("read "+d.Name, "rows", n), s))
}
