package main

import (
	"log/slog"
	"strings"

	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/infer"
	"github.com/urfave/cli/v2"
)

// inferenceFlags say which network of a run sees images, and how; inference
// reads them.
func inferenceFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "teacher", Usage: "use the teacher instead of the student"},
		&cli.StringFlag{Name: "resize", Usage: "show images scaled to fit `HEIGHTxWIDTH`, or at their original size (original)", DefaultText: "the run's"},
		&cli.StringFlag{Name: "window", Usage: "slide a window of `HEIGHTxWIDTH` over that, or show the whole at once (whole)", DefaultText: "the run's"},
		&cli.StringFlag{Name: "stride", Usage: "the windows lie `HEIGHTxWIDTH` apart", DefaultText: "half of --window"},
		&cli.IntFlag{Name: "windows", Value: 1, Usage: "`NUMBER` of windows in work at once"},
		&cli.StringFlag{Name: "scales", Usage: "average over images at these `RATIOS` of their size, as in 0.5,0.75,1,1.25,1.5,1.75"},
		&cli.BoolFlag{Name: "flip", Usage: "average over the mirrored images too"},
		deviceFlag(),
	}
}

// inference is a run's way to see images, as the flags change it.
func inference(c *cli.Context, run config.Inference) (i config.Inference, err error) {
	i = run
	i.Batch, i.Flip = c.Int("windows"), c.Bool("flip")
	if text := c.String("resize"); text == "original" {
		i.Resize = [2]int{}
	} else if text != "" {
		if i.Resize, err = parseSize("resize", text); err != nil {
			return i, err
		}
	}
	if text := c.String("window"); text == "whole" {
		i.Window = [2]int{}
	} else if text != "" {
		if i.Window, err = parseSize("window", text); err != nil {
			return i, err
		}
		i.Stride = [2]int{max(i.Window[0]/2, 1), max(i.Window[1]/2, 1)}
	}
	if text := c.String("stride"); text != "" {
		if i.Window == [2]int{} {
			return i, usagef("--stride is of windows: give --window too")
		}
		if i.Stride, err = parseSize("stride", text); err != nil {
			return i, err
		}
	}
	if text := c.String("scales"); text != "" {
		if i.Scales, err = parseNumbers("scales", text, strings.Count(text, ",")+1); err != nil {
			return i, err
		}
	}
	if n := c.Int("windows"); n < 1 {
		return i, usagef("--windows is %d, want at least 1", n)
	}
	if err := i.Validate(); err != nil {
		return i, usageError{err}
	}
	return i, nil
}

// openTrained opens a run or a checkpoint, saying where a damaged checkpoint
// was passed over.
func openTrained(path string) (infer.Trained, error) {
	t, err := infer.Open(path)
	for _, w := range t.Warnings {
		slog.Warn("passed over a checkpoint", "reason", w)
	}
	return t, err
}
