package main

import (
	"fmt"
	"log/slog"
	"strconv"
	"strings"

	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/infer"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/urfave/cli/v2"
)

func deviceFlag() cli.Flag {
	return &cli.StringFlag{Name: "device", Category: groupSight, Value: "auto", Usage: "`DEVICE` to compute on: cpu, cuda, cuda:1, …; auto takes a GPU where there is one"}
}

// backend loads libtorch and chooses the device. local is this process's rank
// among those of its host, each of which takes a GPU of its own.
func backend(device string, local int) (*torch.Lib, torch.Device, error) {
	lib, err := torch.Load("")
	if err != nil {
		return nil, "", err
	}
	n := lib.CUDADevices()
	if err := knownDevice(device, n, lib.Version()); err != nil {
		return nil, "", err
	}
	switch {
	case device == "cuda" && local > 0, device == "auto" && n > 0:
		// Slurm may show each process one GPU alone.
		if n > 1 && local >= n {
			return nil, "", usagef("local rank %d has no GPU: this host has %d; start as many processes a host", local, n)
		}
		return lib, torch.Device(fmt.Sprintf("cuda:%d", local%max(n, 1))), nil
	case device != "auto":
		return lib, torch.Device(device), nil
	}
	return lib, torch.CPU, nil
}

// knownDevice refuses what is not a device here, of which libtorch would say pages.
func knownDevice(device string, gpus int, version string) error {
	if device == "auto" || device == "cpu" {
		return nil
	}
	number, named := strings.CutPrefix(device, "cuda:")
	i, err := strconv.Atoi(number)
	switch {
	case device != "cuda" && (!named || err != nil || i < 0):
		return usagef("--device is %q, want auto, cpu, cuda or cuda:NUMBER", device)
	case gpus == 0:
		return usagef("--device is %s, and libtorch %s sees no GPU: leave the flag out to use the CPU, or build the backend with a libtorch for CUDA (\"pipa doctor\" shows what is found)", device, version)
	case named && i >= gpus:
		return usagef("--device is %s, and there %s here: cuda:0 is the first", device, map[bool]string{true: "is one GPU", false: fmt.Sprintf("are %d GPUs", gpus)}[gpus == 1])
	}
	return nil
}

// inferenceFlags say which network of a run sees images, and how; inference
// reads them.
func inferenceFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "teacher", Category: groupSight, Usage: "use the teacher instead of the student"},
		&cli.StringFlag{Name: "resize", Category: groupSight, Usage: "scale images to fit `HEIGHTxWIDTH`, or leave them as they are: original", DefaultText: "the run's"},
		&cli.StringFlag{Name: "window", Category: groupSight, Usage: "slide a window of `HEIGHTxWIDTH` over the image, or see it at once: whole", DefaultText: "the run's"},
		&cli.StringFlag{Name: "stride", Category: groupSight, Usage: "distance of the windows, `HEIGHTxWIDTH`", DefaultText: "half of --window"},
		&cli.IntFlag{Name: "windows", Category: groupSight, Value: 1, Usage: "`NUMBER` of windows that are computed at once"},
		&cli.StringFlag{Name: "scales", Category: groupSight, Usage: "average over images at these `RATIOS` of their size, as in 0.5,0.75,1,1.25,1.5,1.75"},
		&cli.BoolFlag{Name: "flip", Category: groupSight, Usage: "average over the mirrored images too"},
		deviceFlag(),
	}
}

// inferenceOptions are what the flags change of a run's way to see images; nil and
// empty leave it.
type inferenceOptions struct {
	teacher                bool
	resize, window, stride *[2]int // zeros: the original size, the whole image
	windows                int
	scales                 []float64
	flip                   bool
	device                 string
}

func inferenceOptionsOf(c *cli.Context) (o inferenceOptions, err error) {
	o = inferenceOptions{teacher: c.Bool("teacher"), windows: c.Int("windows"), flip: c.Bool("flip"), device: c.String("device")}
	for _, f := range []struct {
		flag, none string // the word for zeros
		size       **[2]int
	}{{"resize", "original", &o.resize}, {"window", "whole", &o.window}, {"stride", "", &o.stride}} {
		text := c.String(f.flag)
		if text == "" {
			continue
		}
		size := [2]int{}
		if text != f.none {
			if size, err = parseSize(f.flag, text); err != nil {
				return o, err
			}
		}
		*f.size = &size
	}
	if text := c.String("scales"); text != "" {
		if o.scales, err = parseNumbers("scales", text, strings.Count(text, ",")+1); err != nil {
			return o, err
		}
	}
	if o.windows < 1 {
		return o, usagef("--windows is %d, want at least 1", o.windows)
	}
	return o, nil
}

// of is a run's way to see images, as the options change it.
func (o inferenceOptions) of(run config.Inference) (config.Inference, error) {
	i := run
	i.Batch, i.Flip = o.windows, o.flip
	if o.resize != nil {
		i.Resize = *o.resize
	}
	if o.window != nil {
		if i.Window = *o.window; i.Window != [2]int{} {
			i.Stride = [2]int{max(i.Window[0]/2, 1), max(i.Window[1]/2, 1)}
		}
	}
	if o.stride != nil {
		if i.Window == [2]int{} {
			return i, usagef("--stride is of windows: give --window too")
		}
		i.Stride = *o.stride
	}
	if o.scales != nil {
		i.Scales = o.scales
	}
	return i, otherwise(exitUsage, i.Validate())
}

// openTrained opens a run or a checkpoint, saying where a damaged checkpoint
// was passed over.
func openTrained(path string) (infer.Trained, error) {
	t, err := infer.Open(path)
	for _, w := range t.Warnings {
		slog.Warn("passed over a checkpoint", "reason", w)
	}
	return t, otherwise(exitUsage, err)
}
