package main

import (
	"context"
	"strings"

	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/urfave/cli/v2"
)

type augmentOptions struct {
	augment augment.Options
	stage   stageOptions
}

func augmentCommand() *cli.Command {
	return &cli.Command{
		Name:      "augment",
		Usage:     "resize, crop, flip and recolor samples",
		ArgsUsage: "[FILE]",
		Description: `Reads a sample stream and writes one. What it does comes in the order of the flags below; without flags it changes nothing. The filters are those of github.com/disintegration/gift, by name: ` +
			strings.Join(augment.FilterNames(), ", ") + `.

   pipa read gta data/gta |
     pipa augment --resize 256x512 --crop 128x128 --flip 0.5 | pipa write crops`,
		Flags:  stageFlags(augmentFlags()...),
		Action: action(augmentOptionsOf, runAugment),
	}
}

// augmentFlags are what is done to a sample, augmentationOf reads them.
func augmentFlags() []cli.Flag {
	return append(append([]cli.Flag{
		&cli.StringFlag{Name: "resize", Category: groupAugment, Usage: "scale to fit `HEIGHTxWIDTH`, keeping the ratio"},
		&cli.StringFlag{Name: "crop", Category: groupAugment, Usage: "a random crop of `HEIGHTxWIDTH`"},
		&cli.Float64Flag{Name: "cat-max-ratio", Category: groupAugment, Usage: "redraw a crop in which one class covers this `SHARE`; 0 accepts all"},
		&cli.Float64Flag{Name: "flip", Category: groupAugment, Usage: "`PROBABILITY` of mirroring"},
	}, jitterFlags(groupAugment, augment.ColorJitter{Chance: 0.8})...),
		&cli.Float64Flag{Name: "gray", Category: groupAugment, Usage: "`PROBABILITY` of dropping the color"},
		&cli.Float64Flag{Name: "blur", Category: groupAugment, Usage: "`PROBABILITY` of a 5×5 Gaussian blur"},
		repeatedFlag("filter", "a gift `FILTER:ARGUMENTS`, as in gaussian_blur:1.5"),
	)
}

func augmentationOf(c *cli.Context) (o augment.Options, err error) {
	o = augment.Options{CatMaxRatio: c.Float64("cat-max-ratio"), Flip: c.Float64("flip"), Gray: c.Float64("gray"), Blur: c.Float64("blur"), Filters: repeatedValues(c, "filter")}
	if o.Resize, err = parseSize("resize", c.String("resize")); err != nil {
		return o, err
	}
	if o.Crop, err = parseSize("crop", c.String("crop")); err != nil {
		return o, err
	}
	o.Jitter, err = jitterOf(c)
	return o, err
}

func augmentOptionsOf(c *cli.Context) (o augmentOptions, err error) {
	if o.augment, err = augmentationOf(c); err != nil {
		return o, err
	}
	if err := o.augment.Validate(); err != nil {
		return o, err
	}
	o.stage, err = stageOptionsOf(c)
	return o, err
}

func runAugment(ctx context.Context, o augmentOptions) error {
	return o.stage.run(ctx, "augment", func(seed, epoch uint64) (pipeline.Stage, error) { return augment.New(o.augment, seed, epoch) })
}
