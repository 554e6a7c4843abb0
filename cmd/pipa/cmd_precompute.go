package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/pipa-uda/pipa/precompute"
	"github.com/urfave/cli/v2"
)

type precomputeOptions struct {
	job       *jobOptions // to make the plan from; nil reads plan
	plan      string      // a path or URL
	out       string      // a path or URL
	run       precompute.RunOptions
	shared    bool // other processes make the rest
	mergeJSON bool
	display   display
}

func precomputeCommand() *cli.Command {
	run := []cli.Flag{
		&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`DIR` of the stored dataset"},
		&cli.StringFlag{Name: "shard", Category: groupJob, Usage: "do share `i/n` of the shards and do not merge", DefaultText: "all; under a Kubernetes Indexed Job or a Slurm array, the task's"},
		workersFlag(), jsonFlag(), progressFlag(), stallFlag(),
	}
	byPlan := action(planRunOptionsOf, runPrecompute)
	c := &cli.Command{
		Name:  "precompute",
		Usage: "datasets → stored dataset, in a job that may be killed and shared",
		Description: `Does a job in one go, as one of the commands below; or works by a plan, one process or many. Finished shards are passed over: a job that was killed is continued by running it again, and the bytes are the same for any number of processes and workers. Without --shard the dataset is merged at the end.

A plan that was made with a larger --max-pixels than the default wants the same here.

   pipa precompute pairs --source cityscapes:data/cityscapes --unlabelled \
     --size 96 --base 256 --out pairs`,
		UsageText: "--plan FILE --out DIR [options]",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "plan", Usage: "work by the plan in `FILE` (a path or URL), which pipa plan has written"},
			&cli.StringFlag{Name: "source", Usage: "`DIR` where the plan's source lies now"},
			&cli.StringFlag{Name: "target", Usage: "`DIR` where the plan's target lies now"},
			maxPixelsFlag(),
		}, run...),
		Action: func(c *cli.Context) error {
			if c.NArg() > 0 || c.String("plan") == "" {
				return onlySubcommands(c)
			}
			return byPlan(c)
		},
	}
	for _, j := range jobCommands() {
		options := func(c *cli.Context) (precomputeOptions, error) {
			job, err := jobOptionsOf(c, j.kind)
			if err != nil {
				return precomputeOptions{}, err
			}
			o, err := precomputeOptionsOf(c)
			o.job = &job
			return o, err
		}
		c.Subcommands = append(c.Subcommands, &cli.Command{
			Name: j.name, Usage: j.usage, Description: "   pipa precompute " + j.example + " \\\n     --out " + j.name,
			Flags:  append(append(j.flags, planFlags()...), run...),
			Action: action(options, runPrecompute),
		})
	}
	return c
}

func precomputeOptionsOf(c *cli.Context) (o precomputeOptions, err error) {
	o = precomputeOptions{run: precompute.RunOptions{Workers: c.Int("workers"), MaxPixels: c.Int("max-pixels")}, mergeJSON: c.Bool("json")}
	if o.out, err = required(c, "out"); err != nil {
		return o, err
	}
	if err := pathOrURL("--out", o.out); err != nil {
		return o, err
	}
	share, err := shareOf(c)
	if o.shared = c.String("shard") != ""; err == nil && !o.shared {
		share, o.shared, err = precompute.ScheduledShare(os.Getenv)
	}
	if err != nil {
		return o, err
	}
	o.run.Index, o.run.Of = share.Index, share.Of
	o.display, err = displayOf(c)
	return o, err
}

// planRunOptionsOf are those of a job whose plan was made before.
func planRunOptionsOf(c *cli.Context) (o precomputeOptions, err error) {
	if o, err = precomputeOptionsOf(c); err != nil {
		return o, err
	}
	o.plan, o.run.Source, o.run.Mixed = c.String("plan"), c.String("source"), c.String("target")
	for flag, name := range map[string]string{"--plan": o.plan, "--source": o.run.Source, "--target": o.run.Mixed} {
		if err := pathOrURL(flag, name); err != nil {
			return o, err
		}
	}
	return o, nil
}

func runPrecompute(ctx context.Context, o precomputeOptions) error {
	p, err := o.plans(ctx)
	if err != nil {
		return err
	}
	bar := o.display.bar("precompute "+o.out, "rows", p.RowsOf(o.run.Index, o.run.Of))
	o.run.Progress = bar.set
	err = precompute.Run(ctx, p, o.out, o.run)
	bar.close()
	if err != nil {
		return err
	}
	if o.shared {
		slog.Info(fmt.Sprintf("share %d/%d of %s is done; when all are: pipa merge %s", o.run.Index, o.run.Of, o.out, o.out))
		return nil
	}
	return merge(ctx, p, mergeOptions{o.out, o.mergeJSON, o.display})
}

// plans reads the plan, or makes it.
func (o precomputeOptions) plans(ctx context.Context) (*precompute.Plan, error) {
	if o.job != nil {
		return o.job.plan(ctx, o.display)
	}
	p, err := precompute.ReadPlan(ctx, o.plan)
	if err != nil {
		return nil, otherwise(exitBadData, err)
	}
	if err := p.CheckPixels(o.run.MaxPixels); err != nil {
		return nil, fmt.Errorf("%s: %w", o.plan, err)
	}
	return p, nil
}
