package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/train"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/eval"
	"github.com/pipa-uda/pipa/train/infer"
	"github.com/pipa-uda/pipa/train/logs"
	"github.com/pipa-uda/pipa/train/memory"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/weights"
	"github.com/urfave/cli/v2"
)

type trainOptions struct {
	config      configOptions
	out         string
	resume, dry bool
	accept      bool // data that have changed
	workers     int
	maxPixels   int
	bad         badOptions
	launch      torch.Launch // this process's place among others
	device      string
	json        bool
	display     display
}

// configOptions are the layers of a configuration.
type configOptions struct {
	preset, file string
	run          string // where resumed is true, whose configuration is under set
	resumed      bool
	folders      map[string]string // of the sides that were named without a format
	set          []string
}

func trainCommand() *cli.Command {
	return &cli.Command{
		Name:  "train",
		Usage: "train a network, adapt it to the target, and evaluate it",
		Description: `A configuration is a preset (see "pipa presets"), then a YAML file, then --set. The folder of the run holds it resolved, with metrics, checkpoints and the result, and is enough to resume the run. An interrupt saves the state first.

A side is FORMAT:DIR, a custom dataset's MAP.yaml, or DIR, whose format the configuration says, or else its look. Class statistics that the recipe draws by are counted where there are none: into the source's folder, or beside the run where that cannot be written. What --max-bad leaves out is listed in the run's bad.jsonl.

Several processes, started by torchrun, srun or Kubeflow, share each batch (docs/ranks.md).

   pipa train --preset fixture-pipa --source data/gta \
     --target data/cityscapes --out runs/pipa
   pipa train --resume --out runs/pipa
   pipa train --preset fixture-pipa --dry-run`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "preset", Usage: "`PRESET` to begin with (pipa presets)"},
			&cli.StringFlag{Name: "config", Usage: "YAML `FILE` that changes the preset, or says all"},
			repeatedFlag("set", "`KEY=VALUE` to change, as in patch.weight=0.05"),
			&cli.StringFlag{Name: "source", Usage: "`DATASET` of the labeled side, or a stored one, or - for a stream on standard input"},
			&cli.StringFlag{Name: "target", Usage: "`DATASET` of the unlabeled side, or a stored one"},
			&cli.StringFlag{Name: "pairs", Usage: "`DIR` of a stored dataset of crop pairs"},
			&cli.StringFlag{Name: "stats", Usage: "`FILE` of the source's class statistics, which are counted where it is not there", DefaultText: "in the source's folder"},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`DIR` of the run"},
			&cli.BoolFlag{Name: "resume", Usage: "continue the run in --out"},
			&cli.BoolFlag{Name: "accept-changed-data", Usage: "with --resume: go on even if the data are others now; the checkpoints say so"},
			&cli.BoolFlag{Name: "dry-run", Usage: "print batch shapes, parameters and the memory a step needs, and stop; needs no data"},
			&cli.Uint64Flag{Name: "seed", Usage: "`SEED` of the run, as --set seed=SEED", DefaultText: "the configuration's"},
			&cli.IntFlag{Name: "workers", Aliases: []string{"j"}, Value: 2, Usage: "`NUMBER` of goroutines that prepare batches"},
			maxPixelsFlag(), maxBadFlag(), deviceFlag(), jsonFlag(), progressFlag(),
		},
		Action: action(trainOptionsOf, runTrain),
	}
}

func trainOptionsOf(c *cli.Context) (o trainOptions, err error) {
	if _, err := arguments(c); err != nil {
		return o, err
	}
	o = trainOptions{
		out: c.String("out"), resume: c.Bool("resume"), accept: c.Bool("accept-changed-data"), dry: c.Bool("dry-run"), workers: c.Int("workers"),
		maxPixels: c.Int("max-pixels"), device: c.String("device"), json: c.Bool("json"),
	}
	if !o.dry {
		if _, err := required(c, "out"); err != nil {
			return o, err
		}
	}
	if err := onThisMachine("--out", o.out, "folder"); err != nil {
		return o, err
	}
	if o.config, err = configOptionsOf(c); err != nil {
		return o, err
	}
	if o.bad, err = badOptionsOf(c); err != nil {
		return o, err
	}
	if o.launch, err = torch.LaunchFrom(os.Getenv); err != nil {
		return o, err
	}
	o.display, err = displayOf(c)
	return o, err
}

// configOptionsOf layers what the flags say.
func configOptionsOf(c *cli.Context) (o configOptions, err error) {
	o = configOptions{preset: c.String("preset"), file: c.String("config"), run: c.String("out"), folders: map[string]string{}}
	if o.preset == "" && o.file == "" {
		if o.resumed = c.Bool("resume"); !o.resumed {
			return o, usagef("give --preset or --config; \"pipa presets\" lists the published recipes")
		}
	}
	for _, side := range []string{"source", "target"} {
		if text := c.String(side); text != "" {
			format, dir, err := sideOf("--"+side, text)
			if err != nil {
				return o, err
			}
			if format != "" {
				o.set = append(o.set, fmt.Sprintf("%s.format=%q", side, format))
			} else {
				o.folders[side] = dir
			}
			o.set = append(o.set, fmt.Sprintf("%s.dir=%q", side, dir)) // quoted, as "-" is a list in YAML
		}
	}
	if s := c.String("stats"); s != "" {
		if err := onThisMachine("--stats", s, "file"); err != nil {
			return o, err
		}
		o.set = append(o.set, fmt.Sprintf("source.stats=%q", s))
	}
	if p := c.String("pairs"); p != "" {
		o.set = append(o.set, fmt.Sprintf("patch.pairs=%q", p))
	}
	if c.IsSet("seed") {
		o.set = append(o.set, fmt.Sprintf("seed=%d", c.Uint64("seed")))
	}
	o.set = append(o.set, repeatedValues(c, "set")...)
	for _, s := range append([]string{o.file}, o.set...) {
		if err := onThisMachine("pipa train", s, "path"); err != nil {
			return o, err
		}
	}
	return o, nil
}

func (o configOptions) resolve() (cfg config.Config, err error) {
	var text []byte
	if o.resumed {
		cfg, err = config.ResolveRun(o.run, o.set)
	} else {
		done := patience().For(o.file)
		text, err = config.ReadFile(o.file)
		done()
		if err != nil {
			return cfg, otherwise(exitUsage, err)
		}
		cfg, err = config.ResolveText(o.preset, o.file, text, o.set)
	}
	if unpaired := (*config.UnpairedError)(nil); errors.As(err, &unpaired) {
		if set := o.recognized(unpaired); len(set) > 0 {
			cfg, err = config.ResolveText(o.preset, o.file, text, append(o.set, set...))
		}
	}
	return cfg, otherwise(exitUsage, err)
}

// recognized are the formats that a recipe lacks, as the sides' folders look.
func (o configOptions) recognized(lacking *config.UnpairedError) (set []string) {
	for side, format := range map[string]string{"source": lacking.Source, "target": lacking.Target} {
		dir, ok := o.folders[side]
		if format != "" || !ok {
			continue
		}
		if l, err := formats.Recognize(dir); err == nil {
			slog.Info(fmt.Sprintf("%s is read as %s, which it looks like", dir, l.Name))
			set = append(set, fmt.Sprintf("%s.format=%q", side, l.Name))
		}
	}
	return set
}

func runTrain(ctx context.Context, o trainOptions) error {
	cfg, err := o.config.resolve()
	if err != nil {
		return err
	}
	if o.dry {
		return runDry(ctx, cfg, o)
	}
	if err := train.Check(cfg); err != nil {
		return otherwise(exitUsage, err)
	}
	lib, device, err := backend(o.device, o.launch.Local)
	if err != nil {
		return err
	}
	said := context.AfterFunc(ctx, func() {
		slog.Warn("stopping: the state is saved after this step; once more stops at once, without saving")
	})
	defer said()
	var bar *progress
	if o.launch.Rank == 0 {
		bar = o.display.bar("train", "it", cfg.Iterations)
	}
	result, err := train.Run(ctx, lib, cfg, train.Options{
		Out: o.out, Resume: o.resume, AcceptChangedData: o.accept, Workers: o.workers, MaxPixels: o.maxPixels, MaxBad: o.bad.maxBad(), Device: device, Launch: o.launch,
		Stdin: os.Stdin, Log: slog.Default(), Counting: counting(bar), Progress: trainingProgress(bar), Stepped: stepping(bar, cfg.Iterations),
	})
	bar.close()
	err = misfitReport(err, filepath.Clean(o.out)+".misfit.txt")
	if errors.Is(err, train.ErrInterrupted) {
		return fmt.Errorf("%w; continue with: pipa train --resume --out %s", err, o.out)
	}
	if err != nil || result == nil || o.launch.Rank != 0 {
		return err
	}
	if o.json {
		return printJSON([]*infer.Result{result})
	}
	return printText(eval.Table(result.Classes, []string{"student"}, []eval.Scores{result.Scores()}))
}

// misfitReport writes what is wrong with weights that do not fit to a file, where an
// error's few lines do not say it all.
func misfitReport(err error, file string) error {
	misfit := (*weights.Misfit)(nil)
	if !errors.As(err, &misfit) || len(misfit.Problems) < 2 {
		return err
	}
	report := func(w io.Writer) error { _, err := io.WriteString(w, misfit.Report()); return err }
	if failed := files.Write(file, true, report); failed != nil {
		return errors.Join(err, failed)
	}
	return fmt.Errorf("%w\n%s lists them all", err, file)
}

// counting shows on a training's bar how many class statistics are counted before it.
func counting(bar *progress) func(done, total int) {
	return func(done, total int) {
		bar.describe("class statistics")
		bar.setOf(done, total)
	}
}

// stepping moves a training's bar with each step.
func stepping(bar *progress, iterations int) func(iteration int) {
	return func(iteration int) { bar.setOf(iteration, iterations) }
}

// trainingProgress shows a line of metrics on the bar, or as a message without one.
func trainingProgress(bar *progress) func(m logs.Metrics, total int) {
	return func(m logs.Metrics, total int) {
		if bar == nil {
			slog.Info("trained", "iteration", m.Iteration, "of", total, "losses", losses(m), "lr", m.LR, "samples/s", m.SamplesPerSecond)
			return
		}
		var shown []string
		for _, l := range losses(m).Group() {
			shown = append(shown, fmt.Sprintf("%s %.3f", l.Key, l.Value.Float64()))
		}
		bar.describe(shown...)
	}
}

// runDry opens the inputs that are given, and prints what the configuration will need.
func runDry(ctx context.Context, cfg config.Config, o trainOptions) error {
	if err := train.Look(ctx, cfg, train.Options{MaxPixels: o.maxPixels}); err != nil {
		return otherwise(exitUsage, err)
	}
	lib, err := torch.Load("")
	if err != nil {
		return err
	}
	plan, err := train.PlanMemory(ctx, lib, cfg, train.Options{})
	if err != nil {
		return otherwise(exitUsage, err)
	}
	if o.json {
		return printJSON(plan)
	}
	return printText(planText(plan))
}

// planText lays a plan out in columns.
func planText(p *memory.Plan) string {
	var b strings.Builder
	line := func(name string, value any, note string) { fmt.Fprintf(&b, "  %-20s %14v  %s\n", name, value, note) }
	gb := func(n int64) string { return fmt.Sprintf("%.2f GB", float64(n)/1e9) }
	b.WriteString("batch\n")
	for _, s := range p.Batches {
		line(s.Name, strings.ReplaceAll(fmt.Sprint(s.Shape), " ", ","), "uint8")
	}
	b.WriteString("parameters\n")
	for _, n := range p.Parameters {
		note := "frozen"
		if n.Trained {
			note = "trained"
		}
		line(n.Name, fmt.Sprintf("%.2f M", float64(n.Count)/1e6), note)
	}
	b.WriteString("memory\n")
	line("state", gb(p.State), "networks, gradients, optimizer, bank")
	line("inputs", gb(p.Inputs), "a step's images and labels")
	for _, ph := range p.Phases {
		line(ph.Name, gb(ph.Bytes), "one part of a step at a time")
	}
	line("peak", gb(p.Peak), "estimated: state, inputs and the largest part")
	return b.String()
}

// losses is a line of metrics' losses, by name.
func losses(m logs.Metrics) slog.Value {
	var all []slog.Attr
	for _, name := range slices.Sorted(maps.Keys(m.Losses)) {
		all = append(all, slog.Float64(name, m.Losses[name]))
	}
	return slog.GroupValue(all...)
}
