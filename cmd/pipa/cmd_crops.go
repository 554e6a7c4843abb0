package main

import (
	"context"
	"fmt"

	"github.com/pipa-uda/pipa/crops"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/urfave/cli/v2"
)

type cropsOptions struct {
	crops crops.Options
	stage stageOptions
}

func cropsCommand() *cli.Command {
	return &cli.Command{
		Name:      "crops",
		Usage:     "samples or mixes → stream of overlapping crop pairs",
		ArgsUsage: "[FILE]",
		Description: `Cuts two overlapping crops from each sample or mix, as the patch loss needs them. The defaults are the published ones, for images of 2048x1024; for others set --size and --base.

   pipa read cityscapes data/cityscapes --unlabelled |
     pipa crops --size 96 --base 256 | pipa write pairs`,
		Flags:  stageFlags(cropFlags()...),
		Action: action(cropsOptionsOf, runCrops),
	}
}

// cropFlags are how pairs are cut, croppingOf reads them.
func cropFlags() []cli.Flag {
	d := crops.Default()
	return append([]cli.Flag{
		&cli.IntFlag{Name: "size", Category: groupPairs, Value: d.Size, Usage: "side of a crop in `PIXELS`"},
		&cli.IntFlag{Name: "base", Category: groupPairs, Value: d.Base, Usage: "the long side is scaled to --scale times this many `PIXELS`"},
		&cli.StringFlag{Name: "scale", Category: groupPairs, Value: fmt.Sprintf("%v,%v", d.Scale[0], d.Scale[1]), Usage: "`FROM,TO`, drawn evenly"},
		&cli.StringFlag{Name: "iou", Category: groupPairs, Value: fmt.Sprintf("%v,%v", d.IoU[0], d.IoU[1]), Usage: "overlap of the two crops, `FROM,TO`"},
		&cli.IntFlag{Name: "stride", Category: groupPairs, Value: d.Stride, Usage: "the crops lie a multiple of this many `PIXELS` apart"},
		&cli.Float64Flag{Name: "flip", Category: groupPairs, Value: d.Flip, Usage: "`PROBABILITY` of mirroring, for each crop"},
		&cli.Float64Flag{Name: "blur", Category: groupPairs, Value: d.Blur, Usage: "`PROBABILITY` of a 5×5 Gaussian blur"},
		&cli.Float64Flag{Name: "gray", Category: groupPairs, Value: d.Gray, Usage: "`PROBABILITY` of dropping the color"},
	}, jitterFlags(groupPairs, d.Jitter)...)
}

func croppingOf(c *cli.Context) (crops.Options, error) {
	o := crops.Options{Size: c.Int("size"), Base: c.Int("base"), Stride: c.Int("stride"), Flip: c.Float64("flip"), Blur: c.Float64("blur"), Gray: c.Float64("gray")}
	scale, err := parseNumbers("scale", c.String("scale"), 2)
	if err != nil {
		return o, err
	}
	iou, err := parseNumbers("iou", c.String("iou"), 2)
	if err != nil {
		return o, err
	}
	o.Scale, o.IoU = [2]float64(scale), [2]float64(iou)
	o.Jitter, err = jitterOf(c)
	return o, err
}

func cropsOptionsOf(c *cli.Context) (o cropsOptions, err error) {
	if o.crops, err = croppingOf(c); err != nil {
		return o, err
	}
	if err := o.crops.Validate(); err != nil {
		return o, err
	}
	o.stage, err = stageOptionsOf(c)
	return o, err
}

func runCrops(ctx context.Context, o cropsOptions) error {
	return o.stage.run(ctx, "crops", func(seed, epoch uint64) (pipeline.Stage, error) { return crops.New(o.crops, seed, epoch) })
}
