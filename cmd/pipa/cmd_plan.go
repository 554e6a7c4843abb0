package main

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strconv"

	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/storage"
	"github.com/pipa-uda/pipa/precompute"
	"github.com/urfave/cli/v2"
)

type planOptions struct {
	job     jobOptions
	output  output
	display display
}

func planCommand() *cli.Command {
	c := &cli.Command{
		Name:  "plan",
		Usage: "plan a job that many processes share",
		Description: `A plan lists the good samples with their sizes and hashes, what is done to them, and a number of shards that has nothing to do with the number of processes. Samples that cannot be read are settled here. A plan is never changed.

   pipa plan pairs --source cityscapes:data/cityscapes --unlabelled \
     --size 96 --base 256 --shards 8 -o pairs.plan.json
   pipa precompute --plan pairs.plan.json --out pairs --shard 0/2   # here
   pipa precompute --plan pairs.plan.json --out pairs --shard 1/2   # there
   pipa merge pairs`,
		Action: onlySubcommands,
	}
	for _, j := range jobCommands() {
		options := func(c *cli.Context) (planOptions, error) { return planOptionsOf(c, j.kind) }
		c.Subcommands = append(c.Subcommands, &cli.Command{
			Name: j.name, Usage: j.usage, Description: "   pipa plan " + j.example + " \\\n     -o job.plan.json",
			Flags:  append(append(j.flags, planFlags()...), workersFlag(), outFlag(), forceFlag(), progressFlag(), stallFlag()),
			Action: action(options, runPlan),
		})
	}
	return c
}

func planOptionsOf(c *cli.Context, kind pipeline.Kind) (o planOptions, err error) {
	if o.job, err = jobOptionsOf(c, kind); err != nil {
		return o, err
	}
	if o.output, err = outputOf(c); err != nil {
		return o, err
	}
	o.display, err = displayOf(c)
	return o, err
}

func runPlan(ctx context.Context, o planOptions) error {
	p, err := o.job.plan(ctx, o.display)
	if err != nil {
		return err
	}
	if err := o.output.write(p.Write); err != nil || o.output.stdout() {
		return err
	}
	slog.Info(fmt.Sprintf("%s: %s in %s", o.output.name, count(p.Rows(), "row"), count(p.Shards, "shard")), "plan", p.Digest)
	return nil
}

// jobCommand is the subcommand of plan or precompute for one kind of dataset.
type jobCommand struct {
	name, usage, example string
	kind                 pipeline.Kind
	flags                []cli.Flag
}

func jobCommands() []jobCommand {
	source := &cli.StringFlag{Name: "source", Usage: "`DATASET` of the images: FORMAT:DIR, as in gta:data/gta, DIR or MAP.yaml"}
	return []jobCommand{
		{"samples", "samples, as they are or resized and cropped", "samples --source gta:data/gta \\\n     --resize 256x512 --crop 128x128 --cat-max-ratio 0.75", pipeline.KindSample,
			append([]cli.Flag{source, splitFlag(), unlabeledFlag()}, augmentFlags()...)},
		{"mix", "ClassMix images of a source and a target", "mix --source gta:data/gta \\\n     --target cityscapes:data/cityscapes --resize 180x320 \\\n     --target-resize 128x256 --crop 128x128", pipeline.KindMix,
			append([]cli.Flag{source, &cli.StringFlag{Name: "target", Usage: "`DATASET` of the images that are mixed in"}, splitFlag(),
				&cli.StringFlag{Name: "target-resize", Category: groupAugment, Usage: "scale the target to fit `HEIGHTxWIDTH`", DefaultText: "as --resize"}}, augmentFlags()...)},
		{"pairs", "overlapping crop pairs, of images or of ClassMix images", "pairs --source cityscapes:data/cityscapes --unlabelled \\\n     --size 96 --base 256 --epochs 4", pipeline.KindPair,
			append(append([]cli.Flag{source, splitFlag(), unlabeledFlag()}, mixedPairFlags()...), cropFlags()...)},
	}
}

// mixedPairFlags are of pairs of ClassMix images, cut as training cuts them with
// patch.image=mixed.
func mixedPairFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "target", Usage: "`DATASET` of images that the source is mixed into first: pairs are of these"},
		&cli.StringFlag{Name: "resize", Category: groupAugment, Usage: "with --target: scale the source to fit `HEIGHTxWIDTH`"},
		&cli.StringFlag{Name: "target-resize", Category: groupAugment, Usage: "with --target: scale the target to fit `HEIGHTxWIDTH`", DefaultText: "as --resize"},
		&cli.StringFlag{Name: "crop", Category: groupAugment, Usage: "with --target: mix random crops of `HEIGHTxWIDTH`"},
		&cli.Float64Flag{Name: "cat-max-ratio", Category: groupAugment, Usage: "with --target: redraw a crop of the source in which one class covers this `SHARE`; 0 accepts all"},
		&cli.Float64Flag{Name: "mirror", Category: groupAugment, Usage: "with --target: `PROBABILITY` of mirroring, for each image that is mixed"},
	}
}

// planFlags are what every plan takes.
func planFlags() []cli.Flag {
	return []cli.Flag{
		seedFlag("`SEED` of the draws"),
		&cli.Uint64Flag{Name: "epoch", Category: groupJob, Usage: "`NUMBER` of the first pass over the images"},
		&cli.IntFlag{Name: "epochs", Category: groupJob, Value: 1, Usage: "`NUMBER` of passes; each draws anew"},
		&cli.IntFlag{Name: "shards", Category: groupJob, Usage: "`NUMBER` of files, whatever the number of processes", DefaultText: "files of about 256 MiB"},
		&cli.IntFlag{Name: "batch", Category: groupJob, Usage: "`NUMBER` of rows of a record batch", DefaultText: "4, or 1 where sizes vary"},
		&cli.StringFlag{Name: "max-bad", Category: groupInput, Value: "0", Usage: "leave out up to `NUMBER` samples that cannot be read; beyond that exit with 3"},
		&cli.StringFlag{Name: "report", Category: groupInput, Usage: "trust this `FILE` of \"pipa check --json\" instead of decoding every sample"},
		maxPixelsFlag(),
	}
}

// jobOptions say what a plan is made of.
type jobOptions struct {
	job    precompute.Job
	plans  precompute.Options
	report string // of a check, that is trusted; empty decodes every sample
}

func jobOptionsOf(c *cli.Context, kind pipeline.Kind) (o jobOptions, err error) {
	if _, err := arguments(c); err != nil {
		return o, err
	}
	o.report = c.String("report")
	o.plans = precompute.Options{Shards: c.Int("shards"), Batch: c.Int("batch"), Workers: c.Int("workers"), MaxPixels: c.Int("max-pixels")}
	if o.plans.MaxBad, err = strconv.Atoi(c.String("max-bad")); err != nil || o.plans.MaxBad < 0 {
		return o, usagef("--max-bad is %q, want a number of samples", c.String("max-bad"))
	}
	if o.plans.Source, err = jobInputOf(c, "source"); err != nil {
		return o, err
	}
	if o.job, err = jobOf(c, kind); err != nil {
		return o, err
	}
	if o.job.Mixes() {
		if o.plans.Mixed, err = jobInputOf(c, "target"); err != nil {
			return o, err
		}
		o.plans.Mixed.Unlabeled = true
	}
	return o, onThisMachine("--report", o.report, "file")
}

// jobOf reads the flags of a kind of dataset.
func jobOf(c *cli.Context, kind pipeline.Kind) (precompute.Job, error) {
	job := precompute.Job{Kind: kind, Seed: c.Uint64("seed"), Epoch: c.Uint64("epoch"), Epochs: c.Int("epochs")}
	if kind == pipeline.KindPair {
		o, err := croppingOf(c)
		if err != nil {
			return job, err
		}
		job.Pairs = &o
		if job.Samples, job.Target, err = mixedPairsOf(c); err != nil {
			return job, err
		}
		return job, job.Validate()
	}
	o, err := augmentationOf(c)
	if err != nil {
		return job, err
	}
	for _, f := range augmentFlags() {
		if c.IsSet(f.Names()[0]) {
			job.Samples = &o // without any, samples are left as they are
		}
	}
	if kind == pipeline.KindMix {
		if job.Target, err = targetOf(c, o); err != nil {
			return job, err
		}
		job.Samples = &o
	}
	return job, job.Validate()
}

// targetOf is what is done to the target's images, where o is done to the source's.
func targetOf(c *cli.Context, o augment.Options) (*augment.Options, error) {
	o.CatMaxRatio = 1 // they have no labels
	if text := c.String("target-resize"); text != "" {
		var err error
		if o.Resize, err = parseSize("target-resize", text); err != nil {
			return nil, err
		}
	}
	return &o, nil
}

// mixedPairsOf is what is done to images before they are mixed; nil where pairs are
// of images as they are.
func mixedPairsOf(c *cli.Context) (source, target *augment.Options, err error) {
	if c.String("target") == "" {
		for _, f := range mixedPairFlags() {
			if name := f.Names()[0]; c.IsSet(name) {
				return nil, nil, usagef("--%s is of pairs of ClassMix images: give --target too", name)
			}
		}
		return nil, nil, nil
	}
	o := augment.Options{CatMaxRatio: c.Float64("cat-max-ratio"), Flip: c.Float64("mirror")}
	if o.Resize, err = parseSize("resize", c.String("resize")); err != nil {
		return nil, nil, err
	}
	if o.Crop, err = parseSize("crop", c.String("crop")); err != nil {
		return nil, nil, err
	}
	target, err = targetOf(c, o)
	return &o, target, err
}

// jobInputOf reads a flag that names a dataset: a plan has its whole path.
func jobInputOf(c *cli.Context, flag string) (o precompute.InputOptions, err error) {
	text, err := required(c, flag)
	if err != nil {
		return o, err
	}
	p, err := formats.Locate(text)
	if err != nil {
		return o, err
	}
	d, err := placedDataset(c, p, c.Bool("unlabelled"))
	if err != nil {
		return o, err
	}
	if m := &d.Layout.Map; m.File != "" {
		if m.File, err = filepath.Abs(m.File); err != nil {
			return o, err
		}
	}
	if d.Dir != "" && !storage.IsURL(d.Dir) {
		if d.Dir, err = filepath.Abs(d.Dir); err != nil {
			return o, err
		}
	}
	return precompute.InputOptions{Format: d.Layout.Spelling(), Dir: d.Dir, Split: d.split, Unlabeled: d.unlabeled}, nil
}

// plan makes the job's plan.
func (o jobOptions) plan(ctx context.Context, d display) (*precompute.Plan, error) {
	if o.report != "" {
		var err error
		if o.plans.Source.Report, err = precompute.ReadReport(o.report); err != nil {
			return nil, otherwise(exitBadData, err)
		}
	}
	bar := d.bar("plan", "samples", -1)
	o.plans.Progress = bar.setOf
	p, err := precompute.New(ctx, o.job, o.plans)
	bar.close()
	if err != nil {
		return nil, otherwise(exitUsage, err)
	}
	for _, q := range p.Source.Quarantined {
		slog.Warn("left out "+q.ID, "reason", q.Reason)
	}
	return p, nil
}
