package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/train"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/eval"
	"github.com/pipa-uda/pipa/train/infer"
	"github.com/pipa-uda/pipa/train/memory"
	"github.com/pipa-uda/pipa/train/report"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/urfave/cli/v2"
)

func deviceFlag() cli.Flag {
	return &cli.StringFlag{Name: "device", Value: "auto", Usage: "cpu, cuda, cuda:1, …; auto takes a GPU where there is one"}
}

// backend loads libtorch and chooses the device. local is this process's rank
// among those of its host, each of which takes a GPU of its own.
func backend(c *cli.Context, local int) (*torch.Lib, torch.Device, error) {
	lib, err := torch.Load("")
	if err != nil {
		return nil, "", err
	}
	switch d, n := c.String("device"), lib.CUDADevices(); {
	case d == "cuda" && local > 0, d == "auto" && n > 0:
		// Slurm may show each process one GPU alone.
		if n > 1 && local >= n {
			return nil, "", fmt.Errorf("local rank %d has no GPU: this host has %d; start as many processes a host", local, n)
		}
		return lib, torch.Device(fmt.Sprintf("cuda:%d", local%max(n, 1))), nil
	case d != "auto":
		return lib, torch.Device(d), nil
	}
	return lib, torch.CPU, nil
}

func trainCommand() *cli.Command {
	return &cli.Command{
		Name:  "train",
		Usage: "train a network, adapt it to the target, and score it",
		Description: "A configuration is a preset (see \"pipa presets\"), then a YAML file, then --set. The run directory\n" +
			"holds it resolved, with metrics, checkpoints and the result, and is enough to resume the run. An\n" +
			"interrupt saves the state first. Sides may be given as FORMAT:DIR, own data as folder:MAP.yaml; \"-\" is a\n" +
			"stream on standard input. Several processes, started by torchrun, srun or Kubeflow, share each batch\n" +
			"(docs/ranks.md).\n\n" +
			"   pipa train --preset gta2cs-daformer-pipa --source data/gta --target data/cityscapes --out runs/pipa",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "preset", Usage: "a published recipe's `NAME`"},
			&cli.StringFlag{Name: "config", Usage: "a YAML `FILE`"},
			repeatedFlag("set", "`KEY=VALUE`, as in patch.weight=0.05"),
			&cli.StringFlag{Name: "source", Usage: "the labelled side's `DIR`, stream (-), or precomputed dataset"},
			&cli.StringFlag{Name: "target", Usage: "the unlabelled side's `DIR` or precomputed dataset"},
			&cli.StringFlag{Name: "pairs", Usage: "a precomputed dataset of crop pairs, its `DIR`"},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "the run's `DIR`"},
			&cli.BoolFlag{Name: "resume", Usage: "continue the run in --out"},
			&cli.BoolFlag{Name: "dry-run", Usage: "print batch shapes, parameters and the memory a step needs, and stop; needs no data"},
			&cli.Uint64Flag{Name: "seed", Usage: "`SEED` of the run; the same as --set seed=SEED"},
			&cli.IntFlag{Name: "workers", Aliases: []string{"j"}, Value: 2, Usage: "`NUMBER` of goroutines that prepare batches"},
			maxPixelsFlag(), deviceFlag(), jsonFlag(), progressFlag(),
		},
		Action: runTraining,
	}
}

func runTraining(c *cli.Context) error {
	if _, err := arguments(c); err != nil {
		return err
	}
	if c.Bool("dry-run") {
		return runDry(c)
	}
	out, err := required(c, "out")
	if err != nil {
		return err
	}
	cfg, err := trainingConfig(c, out)
	if err != nil {
		return err
	}
	launch, err := torch.LaunchFrom(os.Getenv)
	if err != nil {
		return err
	}
	lib, device, err := backend(c, launch.Local)
	if err != nil {
		return err
	}
	var bar *progress
	if launch.Rank == 0 {
		if bar, err = newProgress(c, "train", "it", cfg.Iterations); err != nil {
			return err
		}
	}
	report := func(m train.Metrics, total int) {
		if bar == nil {
			slog.Info(fmt.Sprintf("%d/%d", m.Iteration, total), "losses", losses(m), "lr", fmt.Sprintf("%.2g", m.LR), "samples/s", fmt.Sprintf("%.2g", m.SamplesPerSecond))
			return
		}
		bar.describe(losses(m))
		bar.set(m.Iteration)
	}
	result, err := train.Run(c.Context, lib, cfg, train.Options{
		Out: out, Resume: c.Bool("resume"), Workers: c.Int("workers"), MaxPixels: c.Int("max-pixels"), Device: device, Launch: launch, Stdin: os.Stdin, Log: slog.Default(), Progress: report,
	})
	bar.close()
	if errors.Is(err, train.ErrInterrupted) {
		return fmt.Errorf("%w; continue with: pipa train --resume --out %s", err, out)
	}
	if err != nil {
		return err
	}
	if result == nil || launch.Rank != 0 {
		return nil
	}
	if c.Bool("json") {
		return printJSON([]*infer.Result{result})
	}
	_, err = fmt.Print(eval.Table(result.Classes, []string{"student"}, []eval.Scores{result.Scores()}))
	return closedPipe(err)
}

// runDry prints what the configuration will need.
func runDry(c *cli.Context) error {
	cfg, err := trainingConfig(c, c.String("out"))
	if err != nil {
		return err
	}
	lib, err := torch.Load("")
	if err != nil {
		return err
	}
	plan, err := train.PlanMemory(c.Context, lib, cfg)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(plan)
	}
	_, err = fmt.Print(planText(plan))
	return closedPipe(err)
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
func losses(m train.Metrics) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(m.Losses)) {
		parts = append(parts, fmt.Sprintf("%s:%.3f", name, m.Losses[name]))
	}
	return strings.Join(parts, " ")
}

// trainingConfig layers what the flags say.
func trainingConfig(c *cli.Context, out string) (config.Config, error) {
	file := c.String("config")
	preset := c.String("preset")
	resolve := func(set []string) (config.Config, error) { return config.Resolve(preset, file, set) }
	if c.Bool("resume") && preset == "" && file == "" {
		resolve = func(set []string) (config.Config, error) { return config.ResolveRun(out, set) }
	} else if preset == "" && file == "" {
		return config.Config{}, usagef("give --preset or --config; \"pipa presets\" lists the published recipes")
	}
	var set []string
	for _, side := range []string{"source", "target"} {
		if text := c.String(side); text != "" {
			format, dir := splitFormat(text)
			if format != "" {
				set = append(set, fmt.Sprintf("%s.format=%q", side, format))
			}
			set = append(set, fmt.Sprintf("%s.dir=%q", side, dir)) // quoted, as "-" is a list in YAML
		}
	}
	if p := c.String("pairs"); p != "" {
		set = append(set, fmt.Sprintf("patch.pairs=%q", p))
	}
	if c.IsSet("seed") {
		set = append(set, fmt.Sprintf("seed=%d", c.Uint64("seed")))
	}
	cfg, err := resolve(append(set, repeatedValues(c, "set")...))
	if err != nil && !(c.Bool("resume") && errors.Is(err, os.ErrNotExist)) {
		return cfg, usageError{err}
	}
	return cfg, err
}

func reportCommand() *cli.Command {
	return &cli.Command{
		Name:      "report",
		Usage:     "a run as one HTML page: curves, scores, pictures, configuration",
		ArgsUsage: "RUN",
		Description: "The page holds all it shows and needs no network. It may be made while the run goes on, and anew with --force.\n\n" +
			"   pipa report runs/pipa",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "the page's `FILE`", DefaultText: "RUN/report.html"},
			forceFlag(),
		},
		Action: func(c *cli.Context) error {
			args, err := arguments(c)
			if err != nil {
				return err
			}
			out := c.String("out")
			if out == "" {
				out = filepath.Join(args[0], "report.html")
			}
			if err := mayWrite(out, c.Bool("force")); err != nil {
				return err
			}
			if err := files.Write(out, c.Bool("force"), func(w io.Writer) error { return report.Write(w, args[0]) }); err != nil {
				return err
			}
			_, err = fmt.Println(out)
			return closedPipe(err)
		},
	}
}

func presetsCommand() *cli.Command {
	return &cli.Command{
		Name:        "presets",
		Usage:       "list the published recipes, or show one",
		Description: "   pipa presets show gta2cs-daformer-pipa",
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 {
				return usagef("presets has no command %q: did you mean: pipa presets show %s?", c.Args().First(), c.Args().First())
			}
			for _, name := range config.Names() {
				if _, err := fmt.Println(name); err != nil {
					return closedPipe(err)
				}
			}
			return nil
		},
		Subcommands: []*cli.Command{{
			Name:      "show",
			Usage:     "print a preset's resolved YAML",
			ArgsUsage: "NAME",
			Action: func(c *cli.Context) error {
				args, err := arguments(c)
				if err != nil {
					return err
				}
				cfg, err := config.Preset(args[0])
				if err != nil {
					return usageError{err}
				}
				text, err := cfg.YAML()
				if err != nil {
					return err
				}
				_, err = os.Stdout.Write(text)
				return closedPipe(err)
			},
		}},
	}
}
