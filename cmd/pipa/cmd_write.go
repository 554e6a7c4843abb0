package main

import (
	"context"
	"fmt"

	"github.com/pipa-uda/pipa/formats/open"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/urfave/cli/v2"
)

type writeOptions struct {
	dir         string
	input       string // empty is standard input
	lost        lost
	form        open.Form
	compression string // of Parquet
	workers     int
	shardBytes  int64
	batch       int // 0 leaves batches as they come
	limit       int // -1 is none
	force, json bool
	display     display
}

func writeCommand() *cli.Command {
	return &cli.Command{
		Name:      "write",
		Usage:     "stream → stored dataset",
		ArgsUsage: "DIR [FILE]",
		Description: `Writes Arrow IPC files and a manifest. DIR appears when it is whole, and not at all otherwise.

With --format parquet the files are Parquet, as Hugging Face datasets, DuckDB and Spark read it: images, labels and masks are PNG, and every row is read back and compared. pipa reads both.

   pipa read cityscapes data/cityscapes --unlabelled |
     pipa crops --size 96 --base 256 | pipa write pairs`,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "format", Value: "arrow", Usage: "`arrow|parquet` the files' format: arrow, which the trainer maps into memory; parquet, for other tools"},
			&cli.StringFlag{Name: "compression", Usage: "`zstd|snappy` how Parquet compresses columns other than PNGs", DefaultText: "zstd"},
			workersFlag(),
			&cli.IntFlag{Name: "shard-size", Value: 256, Usage: "begin a new file after this many `MEBIBYTES`"},
			&cli.IntFlag{Name: "batch", Usage: "regroup the rows into record batches of this `NUMBER`", DefaultText: "as they come"},
			limitFlag(), forceFlag(), jsonFlag(), progressFlag(), stallFlag(),
		}, lostFlags()...),
		Action: action(writeOptionsOf, runWrite),
	}
}

func writeOptionsOf(c *cli.Context) (o writeOptions, err error) {
	args, err := arguments(c)
	if err != nil {
		return o, err
	}
	o = writeOptions{
		dir: args[0], compression: c.String("compression"), workers: c.Int("workers"), shardBytes: int64(c.Int("shard-size")) << 20,
		batch: c.Int("batch"), limit: limitOf(c), force: c.Bool("force"), json: c.Bool("json"),
	}
	if len(args) > 1 {
		o.input = args[1]
	}
	if err := onThisMachine("pipa write", o.dir, "folder"); err != nil {
		return o, err
	}
	if n := c.Int("shard-size"); n < 1 {
		return o, usagef("--shard-size is %d, want at least 1", n)
	}
	switch o.form = open.Form(c.String("format")); {
	case o.form != open.Arrow && o.form != open.Parquet:
		return o, usagef("--format is %q, want arrow or parquet", o.form)
	case o.form == open.Arrow && c.IsSet("compression"):
		return o, usagef("--compression is for --format parquet: Arrow files are mapped into memory as they are")
	case c.IsSet("compression") && o.compression != "zstd" && o.compression != "snappy":
		return o, usagef("--compression is %q, want zstd or snappy", o.compression)
	}
	if o.lost, err = lostOf(c); err != nil {
		return o, err
	}
	o.display, err = displayOf(c)
	return o, err
}

func runWrite(ctx context.Context, o writeOptions) error {
	in, err := openInput(ctx, o.input, o.lost)
	if err != nil {
		return err
	}
	defer in.Close()
	s := limited(in.Stream, o.limit)
	if o.batch > 0 {
		s = pipeline.Rebatch(s, o.batch)
	}
	bar := o.display.bar("write "+o.dir, "rows", -1)
	w, err := open.Write(ctx, o.dir, s, open.WriteOptions{
		Form: o.form, Force: o.force, ShardBytes: o.shardBytes, Compression: o.compression, Workers: o.workers, Progress: bar.set,
	})
	bar.close()
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(w.Manifest)
	}
	kind := map[open.Form]string{open.Arrow: "shard", open.Parquet: "Parquet file"}[o.form]
	return printText(fmt.Sprintf("%s: %s of %s in %s, digest %s\n", o.dir, count(w.Rows, "row"), s.Header.Kind.Plural(), count(w.Files, kind), w.Digest))
}
