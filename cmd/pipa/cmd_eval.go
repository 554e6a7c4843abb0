package main

import (
	"context"
	"fmt"
	"image/png"
	"io"
	"slices"

	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/pipeline/view"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/eval"
	"github.com/pipa-uda/pipa/train/infer"
	"github.com/urfave/cli/v2"
)

type evalOptions struct {
	paths              []string // of runs and checkpoints
	format, dir, split string   // of the target; empty are the run's
	confusion          string   // a picture; empty draws none
	inference          inferenceOptions
	maxPixels          int
	force, json        bool
	display            display
}

// evaluation is a run's or a checkpoint's score, and how it came about.
type evaluation struct {
	Name       string           `json:"name"`
	Checkpoint string           `json:"checkpoint"` // its folder
	Inference  config.Inference `json:"inference"`
	*infer.Result
}

func evalCommand() *cli.Command {
	return &cli.Command{
		Name:      "eval",
		Usage:     "evaluate runs and checkpoints on a labeled split, side by side",
		ArgsUsage: "RUN-OR-CHECKPOINT…",
		Description: `The Cityscapes protocol: intersections and unions over all images, at the labels' resolution, 255 left out. Means are over the 19 classes, over SYNTHIA's 16, and over the 13 of its literature (mIoU*), each directly from the confusion of all 19. A run is evaluated by its newest checkpoint, as its configuration says; --scales and --flip are the usual test-time augmentation.

A file of weights with a whole network, such as a published checkpoint of DAFormer, HRDA, MIC or PiPa, is evaluated with Cityscapes' classes, as its recipe says, on --target.

   pipa eval runs/source runs/pipa --confusion confusion.png
   pipa eval runs/pipa/checkpoints/* --window 128x128 --flip
   pipa eval latest.pth --teacher --target cityscapes:data/cityscapes`,
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "target", Usage: "`DATASET`: FORMAT:DIR, MAP.yaml, or DIR of the run's format", DefaultText: "the run's"},
			&cli.StringFlag{Name: "split", Usage: "`SPLIT` to evaluate on", DefaultText: "the run's"},
			&cli.StringFlag{Name: "confusion", Usage: "draw the confusion matrices, each label's pixels by prediction, into a PNG `FILE`"},
		}, append(inferenceFlags(), maxPixelsFlag(), forceFlag(), jsonFlag(), progressFlag())...),
		Action: action(evalOptionsOf, runEval),
	}
}

func evalOptionsOf(c *cli.Context) (o evalOptions, err error) {
	o = evalOptions{split: c.String("split"), confusion: c.String("confusion"), maxPixels: c.Int("max-pixels"), force: c.Bool("force"), json: c.Bool("json")}
	if o.paths, err = arguments(c); err != nil {
		return o, err
	}
	for _, path := range o.paths {
		if err := onThisMachine("pipa eval", path, "run or checkpoint"); err != nil {
			return o, err
		}
	}
	if o.format, o.dir, err = sideOf("--target", c.String("target")); err != nil {
		return o, err
	}
	if o.confusion != "" {
		if err := mayWrite("--confusion", o.confusion, o.force); err != nil {
			return o, err
		}
	}
	if o.inference, err = inferenceOptionsOf(c); err != nil {
		return o, err
	}
	o.display, err = displayOf(c)
	return o, err
}

func runEval(ctx context.Context, o evalOptions) error {
	all, err := o.open()
	if err != nil {
		return err
	}
	results, err := o.evaluate(ctx, all)
	if err != nil {
		return err
	}
	if o.confusion != "" {
		if err := drawConfusion(o.confusion, o.force, results); err != nil {
			return err
		}
	}
	if o.json {
		return printJSON(results)
	}
	var names []string
	var scores []eval.Scores
	for _, r := range results {
		names, scores = append(names, r.Name), append(scores, r.Scores())
	}
	return printText(eval.Table(results[0].Classes, names, scores))
}

// open opens all runs and checkpoints, which are to be comparable, and gives those
// of one name their paths.
func (o evalOptions) open() ([]infer.Trained, error) {
	var all []infer.Trained
	names := map[string]int{}
	for _, path := range o.paths {
		t, err := openTrained(path)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
		names[t.Name]++
		if !slices.Equal(t.State.Classes, all[0].State.Classes) {
			return nil, usagef("%s and %s have different classes: evaluate them on their own", all[0].Name, t.Name)
		}
	}
	for i := range all {
		if names[all[i].Name] > 1 { // runs of one name in different folders
			all[i].Name = o.paths[i]
		}
	}
	return all, nil
}

// evaluate evaluates one after the other.
func (o evalOptions) evaluate(ctx context.Context, all []infer.Trained) ([]evaluation, error) {
	lib, device, err := backend(o.inference.device, 0)
	if err != nil {
		return nil, err
	}
	var results []evaluation
	for _, t := range all {
		how, err := o.inference.of(t.Config.Eval.Inference())
		if err != nil {
			return nil, err
		}
		bar := o.display.bar("eval "+t.Name, "images", -1)
		r, err := infer.Evaluate(ctx, lib, t, infer.EvalOptions{
			Teacher: o.inference.teacher, Format: o.format, Dir: o.dir, Split: o.split, MaxPixels: o.maxPixels, Device: device, Inference: how, Progress: bar.setOf,
		})
		bar.close()
		if err != nil {
			return nil, otherwise(exitUsage, err)
		}
		results = append(results, evaluation{t.Name, t.Dir, how, r})
	}
	return results, nil
}

// drawConfusion draws all results' matrices as one picture.
func drawConfusion(file string, force bool, results []evaluation) error {
	var matrices []view.Matrix
	for _, r := range results {
		title := fmt.Sprintf("%s · %s · mIoU %.2f %%", r.Name, r.Network, 100*float64(r.MIoU))
		matrices = append(matrices, view.Matrix{Title: title, Classes: r.Classes, Colors: r.Palette(), Counts: r.Confusion})
	}
	m, err := view.Confusion(matrices...)
	if err != nil {
		return err
	}
	return files.Write(file, force, func(w io.Writer) error { return png.Encode(w, m) })
}
