package main

import (
	"context"
	"fmt"

	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/formats/open"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/urfave/cli/v2"
)

// stageOptions are what every stage of streams takes.
type stageOptions struct {
	input   string // empty is standard input
	lost    lost
	seed    uint64
	reseed  bool // take seed instead of the stream's
	epoch   uint64
	limit   int // -1 is none
	workers int
	output  output
	display display
}

func stageFlags(own ...cli.Flag) []cli.Flag {
	own = append(own, &cli.Uint64Flag{Name: "seed", Usage: "`SEED` of the draws", DefaultText: "the stream's"}, epochFlag(), limitFlag(), workersFlag(), outFlag(), forceFlag(), progressFlag(), stallFlag())
	return append(own, lostFlags()...)
}

func stageOptionsOf(c *cli.Context) (o stageOptions, err error) {
	o = stageOptions{seed: c.Uint64("seed"), reseed: c.IsSet("seed"), epoch: c.Uint64("epoch"), limit: limitOf(c), workers: c.Int("workers")}
	if o.input, err = firstArgument(c); err != nil {
		return o, err
	}
	if o.output, err = binaryOutputOf(c); err != nil {
		return o, err
	}
	if o.lost, err = lostOf(c); err != nil {
		return o, err
	}
	o.display, err = displayOf(c)
	return o, err
}

// open opens the stage's stream, seeded and limited.
func (o stageOptions) open(ctx context.Context) (*open.Input, error) {
	in, err := openInput(ctx, o.input, o.lost)
	if err != nil {
		return nil, err
	}
	if o.reseed {
		in.Header.Seed = o.seed
	}
	in.Stream = limited(in.Stream, o.limit)
	return in, nil
}

// run pipes the input through a stage.
func (o stageOptions) run(ctx context.Context, what string, build func(seed, epoch uint64) (pipeline.Stage, error)) error {
	in, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer in.Close()
	stage, err := build(in.Header.Seed, o.epoch)
	if err != nil {
		return otherwise(exitUsage, err)
	}
	out, err := pipeline.Run(ctx, in.Stream, stage, o.workers)
	if err != nil {
		return otherwise(exitUsage, err) // the stage does not take such a stream
	}
	return o.output.stream(ctx, o.display.bar(what, "rows", -1), out)
}

func jitterFlags(group string, j augment.ColorJitter) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "jitter", Category: group, Value: fmt.Sprintf("%v,%v,%v,%v", j.Brightness, j.Contrast, j.Saturation, j.Hue), Usage: "torchvision's color jitter by at most `BRIGHTNESS,CONTRAST,SATURATION,HUE`"},
		&cli.StringFlag{Name: "jitter-chance", Category: group, Value: fmt.Sprint(j.Chance), Usage: "`PROBABILITY` of the jitter"},
	}
}

func jitterOf(c *cli.Context) (augment.ColorJitter, error) {
	v, err := parseNumbers("jitter", c.String("jitter"), 4)
	if err != nil {
		return augment.ColorJitter{}, err
	}
	chance, err := parseNumbers("jitter-chance", c.String("jitter-chance"), 1)
	if err != nil {
		return augment.ColorJitter{}, err
	}
	return augment.ColorJitter{Brightness: v[0], Contrast: v[1], Saturation: v[2], Hue: v[3], Chance: chance[0]}, nil
}
