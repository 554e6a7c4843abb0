package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/storage"
	"github.com/pipa-uda/pipa/precompute"
	"github.com/urfave/cli/v2"
)

// jobCommand is the subcommand of plan or precompute for one kind of dataset.
type jobCommand struct {
	name, usage, example string
	kind                 pipeline.Kind
	flags                []cli.Flag
}

func jobCommands() []jobCommand {
	source := &cli.StringFlag{Name: "source", Usage: "`FORMAT:DIR` of the images, as in gta:data/gta, or folder:MAP.yaml"}
	return []jobCommand{
		{"samples", "samples, as they are or resized and cropped", "samples --source gta:data/gta --resize 720x1280 --crop 640x640 --cat-max-ratio 0.75", pipeline.KindSample,
			append([]cli.Flag{source, splitFlag(), unlabelledFlag()}, augmentFlags()...)},
		{"mix", "ClassMix images of a source and a target", "mix --source gta:data/gta --resize 720x1280 --target cityscapes:data/cityscapes --target-resize 512x1024 --crop 512x512", pipeline.KindMix,
			append([]cli.Flag{source, &cli.StringFlag{Name: "target", Usage: "`FORMAT:DIR` of the images that are mixed in"}, splitFlag(),
				&cli.StringFlag{Name: "target-resize", Usage: "scale the target to fit `HEIGHTxWIDTH`", DefaultText: "as --resize"}}, augmentFlags()...)},
		{"pairs", "overlapping crop pairs", "pairs --source cityscapes:data/cityscapes --unlabelled --epochs 4", pipeline.KindPair,
			append([]cli.Flag{source, splitFlag(), unlabelledFlag()}, cropFlags()...)},
	}
}

// planFlags are what every plan takes.
func planFlags() []cli.Flag {
	return []cli.Flag{
		seedFlag("`SEED` of the draws"),
		&cli.Uint64Flag{Name: "epoch", Usage: "`NUMBER` of the first pass over the images"},
		&cli.IntFlag{Name: "epochs", Value: 1, Usage: "`NUMBER` of passes; each draws anew"},
		&cli.IntFlag{Name: "shards", Usage: "`NUMBER` of files, whatever the number of processes", DefaultText: "files of about 256 MiB"},
		&cli.IntFlag{Name: "batch", Usage: "`NUMBER` of rows of a record batch", DefaultText: "4, or 1 where sizes vary"},
		&cli.StringFlag{Name: "max-bad", Value: "0", Usage: "leave out up to `NUMBER` samples that cannot be read; beyond that exit with 3"},
		&cli.StringFlag{Name: "report", Usage: "trust this `FILE`, which pipa check --json has written, instead of decoding every sample"},
		maxPixelsFlag(),
	}
}

func planCommand() *cli.Command {
	c := &cli.Command{
		Name:  "plan",
		Usage: "write the immutable plan of a job that many processes share",
		Description: "A plan lists the good samples with sizes and hashes, what is done to them, and a number of shards\n" +
			"that has nothing to do with the number of processes. Samples that cannot be read are settled here.\n\n" +
			"   pipa plan pairs --source cityscapes:data/cityscapes --unlabelled --shards 64 -o pairs.plan.json\n" +
			"   pipa precompute --plan pairs.plan.json --out pairs --shard 3/16     # once for each of 0/16 to 15/16\n" +
			"   pipa merge pairs",
		Action: onlySubcommands,
	}
	for _, j := range jobCommands() {
		c.Subcommands = append(c.Subcommands, &cli.Command{
			Name: j.name, Usage: j.usage, Description: "   pipa plan " + j.example + " -o job.plan.json",
			Flags: append(append(j.flags, planFlags()...), workersFlag(), &cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "write to `FILE` instead of standard output"}, forceFlag(), progressFlag()),
			Action: func(c *cli.Context) error {
				if _, err := arguments(c); err != nil {
					return err
				}
				p, err := makePlan(c, j.kind)
				if err != nil {
					return err
				}
				out := c.String("out")
				if out == "" || out == "-" {
					return closedPipe(p.Write(os.Stdout))
				}
				if err := mayWrite(out, c.Bool("force")); err != nil {
					return err
				}
				if err := files.Write(out, c.Bool("force"), p.Write); err != nil {
					return err
				}
				slog.Info(fmt.Sprintf("%s: %s in %s", out, count(p.Rows(), "row"), count(p.Shards, "shard")), "plan", p.Digest)
				return nil
			},
		})
	}
	return c
}

func onlySubcommands(c *cli.Context) error {
	if c.NArg() > 0 {
		return unknownCommand(c, c.Command.Subcommands)
	}
	return usagef("%s needs one of: samples, mix, pairs; see: %s --help", c.Command.HelpName, c.Command.HelpName)
}

func precomputeCommand() *cli.Command {
	run := []cli.Flag{
		&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "the dataset's `DIR`"},
		&cli.StringFlag{Name: "shard", Usage: "do share `i/n` of the shards and do not merge", DefaultText: "all; under a Kubernetes Indexed Job or a Slurm array, the task's"},
		workersFlag(), jsonFlag(), progressFlag(),
	}
	c := &cli.Command{
		Name:  "precompute",
		Usage: "dataset folders → sharded dataset, in one job that may be killed and shared",
		Description: "Finished shards are passed over: a job that was killed is continued by running it again, and the\n" +
			"bytes are the same for any number of processes and workers. Without --shard the dataset is merged\n" +
			"at the end. Exit codes: 1 may be tried again; 2 and 3 (bad data, changed inputs) may not. A plan that\n" +
			"was made with a larger --max-pixels than the default wants the same here.\n\n" +
			"   pipa precompute pairs --source cityscapes:data/cityscapes --unlabelled --out pairs\n" +
			"   pipa precompute --plan pairs.plan.json --out pairs --shard 3/16",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "plan", Usage: "work by the plan in `FILE` (a path or URL), which pipa plan has written"},
			&cli.StringFlag{Name: "source", Usage: "where the plan's source lies now, its `DIR`"},
			&cli.StringFlag{Name: "target", Usage: "where the plan's target lies now, its `DIR`"},
			maxPixelsFlag(),
		}, run...),
		Action: func(c *cli.Context) error {
			path := c.String("plan")
			if c.NArg() > 0 || path == "" {
				return onlySubcommands(c)
			}
			p, err := precompute.ReadPlan(c.Context, path)
			if err != nil {
				return badDataError{err}
			}
			if err := p.CheckPixels(c.Int("max-pixels")); err != nil {
				return usagef("%s: %w", path, err)
			}
			return runPlan(c, p, c.String("source"), c.String("target"))
		},
	}
	for _, j := range jobCommands() {
		c.Subcommands = append(c.Subcommands, &cli.Command{
			Name: j.name, Usage: j.usage, Description: "   pipa precompute " + j.example + " --out " + j.name,
			Flags: append(append(j.flags, planFlags()...), run...),
			Action: func(c *cli.Context) error {
				if _, err := arguments(c); err != nil {
					return err
				}
				p, err := makePlan(c, j.kind)
				if err != nil {
					return err
				}
				return runPlan(c, p, "", "")
			},
		})
	}
	return c
}

// makePlan makes a plan from the flags.
func makePlan(c *cli.Context, kind pipeline.Kind) (*precompute.Plan, error) {
	job := precompute.Job{Kind: kind, Seed: c.Uint64("seed"), Epoch: c.Uint64("epoch"), Epochs: c.Int("epochs")}
	o := precompute.Options{Shards: c.Int("shards"), Batch: c.Int("batch"), Workers: c.Int("workers"), MaxPixels: c.Int("max-pixels")}
	var err error
	if o.MaxBad, err = strconv.Atoi(c.String("max-bad")); err != nil || o.MaxBad < 0 {
		return nil, usagef("--max-bad is %q, want a number of samples", c.String("max-bad"))
	}
	if o.Source, err = inputOptions(c, "source"); err != nil {
		return nil, err
	}
	if err := jobOptions(c, &job); err != nil {
		return nil, err
	}
	if kind == pipeline.KindMix {
		if o.Mixed, err = inputOptions(c, "target"); err != nil {
			return nil, err
		}
		o.Mixed.Unlabelled = true
	}
	if file := c.String("report"); file != "" {
		if o.Source.Report, err = readReport(file); err != nil {
			return nil, err
		}
	}
	if err := job.Validate(); err != nil {
		return nil, usageError{err}
	}
	bar, err := newProgress(c, "plan", "samples", -1)
	if err != nil {
		return nil, err
	}
	o.Progress = bar.setOf
	p, err := precompute.New(c.Context, job, o)
	bar.close()
	var bad *precompute.TooManyBad
	if errors.As(err, &bad) {
		return nil, badDataError{fmt.Errorf("%w; find all such samples with \"pipa check\", or leave them out with --max-bad", err)}
	}
	if err != nil {
		return nil, err
	}
	for _, q := range p.Source.Quarantined {
		slog.Warn("left out "+q.ID, "reason", q.Reason)
	}
	return p, nil
}

// jobOptions reads the flags of the job's kind.
func jobOptions(c *cli.Context, job *precompute.Job) error {
	if job.Kind == pipeline.KindPair {
		o, err := cropOptions(c)
		job.Pairs = &o
		return err
	}
	o, err := augmentOptions(c)
	if err != nil {
		return err
	}
	changed := false
	for _, f := range augmentFlags() {
		changed = changed || c.IsSet(f.Names()[0])
	}
	if changed {
		job.Samples = &o
	}
	if job.Kind != pipeline.KindMix {
		return nil
	}
	target := o
	target.CatMaxRatio = 1
	if text := c.String("target-resize"); text != "" {
		if target.Resize, err = parseSize("target-resize", text); err != nil {
			return err
		}
	}
	job.Samples, job.Target = &o, &target
	return nil
}

func inputOptions(c *cli.Context, flag string) (precompute.InputOptions, error) {
	text, err := required(c, flag)
	if err != nil {
		return precompute.InputOptions{}, err
	}
	format, dir := splitFormat(text)
	if format == "" {
		return precompute.InputOptions{}, usagef("--%s is %q, want FORMAT:DIR, as in gta:data/gta, or folder:MAP.yaml (formats: %v)", flag, text, formats.Names())
	}
	if mapFile, own := strings.CutPrefix(format, formats.Own+":"); own {
		if mapFile, err = filepath.Abs(mapFile); err != nil {
			return precompute.InputOptions{}, err
		}
		format = formats.Own + ":" + mapFile
	}
	if dir != "" && !storage.IsURL(dir) {
		if dir, err = filepath.Abs(dir); err != nil {
			return precompute.InputOptions{}, err
		}
	}
	return precompute.InputOptions{Format: format, Dir: dir, Split: c.String("split"), Unlabelled: c.Bool("unlabelled")}, nil
}

// readReport reads the problems that pipa check --json has printed.
func readReport(path string) ([]precompute.Quarantined, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read report: %w", err)
	}
	defer f.Close()
	bad := []precompute.Quarantined{}
	lines := json.NewDecoder(bufio.NewReader(f))
	for {
		var l struct {
			badLine
			Samples *int `json:"samples"` // the last line's
		}
		if err := lines.Decode(&l); errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read report %s: its last line, with the counts, is missing: did the check end?", path)
		} else if err != nil {
			return nil, fmt.Errorf("read report %s: %w", path, err)
		}
		if l.Samples != nil {
			return bad, nil
		}
		bad = append(bad, precompute.Quarantined(l.badLine))
	}
}

// runPlan makes a share of the shards, or all of them and the dataset.
func runPlan(c *cli.Context, p *precompute.Plan, source, mixed string) error {
	out, err := required(c, "out")
	if err != nil {
		return err
	}
	text, given := shardOf(c)
	share, err := parseShard(text)
	if err != nil {
		return err
	}
	bar, err := newProgress(c, "precompute "+out, "rows", p.RowsOf(share.i, share.n))
	if err != nil {
		return err
	}
	err = precompute.Run(c.Context, p, out, precompute.RunOptions{Index: share.i, Of: share.n, Workers: c.Int("workers"), Source: source, Mixed: mixed, MaxPixels: c.Int("max-pixels"), Progress: bar.set})
	bar.close()
	var problem formats.Problem
	if errors.Is(err, precompute.ErrInput) || errors.As(err, &problem) && c.Context.Err() == nil {
		return badDataError{err}
	}
	if err != nil {
		return err
	}
	if given {
		slog.Info(fmt.Sprintf("share %s of %s is done; when all are: pipa merge %s", text, out, out))
		return nil
	}
	return merge(c, p, out)
}

// shardOf is the share that --shard names, or that the scheduler has given this
// process: an Indexed Job's completion index (with the Job's completions in
// PIPA_SHARDS, as deploy/kubernetes.yaml sets it), or a Slurm array's task.
func shardOf(c *cli.Context) (text string, given bool) {
	if text := c.String("shard"); text != "" {
		return text, true
	}
	for _, e := range [][2]string{{"JOB_COMPLETION_INDEX", "PIPA_SHARDS"}, {"SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_COUNT"}} {
		if index, of := os.Getenv(e[0]), os.Getenv(e[1]); index != "" && of != "" {
			return index + "/" + of, true
		}
	}
	return "", false
}

func mergeCommand() *cli.Command {
	return &cli.Command{
		Name:      "merge",
		Usage:     "check all shards of a precomputed dataset and commit it",
		ArgsUsage: "DIR",
		Description: "Re-hashes every shard and row against its sidecar, and writes the manifest. A damaged or missing shard\n" +
			"is named, and made again by the next pipa precompute.\n\n   pipa merge pairs",
		Flags: []cli.Flag{jsonFlag(), progressFlag()},
		Action: func(c *cli.Context) error {
			args, err := arguments(c)
			if err != nil {
				return err
			}
			p, err := precompute.OpenPlan(c.Context, args[0])
			if err != nil {
				return err
			}
			return merge(c, p, args[0])
		},
	}
}

func merge(c *cli.Context, p *precompute.Plan, dir string) error {
	bar, err := newProgress(c, "merge "+dir, "rows", p.Rows())
	if err != nil {
		return err
	}
	m, err := precompute.Merge(c.Context, p, dir, bar.set)
	bar.close()
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(m)
	}
	_, err = fmt.Printf("%s: %s of %s in %s, digest %s\n", dir, count(m.Rows, "row"), m.Kind.Plural(), count(len(m.Shards), "shard"), m.Digest)
	return closedPipe(err)
}
