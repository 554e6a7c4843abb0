package main

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/fixtures"
	"github.com/pipa-uda/pipa/formats"
	"github.com/urfave/cli/v2"
)

type fixturesOptions struct {
	dir      string
	fixtures fixtures.Options
	display  display
}

func fixturesCommand() *cli.Command {
	return &cli.Command{
		Name:      "fixtures",
		Usage:     "write small procedural datasets in the official layouts",
		ArgsUsage: "DIR",
		Description: `Writes DIR/gta, DIR/synthia and DIR/cityscapes: street scenes with labels, and a gap between the synthetic domains and the "real" one. The same seed gives the same bytes.

   pipa fixtures data --seed 1`,
		Flags: []cli.Flag{
			seedFlag("`SEED` of the scenes"),
			&cli.IntFlag{Name: "width", Value: 256, Usage: "width of the images in `PIXELS`; heights follow the real datasets' ratios"},
			&cli.IntFlag{Name: "gta", Value: 240, Usage: "`NUMBER` of GTA5 images"},
			&cli.IntFlag{Name: "synthia", Value: 240, Usage: "`NUMBER` of SYNTHIA images"},
			&cli.IntFlag{Name: "train", Value: 240, Usage: "`NUMBER` of Cityscapes training images"},
			&cli.IntFlag{Name: "val", Value: 60, Usage: "`NUMBER` of Cityscapes validation images"},
			&cli.StringFlag{Name: "domains", Value: "gta,synthia,cityscapes", Usage: "`DOMAINS` to write, with commas between; of other formats (pipa formats) a few samples of each split"},
			workersFlag(), forceFlag(), progressFlag(),
		},
		Action: action(fixturesOptionsOf, runFixtures),
	}
}

func fixturesOptionsOf(c *cli.Context) (o fixturesOptions, err error) {
	args, err := arguments(c)
	if err != nil {
		return o, err
	}
	o.dir = args[0]
	if err := onThisMachine("pipa fixtures", o.dir, "folder"); err != nil {
		return o, err
	}
	// To the package 0 is "the default", to a user it is none.
	number := func(flag string) int {
		if n := c.Int(flag); n != 0 {
			return n
		}
		return -1
	}
	o.fixtures = fixtures.Options{
		Seed: c.Uint64("seed"), Width: c.Int("width"), Workers: c.Int("workers"), Force: c.Bool("force"),
		GTA: number("gta"), SYNTHIA: number("synthia"), Train: number("train"), Val: number("val"),
	}
	for name := range strings.SplitSeq(c.String("domains"), ",") {
		if i := slices.IndexFunc(fixtures.Domains(), func(d fixtures.Domain) bool { return d.String() == name }); i >= 0 {
			o.fixtures.Domains = append(o.fixtures.Domains, fixtures.Domains()[i])
		} else if l, err := formats.Named(name); err == nil {
			o.fixtures.Layouts = append(o.fixtures.Layouts, l)
		} else {
			return o, err
		}
	}
	if err := o.fixtures.Validate(); err != nil {
		return o, err
	}
	o.display, err = displayOf(c)
	return o, err
}

func runFixtures(ctx context.Context, o fixturesOptions) error {
	bar := o.display.bar("fixtures", "images", -1)
	o.fixtures.Progress = bar.setOf
	err := fixtures.Write(ctx, o.dir, o.fixtures)
	bar.close()
	if err != nil {
		return err
	}
	var written []string
	for _, l := range o.fixtures.Layouts {
		written = append(written, l.Name)
	}
	for _, d := range o.fixtures.Domains {
		written = append(written, d.String())
	}
	for _, name := range written {
		dir := filepath.Join(o.dir, name)
		n, size, err := filesIn(dir)
		if err != nil {
			return err
		}
		slog.Info(fmt.Sprintf("wrote %s: %s, %s", dir, count(n, "file"), bytesText(size)))
	}
	return nil
}

// filesIn counts a folder's files and their bytes.
func filesIn(dir string) (n int, size int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			n, size = n+1, size+info.Size()
		}
		return err
	})
	return n, size, err
}
