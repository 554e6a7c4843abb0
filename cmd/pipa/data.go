package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/pipa-uda/pipa/fixtures"
	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/formats/stats"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/storage"
	"github.com/pipa-uda/pipa/precompute"
	"github.com/urfave/cli/v2"
)

func fixturesCommand() *cli.Command {
	return &cli.Command{
		Name:      "fixtures",
		Usage:     "write small procedural datasets in the official layouts",
		ArgsUsage: "DIR",
		Description: "Writes DIR/gta, DIR/synthia and DIR/cityscapes: street scenes with labels, with a gap between\n" +
			"the synthetic domains and the \"real\" one. The same seed gives the same bytes.\n\n" +
			"   pipa fixtures data --seed 1",
		Flags: []cli.Flag{
			seedFlag("`SEED` of the scenes"),
			&cli.IntFlag{Name: "width", Value: 256, Usage: "width of the images in `PIXELS`; heights follow the real datasets' ratios"},
			&cli.IntFlag{Name: "gta", Value: 240, Usage: "`NUMBER` of images"},
			&cli.IntFlag{Name: "synthia", Value: 240, Usage: "`NUMBER` of images"},
			&cli.IntFlag{Name: "train", Value: 240, Usage: "`NUMBER` of Cityscapes training images"},
			&cli.IntFlag{Name: "val", Value: 60, Usage: "`NUMBER` of Cityscapes validation images"},
			&cli.StringFlag{Name: "domains", Value: "gta,synthia,cityscapes", Usage: "which to write, with commas between"},
			workersFlag(), forceFlag(), progressFlag(),
		},
		Action: func(c *cli.Context) error {
			args, err := arguments(c)
			if err != nil {
				return err
			}
			// To the package 0 is "the default", to a user it is none.
			number := func(flag string) int {
				if n := c.Int(flag); n != 0 {
					return n
				}
				return -1
			}
			o := fixtures.Options{
				Seed: c.Uint64("seed"), Width: c.Int("width"), Workers: c.Int("workers"), Force: c.Bool("force"),
				GTA: number("gta"), SYNTHIA: number("synthia"), Train: number("train"), Val: number("val"),
			}
			for name := range strings.SplitSeq(c.String("domains"), ",") {
				d, err := parseDomain(name)
				if err != nil {
					return err
				}
				o.Domains = append(o.Domains, d)
			}
			if err := o.Validate(); err != nil {
				return usageError{err}
			}
			bar, err := newProgress(c, "fixtures", "images", -1)
			if err != nil {
				return err
			}
			defer bar.close()
			o.Progress = func(done, total int) { bar.setOf(done, total) }
			return fixtures.Write(c.Context, args[0], o)
		},
	}
}

func parseDomain(name string) (fixtures.Domain, error) {
	var names []string
	for _, d := range fixtures.Domains() {
		if d.String() == name {
			return d, nil
		}
		names = append(names, d.String())
	}
	return 0, usagef("--domains has no %q%s (all: %s)", name, suggestion("", name, names), strings.Join(names, ", "))
}

const formatUsage = "FORMAT [DIR]"

// formatHelp says what a command's FORMAT may be.
const formatHelp = "Formats: gta, synthia, cityscapes; or folder:MAP.yaml, own data by their class map, whose DIR may be\n" +
	"left out where the map says it (see docs/custom-data.md).\n\n"

// openDataset opens the dataset that a command's arguments name.
func openDataset(c *cli.Context) (*formats.Dataset, error) {
	args, err := arguments(c)
	if err != nil {
		return nil, err
	}
	dir := ""
	if len(args) > 1 {
		dir = args[1]
	} else if !strings.HasPrefix(args[0], formats.Own) {
		return nil, usagef("%s takes \"FORMAT DIR\", got %q: only folder:MAP.yaml, whose map says where the data lie, needs no DIR; see: %s --help", c.Command.HelpName, args[0], c.Command.HelpName)
	}
	return openFormat(c, args[0], dir, c.Bool("unlabelled"))
}

// openFormat opens a dataset on this machine or in an object store.
func openFormat(c *cli.Context, format, dir string, unlabelled bool) (*formats.Dataset, error) {
	o := formats.Options{Split: c.String("split"), Unlabelled: unlabelled, MaxPixels: c.Int("max-pixels")}
	l, err := formats.Named(format)
	if err != nil {
		return nil, err
	}
	return precompute.OpenSet(c.Context, l, dir, o)
}

func checkCommand() *cli.Command {
	return &cli.Command{
		Name:      "check",
		Usage:     "decode a whole dataset and list every problem",
		ArgsUsage: formatUsage,
		Description: "Reads every pair, its sizes, modes and ids. One line per problem, the counts last; exit code 3\n" +
			"where there is any. " + formatHelp +
			"   pipa check gta data/gta",
		Flags: []cli.Flag{splitFlag(), unlabelledFlag(), maxPixelsFlag(), workersFlag(), jsonFlag(), progressFlag()},
		Action: func(c *cli.Context) error {
			d, err := openDataset(c)
			if err != nil {
				return err
			}
			bar, err := newProgress(c, "check "+d.Name, "samples", d.Len())
			if err != nil {
				return err
			}
			lines := json.NewEncoder(os.Stdout)
			var printing error
			counts, err := d.Check(c.Context, c.Int("workers"), func(p formats.Problem) {
				var err error
				if c.Bool("json") {
					err = lines.Encode(badLine{p.ID, p.File, p.Err.Error()})
				} else {
					_, err = fmt.Println(p.Error())
				}
				if printing == nil {
					printing = closedPipe(err)
				}
			}, bar.set)
			bar.close()
			if err != nil {
				return err
			}
			if printing == nil && c.Bool("json") {
				printing = closedPipe(lines.Encode(struct {
					Samples  int `json:"samples"`
					Problems int `json:"problems"`
				}{counts.Samples, counts.Problems}))
			} else if printing == nil {
				_, err := fmt.Printf("%s %s: %d samples, %d problems\n", d.Name, d.Split, counts.Samples, counts.Problems)
				printing = closedPipe(err)
			}
			if counts.Problems > 0 {
				return badDataError{fmt.Errorf("%s %s has %d problems in %d samples", d.Name, d.Split, counts.Problems, counts.Samples)}
			}
			return printing
		},
	}
}

// readParams is read's entry in a stream's history.
type readParams struct {
	Format     string `json:"format"`
	Map        string `json:"map,omitempty"` // digest of the class map of own data
	Split      string `json:"split"`
	Unlabelled bool   `json:"unlabelled"`
	Shuffle    bool   `json:"shuffle"`
	Epoch      uint64 `json:"epoch"`
	Shard      string `json:"shard,omitempty"`
}

func readParamsOf(c *cli.Context, d *formats.Dataset) readParams {
	p := readParams{Format: d.Name, Split: d.Split, Unlabelled: c.Bool("unlabelled"), Shuffle: c.Bool("shuffle"), Epoch: c.Uint64("epoch"), Shard: c.String("shard")}
	if m := d.Layout.Map; m.Text != "" {
		p.Format, p.Map = formats.Own, m.Digest
	}
	return p
}

func readCommand() *cli.Command {
	return &cli.Command{
		Name:      "read",
		Usage:     "dataset → sample stream",
		ArgsUsage: formatUsage,
		Description: "Decodes images and labels, maps labels to train IDs, and writes an Arrow IPC stream.\n" + formatHelp +
			"   pipa read gta data/gta --limit 8 | pipa view -o gta.png",
		Flags: append([]cli.Flag{
			splitFlag(), unlabelledFlag(),
			seedFlag("`SEED` of the stream's random draws, here and in the stages after"),
			&cli.BoolFlag{Name: "shuffle", Usage: "in the order of a permutation drawn from seed and epoch"}, epochFlag(),
			limitFlag(), shardFlag(),
			&cli.IntFlag{Name: "batch", Value: 4, Usage: "at most this `NUMBER` of rows in a record batch; fewer where images are large"},
			workersFlag(), maxPixelsFlag(), outFlag(), forceFlag(), progressFlag(),
		}, badFlags()...),
		Action: func(c *cli.Context) error {
			if err := refuseTerminal(c); err != nil {
				return err
			}
			sh, err := parseShard(c.String("shard"))
			if err != nil {
				return err
			}
			d, err := openDataset(c)
			if err != nil {
				return err
			}
			n := (d.Len() - sh.i + sh.n - 1) / sh.n
			if c.IsSet("limit") {
				n = min(n, max(c.Int("limit"), 0))
			}
			seed, epoch := c.Uint64("seed"), c.Uint64("epoch")
			at := func(i int) int { return i }
			if c.Bool("shuffle") {
				at = pipeline.NewPermutation(pipeline.NewKey(seed, epoch, "read", d.Name+"/"+d.Split), d.Len()).At
			}
			header := d.Header()
			header.Seed = seed
			header, err = header.With("read", readParamsOf(c, d))
			if err != nil {
				return err
			}
			bad, err := newBad(c, n)
			if err != nil {
				return err
			}
			read := func(ctx context.Context, i int) (pipeline.Sample, error) { return d.Read(ctx, at(sh.i+i*sh.n)) }
			s := pipeline.Generate(c.Context, header, n, c.Int("batch"), c.Int("workers"), read, bad.skip)
			return bad.finish(emit(c, "read "+d.Name, s, n))
		},
	}
}

func statsCommand() *cli.Command {
	return &cli.Command{
		Name:      "stats",
		Usage:     "count the class pixels of every label, for rare class sampling",
		ArgsUsage: formatUsage,
		Description: "Writes DAFormer's " + stats.File + " and its two companions into the dataset's folder, or reads\n" +
			"them where they are there, and prints each class's frequency, probability and eligible files.\n" + formatHelp +
			"   pipa stats gta data/gta",
		Flags: []cli.Flag{
			splitFlag(), maxPixelsFlag(), workersFlag(),
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "the files' `DIR`", DefaultText: "the dataset's"},
			&cli.Float64Flag{Name: "temperature", Value: 0.01, Usage: "of the softmax over 1 - frequency"},
			&cli.Int64Flag{Name: "min-pixels", Value: 3000, Usage: "a file is eligible for a class with more `PIXELS` than this"},
			forceFlag(), jsonFlag(), progressFlag(),
		},
		Action: func(c *cli.Context) error {
			d, err := openDataset(c)
			if err != nil {
				return err
			}
			dir := c.String("out")
			if dir == "" {
				dir = d.Dir()
			}
			if storage.IsURL(dir) {
				return usagef("%s is not on this machine: give a folder for the statistics, --out DIR", dir)
			}
			if _, err := os.Stat(filepath.Join(dir, stats.File)); err != nil || c.Bool("force") {
				if err := writeStats(c, d, dir); err != nil {
					return err
				}
			}
			labels, err := stats.Read(dir)
			if err != nil {
				return err
			}
			if labels, err = stats.Align(d, labels); err != nil {
				return err
			}
			rare, err := stats.NewRareClasses(labels, c.Float64("temperature"), c.Int64("min-pixels"))
			if err != nil {
				return usageError{err}
			}
			return printRareClasses(c, d, rare)
		},
	}
}

func writeStats(c *cli.Context, d *formats.Dataset, dir string) error {
	bar, err := newProgress(c, "stats "+d.Name, "labels", d.Len())
	if err != nil {
		return err
	}
	labels, err := stats.Count(c.Context, d, c.Int("workers"), bar.set)
	bar.close()
	if err != nil {
		return badDataError{err}
	}
	return stats.Write(dir, labels, c.Bool("force"))
}

func printRareClasses(c *cli.Context, d *formats.Dataset, r *stats.RareClasses) error {
	type row struct {
		Class       string  `json:"class"`
		ID          int     `json:"id"`
		Pixels      int64   `json:"pixels"`
		Probability float64 `json:"probability"`
		Files       int     `json:"files"`
	}
	var rows []row
	var all int64
	for i, id := range r.Classes {
		rows = append(rows, row{d.Classes[id], int(id), r.Pixels[i], r.Probabilities[i], len(r.Samples[i])})
		all += r.Pixels[i]
	}
	if c.Bool("json") {
		return printJSON(rows)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%-13s %12s  %7s  %6s  %6s\n", "class", "pixels", "share", "P(c)", "files")
	for _, r := range rows {
		fmt.Fprintf(&b, "%-13s %12d  %6.2f%%  %6.4f  %6d\n", r.Class, r.Pixels, 100*float64(r.Pixels)/float64(all), r.Probability, r.Files)
	}
	_, err := os.Stdout.WriteString(b.String())
	return closedPipe(err)
}
