package main

import (
	"context"
	"fmt"

	"github.com/pipa-uda/pipa/formats/parquet"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/shards"
	"github.com/urfave/cli/v2"
)

type writeOptions struct {
	dir         string
	input       string // empty is standard input
	parquet     bool
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
		Usage:     "stream → sharded dataset",
		ArgsUsage: "DIR [FILE]",
		Description: "Writes Arrow IPC files and a manifest. DIR appears when it is whole, and not at all otherwise.\n\n" +
			"   pipa read cityscapes data/cityscapes --unlabelled | pipa crops | pipa write pairs\n\n" +
			"With --format parquet the files are Parquet, as Hugging Face datasets, DuckDB and Spark read it: images, labels and\n" +
			"masks are PNG, and every row is read back and compared. pipa reads both.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "format", Value: "arrow", Usage: "`FORMAT` of the files: arrow, which the trainer maps into memory; or parquet, for other tools"},
			&cli.StringFlag{Name: "compression", Usage: "`CODEC` of Parquet's columns other than PNGs: zstd or snappy", DefaultText: "zstd"},
			workersFlag(),
			&cli.IntFlag{Name: "shard-size", Value: 256, Usage: "begin a new file after this many `MEBIBYTES`"},
			&cli.IntFlag{Name: "batch", Usage: "regroup the rows into record batches of this `NUMBER`", DefaultText: "as they come"},
			limitFlag(), forceFlag(), jsonFlag(), progressFlag(),
		},
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
	switch format := c.String("format"); {
	case format != "arrow" && format != "parquet":
		return o, usagef("--format is %q, want arrow or parquet", format)
	case format == "arrow" && c.IsSet("compression"):
		return o, usagef("--compression is for --format parquet: Arrow files are mapped into memory as they are")
	case c.IsSet("compression") && o.compression != "zstd" && o.compression != "snappy":
		return o, usagef("--compression is %q, want zstd or snappy", o.compression)
	default:
		o.parquet = format == "parquet"
	}
	o.display, err = displayOf(c)
	return o, err
}

func runWrite(ctx context.Context, o writeOptions) error {
	in, err := openInput(ctx, o.input)
	if err != nil {
		return err
	}
	defer in.close()
	in = in.limited(o.limit)
	if o.batch > 0 {
		in.Stream = pipeline.Rebatch(in.Stream, o.batch)
	}
	bar := o.display.bar("write "+o.dir, "rows", -1)
	w, err := o.store(ctx, in.Stream, bar.set)
	bar.close()
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(w.manifest)
	}
	return printText(fmt.Sprintf("%s: %s of %s in %s, digest %s\n", o.dir, count(w.rows, "row"), in.Header.Kind.Plural(), w.files, w.digest))
}

// written is what write says of a dataset.
type written struct {
	manifest any
	rows     int
	files    string
	digest   string
}

// store writes a stream in the format that the options name.
func (o writeOptions) store(ctx context.Context, s pipeline.Stream, progress func(int)) (written, error) {
	if o.parquet {
		m, err := parquet.Write(ctx, o.dir, s, parquet.Options{ShardBytes: o.shardBytes, Compression: o.compression,
			Workers: o.workers, Force: o.force, Progress: progress})
		return written{m, m.Rows, count(len(m.Files), "Parquet file"), m.Digest}, err
	}
	m, err := shards.Write(ctx, o.dir, s, shards.WriteOptions{ShardBytes: o.shardBytes, Force: o.force, Progress: progress})
	return written{m, m.Rows, count(len(m.Shards), "shard"), m.Digest}, err
}
