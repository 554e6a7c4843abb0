package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"

	"github.com/pipa-uda/pipa/formats/open"
	"github.com/pipa-uda/pipa/formats/parquet"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/shards"
	"github.com/pipa-uda/pipa/pipeline/storage"
	"github.com/urfave/cli/v2"
)

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
		Action: func(c *cli.Context) error {
			args, err := arguments(c)
			if err != nil {
				return err
			}
			name := ""
			if len(args) > 1 {
				name = args[1]
			}
			if n := c.Int("shard-size"); n < 1 {
				return usagef("--shard-size is %d, want at least 1", n)
			}
			if err := checkFormat(c); err != nil {
				return err
			}
			s, close, err := input(c.Context, name)
			if err != nil {
				return err
			}
			defer close()
			if c.IsSet("limit") {
				s = pipeline.Limit(s, c.Int("limit"))
			}
			if n := c.Int("batch"); n > 0 {
				s = pipeline.Rebatch(s, n)
			}
			bar, err := newProgress(c, "write "+args[0], "rows", -1)
			if err != nil {
				return err
			}
			w, err := store(c, args[0], s, bar.set)
			bar.close()
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(w.manifest)
			}
			_, err = fmt.Printf("%s: %s of %s in %s, digest %s\n", args[0], count(w.rows, "row"), s.Header.Kind.Plural(), w.files, w.digest)
			return closedPipe(err)
		},
	}
}

// written is what write tells of a dataset.
type written struct {
	manifest any
	rows     int
	files    string
	digest   string
}

// store writes a stream in the format that the flags name.
func store(c *cli.Context, dir string, s pipeline.Stream, progress func(int)) (written, error) {
	size := int64(c.Int("shard-size")) << 20
	if c.String("format") == "parquet" {
		m, err := parquet.Write(c.Context, dir, s, parquet.Options{ShardBytes: size, Compression: c.String("compression"),
			Workers: c.Int("workers"), Force: c.Bool("force"), Progress: progress})
		return written{m, m.Rows, count(len(m.Files), "Parquet file"), m.Digest}, err
	}
	m, err := shards.Write(c.Context, dir, s, shards.WriteOptions{ShardBytes: size, Force: c.Bool("force"), Progress: progress})
	return written{m, m.Rows, count(len(m.Shards), "shard"), m.Digest}, err
}

// checkFormat refuses flags of write that do not go together.
func checkFormat(c *cli.Context) error {
	switch format := c.String("format"); {
	case format != "arrow" && format != "parquet":
		return usagef("--format is %q, want arrow or parquet", format)
	case format == "arrow" && c.IsSet("compression"):
		return usagef("--compression is for --format parquet: Arrow files are mapped into memory as they are")
	case c.IsSet("compression") && c.String("compression") != "zstd" && c.String("compression") != "snappy":
		return usagef("--compression is %q, want zstd or snappy", c.String("compression"))
	}
	return nil
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
		Action: func(c *cli.Context) error {
			args, err := arguments(c)
			if err != nil {
				return err
			}
			if err := refuseTerminal(c); err != nil {
				return err
			}
			var closers []func() error
			defer func() {
				for _, close := range closers {
					close()
				}
			}()
			var parts []pipeline.Stream
			total := 0
			for _, name := range args {
				s, rows, close, err := openPart(c, name, len(args) > 1)
				if err != nil {
					return err
				}
				closers = append(closers, close)
				parts = append(parts, s)
				if total += rows; rows < 0 {
					total = -1 << 30
				}
			}
			s, err := pipeline.Concat(parts...)
			if err != nil {
				return err
			}
			if c.IsSet("limit") {
				s, total = pipeline.Limit(s, c.Int("limit")), min(total, c.Int("limit"))
			}
			if n := c.Int("batch"); n > 0 && !c.Bool("shuffle") {
				s = pipeline.Rebatch(s, n)
			}
			return emit(c, "cat", s, max(total, -1))
		},
	}
}

// openPart opens one of cat's arguments; rows is -1 where it is not known.
func openPart(c *cli.Context, name string, several bool) (s pipeline.Stream, rows int, close func() error, err error) {
	if storage.IsURL(name) {
		if c.Bool("shuffle") {
			return s, 0, nil, usagef("--shuffle needs a dataset on this machine, and %s is not: store it here first (pipa cat %s | pipa write DIR)", name, name)
		}
		f, err := storage.Open(c.Context, name)
		if err != nil {
			return s, 0, nil, err
		}
		s, m, close, err := storage.Stream(c.Context, f)
		return s, m.Rows, close, err
	}
	info, err := os.Stat(name)
	if err != nil {
		return s, 0, nil, err
	}
	if !info.IsDir() {
		if c.Bool("shuffle") {
			return s, 0, nil, usagef("--shuffle needs a dataset's folder, and %s is a file: store it with pipa write first", name)
		}
		in, err := open.Open(c.Context, name, open.Options{})
		if err != nil {
			return s, 0, nil, err
		}
		return in.Stream, in.Rows, in.Close, nil
	}
	if several && c.Bool("shuffle") {
		return s, 0, nil, usagef("--shuffle takes one dataset")
	}
	if parquet.IsFolder(name) {
		if c.Bool("shuffle") {
			return s, 0, nil, usagef("--shuffle needs Arrow files, and %s holds Parquet: store it again first (pipa cat %s | pipa write DIR)", name, name)
		}
		s, m, err := parquet.Read(c.Context, name, runtime.GOMAXPROCS(0))
		return s, m.Rows, func() error { return nil }, err
	}
	d, err := shards.Open(name)
	if err != nil {
		return s, 0, nil, err
	}
	if c.Bool("shuffle") {
		s, rows, err := shuffled(c, d)
		return s, rows, d.Close, err
	}
	return d.Stream(c.Context), d.Len(), d.Close, nil
}

// shuffled is a dataset in the order that the flags name, and the number of its
// rows.
func shuffled(c *cli.Context, d *shards.Dataset) (s pipeline.Stream, rows int, err error) {
	batch := 4
	if n := c.Int("batch"); n > 0 {
		batch = n
	}
	share, err := parseShard(c.String("shard"))
	if err != nil {
		return s, 0, err
	}
	orders := map[string]shards.Order{"permutation": shards.PermutationOrder, "window": shards.WindowOrder}
	order, known := orders[c.String("order")]
	if !known {
		return s, 0, usagef("--order is %q, want permutation or window", c.String("order"))
	}
	cursor := d.Cursor(order, c.Uint64("seed"), c.Uint64("epoch"))
	if cursor.Next = c.Int("start"); cursor.Next < 0 || cursor.Next > d.Len() {
		return s, 0, usagef("--start is %d, the dataset has %d rows", cursor.Next, d.Len())
	}
	for at := cursor.Next + share.i*batch; at < d.Len(); at += share.n * batch {
		rows += min(batch, d.Len()-at)
	}
	s, err = d.Shuffled(c.Context, cursor, share.i, share.n, batch)
	return s, rows, err
}

func verifyCommand() *cli.Command {
	return &cli.Command{
		Name:        "verify",
		Usage:       "re-hash every file and row of sharded datasets",
		ArgsUsage:   "DIR…",
		Description: "Names every damaged file, and the row, and exits with 1 where there is any.\n\n   pipa verify pairs",
		Flags:       []cli.Flag{progressFlag()},
		Action: func(c *cli.Context) error {
			args, err := arguments(c)
			if err != nil {
				return err
			}
			var failed []error
			for _, dir := range args {
				bar, err := newProgress(c, "verify "+dir, "rows", -1)
				if err != nil {
					return err
				}
				err = verify(c.Context, dir, bar.set)
				bar.close()
				if err == nil {
					_, err = fmt.Printf("%s: good\n", dir)
				}
				failed = append(failed, err)
			}
			failed = slices.DeleteFunc(failed, func(e error) bool { return e == nil })
			return errors.Join(failed...)
		},
	}
}

// verify checks a dataset of Arrow files anywhere, or of Parquet files here.
func verify(ctx context.Context, dir string, progress func(rows int)) error {
	if parquet.IsFolder(dir) {
		return parquet.Verify(ctx, dir, runtime.GOMAXPROCS(0), progress)
	}
	folder, err := storage.Open(ctx, dir)
	if err != nil {
		return err
	}
	return storage.Verify(ctx, folder, progress)
}
