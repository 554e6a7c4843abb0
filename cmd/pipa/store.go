package main

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/urfave/cli/v2"
)

func writeCommand() *cli.Command {
	return &cli.Command{
		Name:      "write",
		Usage:     "stream → sharded dataset",
		ArgsUsage: "DIR [FILE]",
		Description: "Writes Arrow IPC files and a manifest. DIR appears when it is whole, and not at all otherwise.\n\n" +
			"   pipa read cityscapes data/cityscapes --unlabelled | pipa crops | pipa write pairs",
		Flags: []cli.Flag{
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
			m, err := pipeline.WriteDataset(c.Context, args[0], s, pipeline.WriteOptions{ShardBytes: int64(c.Int("shard-size")) << 20, Force: c.Bool("force"), Progress: bar.set})
			bar.close()
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(m)
			}
			_, err = fmt.Printf("%s: %s of %s in %s, digest %s\n", args[0], count(m.Rows, "row"), m.Kind.Plural(), count(len(m.Shards), "shard"), m.Digest)
			return closedPipe(err)
		},
	}
}

func catCommand() *cli.Command {
	return &cli.Command{
		Name:      "cat",
		Usage:     "sharded dataset, files → stream",
		ArgsUsage: "DIR-OR-FILE…",
		Description: "Writes the rows of datasets and files as one stream. All must be of one kind and schema.\n\n" +
			"   pipa cat pairs --shuffle --epoch 3 | pipa view -o pairs.png",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "shuffle", Usage: "one dataset's rows in the order of a permutation drawn from seed and epoch"},
			seedFlag("`SEED` of the order"), epochFlag(), limitFlag(),
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
	info, err := os.Stat(name)
	if err != nil {
		return s, 0, nil, err
	}
	if !info.IsDir() {
		if c.Bool("shuffle") {
			return s, 0, nil, usagef("--shuffle needs a dataset's folder, and %s is a file: store it with pipa write first", name)
		}
		s, close, err = pipeline.Open(c.Context, name)
		return s, -1, close, err
	}
	if several && c.Bool("shuffle") {
		return s, 0, nil, usagef("--shuffle takes one dataset")
	}
	d, err := pipeline.OpenDataset(name)
	if err != nil {
		return s, 0, nil, err
	}
	if c.Bool("shuffle") {
		rows := 4
		if n := c.Int("batch"); n > 0 {
			rows = n
		}
		return d.Shuffled(c.Context, c.Uint64("seed"), c.Uint64("epoch"), rows), d.Len(), d.Close, nil
	}
	return d.Stream(c.Context), d.Len(), d.Close, nil
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
				err = pipeline.Verify(c.Context, dir, bar.set)
				bar.close()
				if failed = append(failed, err); err == nil {
					fmt.Printf("%s: good\n", dir)
				}
			}
			failed = slices.DeleteFunc(failed, func(e error) bool { return e == nil })
			return errors.Join(failed...)
		},
	}
}
