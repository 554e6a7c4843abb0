package main

import (
	"context"
	"fmt"

	"github.com/pipa-uda/pipa/classmix"
	"github.com/urfave/cli/v2"
)

type classmixOptions struct {
	target   string // a stream
	classmix classmix.Options
	stage    stageOptions
}

func classmixCommand() *cli.Command {
	return &cli.Command{
		Name:      "classmix",
		Usage:     "source stream + target stream → mix stream",
		ArgsUsage: "[FILE]",
		Description: `Pastes half of a source sample's classes, rounded up, into a target sample. The streams are taken row by row until the shorter one ends, and need one size. A target with pseudo-labels (of "pipa predict") weighs --weight times its confidence.

   pipa read gta data/gta | pipa augment --crop 128x128 |
     pipa classmix --target <(pipa read cityscapes data/cityscapes \
       --unlabelled | pipa augment --crop 128x128) | pipa view -o mixed.png`,
		Flags: stageFlags(
			&cli.StringFlag{Name: "target", Usage: "the target's `STREAM`: a file, a dataset's folder, or <(pipa read …)"},
			&cli.Float64Flag{Name: "weight", Value: 1, Usage: "`WEIGHT` of the target's pixels in a loss"},
		),
		Action: action(classmixOptionsOf, runClassmix),
	}
}

func classmixOptionsOf(c *cli.Context) (o classmixOptions, err error) {
	if o.target, err = required(c, "target"); err != nil {
		return o, err
	}
	o.classmix = classmix.Options{Epoch: c.Uint64("epoch"), Weight: float32(c.Float64("weight"))}
	if err := o.classmix.Validate(); err != nil {
		return o, err
	}
	if o.stage, err = stageOptionsOf(c); err != nil {
		return o, err
	}
	if isDash(o.target) && isDash(o.stage.input) {
		return o, usagef("the source and --target are both standard input: name a file for one of them")
	}
	return o, nil
}

func runClassmix(ctx context.Context, o classmixOptions) error {
	source, err := o.stage.open(ctx)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := openInput(ctx, o.target, o.stage.lost)
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	defer target.Close()
	mixed, err := classmix.Streams(ctx, source.Stream, target.Stream, o.classmix, o.stage.workers)
	if err != nil {
		return otherwise(exitUsage, err)
	}
	mixed = someOf(mixed, "nothing is mixed: the source or --target %s has no row", o.target)
	return o.stage.output.stream(ctx, o.stage.display.bar("classmix", "rows", -1), mixed)
}
