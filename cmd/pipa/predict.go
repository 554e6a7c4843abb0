package main

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/shards"
	"github.com/pipa-uda/pipa/train/infer"
	"github.com/urfave/cli/v2"
)

func predictCommand() *cli.Command {
	return &cli.Command{
		Name:      "predict",
		Usage:     "images → labels, as files or as a sample stream",
		ArgsUsage: "RUN-OR-CHECKPOINT [INPUT…]",
		Description: "An INPUT is an image, a folder of images, a pattern, FORMAT:DIR, or a sample stream: a file, a\n" +
			"dataset's folder, or standard input (-, or none). Labels have the images' own size.\n\n" +
			"With --write the labels become files --out/KIND/NAME, with the images' names: labels (palette PNGs of\n" +
			"train IDs), ids (PNGs of Cityscapes ids, for the benchmark's server), colour, overlay, and scores\n" +
			"(safetensors: the classes' probabilities, F16 [C,H,W]).\n\n" +
			"Without --write they become a sample stream of pseudo-labels, each with its confidence: the share of\n" +
			"its pixels whose probability reaches --threshold, by which \"pipa classmix\" weighs a target. Crops\n" +
			"are best shown as they are, with --resize original.\n\n" +
			"   pipa predict runs/pipa photos --write overlay,labels --out predicted\n" +
			"   pipa predict runs/pipa cityscapes:data/cityscapes --split test --write ids --out submission\n" +
			"   pipa read cityscapes data/cityscapes --unlabelled | pipa augment --crop 512x512 |\n" +
			"     pipa predict runs/pipa --teacher --resize original > target.arrow",
		Flags: append(append([]cli.Flag{
			&cli.StringFlag{Name: "write", Usage: "`KINDS` of files, with commas between: " + strings.Join(infer.OutputKinds(), ", ")},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "the files' folder, or the stream's file, `PATH`", DefaultText: "standard output"},
			&cli.Float64Flag{Name: "threshold", Value: 0.968, Usage: "a pixel is confident from this `PROBABILITY` on"},
			&cli.BoolFlag{Name: "ignore-uncertain", Usage: "label all other pixels 255"},
		}, inferenceFlags()...), append([]cli.Flag{
			splitFlag(), limitFlag(),
			&cli.IntFlag{Name: "batch", Value: 4, Usage: "at most this `NUMBER` of rows in a record batch; fewer where images are large"},
			workersFlag(), maxPixelsFlag(), forceFlag(), progressFlag(),
		}, badFlags()...)...),
		Action: runPrediction,
	}
}

func runPrediction(c *cli.Context) error {
	args, err := arguments(c)
	if err != nil {
		return err
	}
	var kinds []string
	if text := c.String("write"); text != "" {
		kinds = strings.Split(text, ",")
		if _, err := required(c, "out"); err != nil {
			return err
		}
	} else if err := refuseTerminal(c); err != nil {
		return err
	}
	trained, err := openTrained(args[0])
	if err != nil {
		return err
	}
	outputs := infer.Outputs{Dir: c.String("out"), Force: c.Bool("force"), Kinds: kinds, Classes: trained.State.Classes, Colors: trained.State.Palette()}
	if err := outputs.Validate(); err != nil {
		return usageError{err}
	}
	options := infer.PredictOptions{
		Teacher: c.Bool("teacher"), Threshold: c.Float64("threshold"), IgnoreUncertain: c.Bool("ignore-uncertain"),
		Scores: slices.Contains(kinds, infer.ScoreFiles),
	}
	if options.Inference, err = inference(c, trained.Config.Eval.Inference()); err != nil {
		return err
	}
	if err := options.Validate(); err != nil {
		return usageError{err}
	}
	in, err := openImages(c, args[1:])
	if err != nil {
		return err
	}
	defer in.close()
	header, err := trained.Header(in.header, options)
	if err != nil {
		return err
	}
	if !c.Bool("force") {
		for _, name := range in.names {
			if err := mayPredict(outputs, name); err != nil {
				return err
			}
		}
	}
	lib, device, err := backend(c, 0)
	if err != nil {
		return err
	}
	options.Device = device
	predictions := infer.Predict(c.Context, lib, trained, options, in.samples)
	if len(kinds) > 0 {
		return in.bad.finish(writePredictions(c, outputs, in, predictions))
	}
	samples := func(yield func(pipeline.Sample, error) bool) {
		for p, err := range predictions {
			if !yield(p.Sample, err) {
				return
			}
		}
	}
	return in.bad.finish(emit(c, "predict", pipeline.Collect(header, c.Int("batch"), samples), in.total))
}

// mayPredict tells whether a prediction's files may be written.
func mayPredict(o infer.Outputs, name string) error {
	if file := o.Existing(name); file != "" {
		return usagef("%s exists: choose another --out, or replace it with --force", file)
	}
	return nil
}

// fileNames are the samples that have taken the names of files, by name.
type fileNames map[string]string

// claim gives a sample a name; or returns the sample that has it.
func (n fileNames) claim(name, id string) (other string) {
	if other, taken := n[name]; taken {
		return other
	}
	n[name] = id
	return ""
}

// writePredictions writes predictions' files while the next images are in work.
func writePredictions(c *cli.Context, o infer.Outputs, in images, predictions iter.Seq2[infer.Prediction, error]) error {
	bar, err := newProgress(c, "predict", "images", in.total)
	if err != nil {
		return err
	}
	// The names of a stream are known as its samples come.
	taken := fileNames{}
	claim := func(id string) error {
		name := in.name(id)
		if other := taken.claim(name, id); other != "" {
			return fmt.Errorf("samples %s and %s have the same file name: write them to folders of their own", other, id)
		}
		if c.Bool("force") {
			return nil
		}
		return mayPredict(o, name)
	}
	named := func(yield func(infer.Prediction, error) bool) {
		for p, err := range predictions {
			if err == nil && in.names == nil {
				err = claim(p.ID)
			}
			if !yield(p, err) || err != nil {
				return
			}
		}
	}
	write := func(_ context.Context, p infer.Prediction) (string, error) { return p.ID, o.Write(in.name(p.ID), p) }
	done := 0
	for _, err = range pipeline.Map(c.Context, c.Int("workers"), named, write, nil) {
		if err != nil {
			break
		}
		done++
		bar.add(1)
	}
	bar.close()
	if err != nil {
		return err
	}
	_, err = fmt.Printf("%s: %s of %s\n", o.Dir, strings.Join(o.Kinds, ", "), count(done, "image"))
	return closedPipe(err)
}

// images are what is predicted on.
type images struct {
	header  pipeline.Header
	samples iter.Seq2[pipeline.Sample, error]
	total   int               // -1 for a stream
	names   map[string]string // of files to write, by sample; nil for a stream
	bad     *bad
	close   func() error
}

// name is a sample's file name, without an extension.
func (i images) name(id string) string {
	if i.names == nil {
		return path.Base(id)
	}
	return i.names[id]
}

// openImages opens what a command's arguments name.
func openImages(c *cli.Context, inputs []string) (images, error) {
	if len(inputs) == 1 {
		if format, dir := splitFormat(inputs[0]); format != "" {
			d, err := openFormat(c, format, dir, true)
			if err != nil {
				return images{}, err
			}
			return readImages(c, d, func(e formats.Entry) string {
				base := path.Base(filepath.ToSlash(e.Image))
				return strings.TrimSuffix(base, path.Ext(base))
			})
		}
	}
	if len(inputs) == 0 || len(inputs) == 1 && isStream(inputs[0]) {
		name := ""
		if len(inputs) == 1 {
			name = inputs[0]
		}
		return streamImages(c, name)
	}
	d, err := formats.OpenImages(inputs, c.Int("max-pixels"))
	if err != nil {
		return images{}, err
	}
	prefix := d.Name + "/" + d.Split + "/"
	return readImages(c, d, func(e formats.Entry) string { return strings.TrimPrefix(e.ID, prefix) })
}

// isStream tells whether a path holds rows rather than images.
func isStream(name string) bool {
	if name == "-" || strings.HasSuffix(name, ".arrow") {
		return true
	}
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return true // a pipe
	}
	_, err := os.Stat(filepath.Join(name, shards.ManifestFile))
	return err == nil
}

// readImages reads a dataset's images.
func readImages(c *cli.Context, d *formats.Dataset, name func(formats.Entry) string) (in images, err error) {
	in = images{header: d.Header(), total: d.Len(), names: map[string]string{}, close: func() error { return nil }}
	if c.IsSet("limit") {
		in.total = min(in.total, max(c.Int("limit"), 0))
	}
	taken := fileNames{}
	for _, e := range d.Entries[:in.total] {
		n := name(e)
		if other := taken.claim(n, e.ID); other != "" && c.String("write") != "" {
			return in, fmt.Errorf("samples %s and %s have the same file name, %s: give the folder of images instead, whose folders are kept", other, e.ID, n)
		}
		in.names[e.ID] = n
	}
	if in.bad, err = newBad(c, in.total); err != nil {
		return in, err
	}
	in.samples = pipeline.Samples(c.Context, in.total, c.Int("workers"), d.Read, in.bad.skip)
	return in, nil
}

// streamImages reads a stream's samples.
func streamImages(c *cli.Context, name string) (in images, err error) {
	s, close, err := input(c.Context, name)
	if err != nil {
		return in, err
	}
	if c.IsSet("limit") {
		s = pipeline.Limit(s, c.Int("limit"))
	}
	in = images{header: s.Header, total: -1, samples: pipeline.Rows(s), close: close}
	in.bad, err = newBad(c, 0)
	return in, err
}
