package main

import (
	"fmt"
	"strings"

	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/classmix"
	"github.com/pipa-uda/pipa/crops"
	"github.com/pipa-uda/pipa/formats/open"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/urfave/cli/v2"
)

// stageFlags are what every stage of streams takes.
func stageFlags(own ...cli.Flag) []cli.Flag {
	return append(own, seedFlag("`SEED` of the draws instead of the stream's"), epochFlag(), limitFlag(), workersFlag(), outFlag(), forceFlag(), progressFlag())
}

// stageInput opens a stage's stream, seeded and limited.
func stageInput(c *cli.Context) (s pipeline.Stream, close func() error, err error) {
	args, err := arguments(c)
	if err != nil {
		return s, nil, err
	}
	if err := refuseTerminal(c); err != nil {
		return s, nil, err
	}
	name := ""
	if len(args) > 0 {
		name = args[0]
	}
	if s, close, err = input(c.Context, name); err != nil {
		return s, nil, err
	}
	if c.IsSet("seed") {
		s.Header.Seed = c.Uint64("seed")
	}
	if c.IsSet("limit") {
		s = pipeline.Limit(s, c.Int("limit"))
	}
	return s, close, nil
}

// runStage pipes a command's input through a stage.
func runStage(c *cli.Context, what string, build func(seed, epoch uint64) (pipeline.Stage, error)) error {
	s, close, err := stageInput(c)
	if err != nil {
		return err
	}
	defer close()
	stage, err := build(s.Header.Seed, c.Uint64("epoch"))
	if err != nil {
		return usageError{err}
	}
	out, err := pipeline.Run(c.Context, s, stage, c.Int("workers"))
	if err != nil {
		return err
	}
	return emit(c, what, out, -1)
}

func jitterFlags(values, chance string) []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "jitter", Value: values, Usage: "torchvision's colour jitter by at most `BRIGHTNESS,CONTRAST,SATURATION,HUE`"},
		&cli.StringFlag{Name: "jitter-chance", Value: chance, Usage: "`PROBABILITY` of the jitter"},
	}
}

func parseJitter(c *cli.Context) (augment.ColorJitter, error) {
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

// augmentFlags are what is done to a sample, augmentOptions reads them.
func augmentFlags() []cli.Flag {
	return append(append([]cli.Flag{
		&cli.StringFlag{Name: "resize", Usage: "scale to fit `HEIGHTxWIDTH`, keeping the ratio"},
		&cli.StringFlag{Name: "crop", Usage: "a random crop of `HEIGHTxWIDTH`"},
		&cli.Float64Flag{Name: "cat-max-ratio", Usage: "redraw a crop in which one class covers this `SHARE`; 0 accepts all"},
		&cli.Float64Flag{Name: "flip", Usage: "`PROBABILITY` of mirroring"},
	}, jitterFlags("0,0,0,0", "0.8")...),
		&cli.Float64Flag{Name: "gray", Usage: "`PROBABILITY` of dropping the colour"},
		&cli.Float64Flag{Name: "blur", Usage: "`PROBABILITY` of a 5×5 Gaussian blur"},
		repeatedFlag("filter", "a gift `FILTER:ARGUMENTS`, as in gaussian_blur:1.5"),
	)
}

func augmentOptions(c *cli.Context) (o augment.Options, err error) {
	o = augment.Options{CatMaxRatio: c.Float64("cat-max-ratio"), Flip: c.Float64("flip"), Gray: c.Float64("gray"), Blur: c.Float64("blur"), Filters: repeatedValues(c, "filter")}
	if o.Resize, err = parseSize("resize", c.String("resize")); err != nil {
		return o, err
	}
	if o.Crop, err = parseSize("crop", c.String("crop")); err != nil {
		return o, err
	}
	o.Jitter, err = parseJitter(c)
	return o, err
}

func augmentCommand() *cli.Command {
	return &cli.Command{
		Name:      "augment",
		Usage:     "resize, crop, flip and recolour samples",
		ArgsUsage: "[FILE]",
		Description: "Reads a sample stream and writes one. What it does comes in the order of the flags below; without\n" +
			"flags it changes nothing. Filters are those of github.com/disintegration/gift, by name:\n" +
			wrapList(augment.FilterNames()) + "\n\n" +
			"   pipa read gta data/gta | pipa augment --resize 720x1280 --crop 512x512 --flip 0.5 | pipa write crops",
		Flags: stageFlags(augmentFlags()...),
		Action: func(c *cli.Context) error {
			o, err := augmentOptions(c)
			if err != nil {
				return err
			}
			return runStage(c, "augment", func(seed, epoch uint64) (pipeline.Stage, error) { return augment.New(o, seed, epoch) })
		},
	}
}

// wrapList lays names out in lines that fit a terminal.
func wrapList(names []string) string {
	var lines []string
	line := ""
	for _, n := range names {
		if len(line)+len(n) > 96 {
			lines = append(lines, strings.TrimSuffix(line, " "))
			line = ""
		}
		line += n + ", "
	}
	return strings.Join(append(lines, strings.TrimSuffix(line, ", ")), "\n")
}

// cropFlags are how pairs are cut, cropOptions reads them.
func cropFlags() []cli.Flag {
	d := crops.Default()
	return append([]cli.Flag{
		&cli.IntFlag{Name: "size", Value: d.Size, Usage: "side of a crop in `PIXELS`"},
		&cli.IntFlag{Name: "base", Value: d.Base, Usage: "the long side is scaled to --scale times this many `PIXELS`"},
		&cli.StringFlag{Name: "scale", Value: fmt.Sprintf("%v,%v", d.Scale[0], d.Scale[1]), Usage: "`FROM,TO`, drawn evenly"},
		&cli.StringFlag{Name: "iou", Value: fmt.Sprintf("%v,%v", d.IoU[0], d.IoU[1]), Usage: "overlap of the two crops, `FROM,TO`"},
		&cli.IntFlag{Name: "stride", Value: d.Stride, Usage: "the crops lie a multiple of this many `PIXELS` apart"},
		&cli.Float64Flag{Name: "flip", Value: d.Flip, Usage: "`PROBABILITY` of mirroring, for each crop"},
		&cli.Float64Flag{Name: "blur", Value: d.Blur, Usage: "`PROBABILITY` of a 5×5 Gaussian blur"},
		&cli.Float64Flag{Name: "gray", Value: d.Gray, Usage: "`PROBABILITY` of dropping the colour"},
	}, jitterFlags(fmt.Sprintf("%v,%v,%v,%v", d.Jitter.Brightness, d.Jitter.Contrast, d.Jitter.Saturation, d.Jitter.Hue), fmt.Sprint(d.Jitter.Chance))...)
}

func cropOptions(c *cli.Context) (crops.Options, error) {
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
	o.Jitter, err = parseJitter(c)
	return o, err
}

func cropsCommand() *cli.Command {
	return &cli.Command{
		Name:      "crops",
		Usage:     "samples or mixes → stream of overlapping crop pairs",
		ArgsUsage: "[FILE]",
		Description: "Cuts two overlapping crops from each sample or mix, as the patch loss needs them. The defaults are the\n" +
			"published ones, for images of 2048x1024; for others set --size and --base.\n\n" +
			"   pipa read cityscapes data/cityscapes --unlabelled | pipa crops | pipa write pairs",
		Flags: stageFlags(cropFlags()...),
		Action: func(c *cli.Context) error {
			o, err := cropOptions(c)
			if err != nil {
				return err
			}
			return runStage(c, "crops", func(seed, epoch uint64) (pipeline.Stage, error) { return crops.New(o, seed, epoch) })
		},
	}
}

func classmixCommand() *cli.Command {
	return &cli.Command{
		Name:      "classmix",
		Usage:     "source stream + target stream → mix stream",
		ArgsUsage: "[FILE]",
		Description: "Pastes the pixels of ceil(n/2) of a source sample's n classes into a target sample. The streams are\n" +
			"taken row by row until the shorter one ends; both need the same size. A target with pseudo-labels (\"pipa\n" +
			"predict\") weighs --weight times its confidence.\n\n" +
			"   pipa read gta data/gta | pipa augment --crop 512x512 |\n" +
			"     pipa classmix --target <(pipa read cityscapes data/cityscapes --unlabelled | pipa augment --crop 512x512) |\n" +
			"     pipa view -o mixed.png",
		Flags: stageFlags(
			&cli.StringFlag{Name: "target", Usage: "the target's `STREAM`: a file, a dataset's folder, or <(pipa read …)"},
			&cli.Float64Flag{Name: "weight", Value: 1, Usage: "`WEIGHT` of the target's pixels in a loss"},
		),
		Action: func(c *cli.Context) error {
			targetName, err := required(c, "target")
			if err != nil {
				return err
			}
			source, closeSource, err := stageInput(c)
			if err != nil {
				return err
			}
			defer closeSource()
			target, err := open.Open(c.Context, targetName, open.Options{})
			if err != nil {
				return fmt.Errorf("target: %w", err)
			}
			defer target.Close()
			o := classmix.Options{Epoch: c.Uint64("epoch"), Weight: float32(c.Float64("weight"))}
			if err := o.Validate(); err != nil {
				return usageError{err}
			}
			mixed, err := classmix.Streams(c.Context, source, target.Stream, o, c.Int("workers"))
			if err != nil {
				return err
			}
			return emit(c, "classmix", mixed, -1)
		},
	}
}
