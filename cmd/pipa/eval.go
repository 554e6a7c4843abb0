package main

import (
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
		Usage:     "score runs and checkpoints on a labelled split, side by side",
		ArgsUsage: "RUN-OR-CHECKPOINT…",
		Description: "The Cityscapes protocol: intersections and unions over all images, at the labels' resolution, 255\n" +
			"left out. Means are over the 19 classes, over SYNTHIA's 16, and over the 13 of its literature (mIoU*),\n" +
			"each directly from the confusion of all 19. A run is scored by its newest checkpoint, as its\n" +
			"configuration says; --scales and --flip are the usual test-time augmentation.\n\n" +
			"   pipa eval runs/source runs/pipa --confusion confusion.png\n" +
			"   pipa eval runs/pipa/checkpoints/* --window 1024x1024 --stride 512x512 --flip",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "target", Usage: "the dataset, `DIR` or FORMAT:DIR", DefaultText: "the run's"},
			&cli.StringFlag{Name: "split", Usage: "`SPLIT`: train, val or test", DefaultText: "the run's"},
			&cli.StringFlag{Name: "confusion", Usage: "draw the confusion matrices, each label's pixels by prediction, as a PNG `FILE`"},
		}, append(inferenceFlags(), maxPixelsFlag(), forceFlag(), jsonFlag(), progressFlag())...),
		Action: func(c *cli.Context) error {
			paths, err := arguments(c)
			if err != nil {
				return err
			}
			picture := c.String("confusion")
			if picture != "" {
				if err := mayWrite(picture, c.Bool("force")); err != nil {
					return err
				}
			}
			results, err := evaluateAll(c, paths)
			if err != nil {
				return err
			}
			if picture != "" {
				if err := drawConfusion(picture, c.Bool("force"), results); err != nil {
					return err
				}
			}
			if c.Bool("json") {
				return printJSON(results)
			}
			var names []string
			var scores []eval.Scores
			for _, r := range results {
				names, scores = append(names, r.Name), append(scores, r.Scores())
			}
			_, err = fmt.Print(eval.Table(results[0].Classes, names, scores))
			return closedPipe(err)
		},
	}
}

// evaluateAll scores one after the other, once all have been found to be there
// and comparable.
func evaluateAll(c *cli.Context, paths []string) ([]evaluation, error) {
	var all []infer.Trained
	names := map[string]int{}
	for _, path := range paths {
		t, err := openTrained(path)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
		names[t.Name]++
		if !slices.Equal(t.State.Classes, all[0].State.Classes) {
			return nil, fmt.Errorf("%s and %s have different classes: score them on their own", all[0].Name, t.Name)
		}
	}
	lib, device, err := backend(c, 0)
	if err != nil {
		return nil, err
	}
	format, dir := splitFormat(c.String("target"))
	var results []evaluation
	for i, t := range all {
		if names[t.Name] > 1 { // runs of one name in different folders
			t.Name = paths[i]
		}
		how, err := inference(c, t.Config.Eval.Inference())
		if err != nil {
			return nil, err
		}
		bar, err := newProgress(c, "eval "+t.Name, "images", -1)
		if err != nil {
			return nil, err
		}
		r, err := infer.Evaluate(c.Context, lib, t, infer.EvalOptions{
			Teacher: c.Bool("teacher"), Format: format, Dir: dir, Split: c.String("split"), MaxPixels: c.Int("max-pixels"), Device: device, Inference: how, Progress: bar.setOf,
		})
		bar.close()
		if err != nil {
			return nil, err
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
