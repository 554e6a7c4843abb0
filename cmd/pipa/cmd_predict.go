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
	"github.com/pipa-uda/pipa/pipeline/storage"
	"github.com/pipa-uda/pipa/train/infer"
	"github.com/urfave/cli/v2"
)

type predictOptions struct {
	trained         string   // a run or checkpoint
	inputs          []string // of images; none is a stream on standard input
	dataset         *datasetOptions
	kinds           []string // of files; none writes a stream
	dir             string   // of the files
	stream          output
	force           bool
	inference       inferenceOptions
	threshold       float64
	ignoreUncertain bool
	limit           int // -1 is none
	batch, workers  int
	maxPixels       int
	bad             badOptions
	display         display
}

func predictCommand() *cli.Command {
	return &cli.Command{
		Name:      "predict",
		Usage:     "images → labels, as files or as a sample stream",
		ArgsUsage: "RUN-OR-CHECKPOINT [INPUT…]",
		Description: `An INPUT is an image, a folder of images, a pattern, FORMAT:DIR or MAP.yaml, or a sample stream: a file, a stored dataset, or standard input (-, or none). Labels have the images' own size. The network may be a file of weights, as of "pipa eval".

With --write the labels become files --out/KIND/NAME, with the images' names: labels (palette PNGs of train IDs), ids (PNGs of Cityscapes ids, for the benchmark's server), colour, overlay, and scores (safetensors: the classes' probabilities, F16 [C,H,W]).

Without --write they become a sample stream of pseudo-labels, each with its confidence: the share of its pixels whose probability reaches --threshold, by which "pipa classmix" weighs a target. Crops are best shown as they are, with --resize original.

Photos may be as large as --max-pixels says. With --window memory grows with a photo's width and the window's height alone, beside about 10 bytes a pixel; without it the network sees at most 16 megapixels at once (docs/reliability.md).

   pipa predict runs/pipa photos --write overlay,labels --out predicted
   pipa predict runs/pipa cityscapes:data/cityscapes --split val \
     --write ids --out submission
   pipa read cityscapes data/cityscapes --unlabelled |
     pipa augment --crop 128x128 |
     pipa predict runs/pipa --teacher --resize original > target.arrow`,
		Flags: append(append([]cli.Flag{
			&cli.StringFlag{Name: "write", Usage: "`KINDS` of files to write, with commas between: " + strings.Join(infer.OutputKinds(), ", ")},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "`PATH` of the files' folder, or of the stream's file", DefaultText: "standard output"},
			&cli.Float64Flag{Name: "threshold", Value: 0.968, Usage: "a pixel is confident from this `PROBABILITY` on"},
			&cli.BoolFlag{Name: "ignore-uncertain", Usage: "label all other pixels 255"},
		}, inferenceFlags()...), append([]cli.Flag{
			splitFlag(), limitFlag(),
			&cli.IntFlag{Name: "batch", Category: groupInput, Value: 4, Usage: "at most this `NUMBER` of rows in a record batch; fewer where images are large"},
			workersFlag(), maxPixelsFlag(), forceFlag(), progressFlag(), stallFlag(),
		}, badFlags()...)...),
		Action: action(predictOptionsOf, runPredict),
	}
}

func predictOptionsOf(c *cli.Context) (o predictOptions, err error) {
	args, err := arguments(c)
	if err != nil {
		return o, err
	}
	o = predictOptions{
		trained: args[0], inputs: args[1:], dir: c.String("out"), force: c.Bool("force"),
		threshold: c.Float64("threshold"), ignoreUncertain: c.Bool("ignore-uncertain"),
		limit: limitOf(c), batch: c.Int("batch"), workers: c.Int("workers"), maxPixels: c.Int("max-pixels"),
	}
	if err := onThisMachine("pipa predict", o.trained, "run or checkpoint"); err != nil {
		return o, err
	}
	if o.inference, err = inferenceOptionsOf(c); err != nil {
		return o, err
	}
	if text := c.String("write"); text != "" {
		o.kinds = strings.Split(text, ",")
		if _, err := required(c, "out"); err != nil {
			return o, err
		}
		if err := onThisMachine("--out", o.dir, "folder"); err != nil {
			return o, err
		}
	} else if o.stream, err = binaryOutputOf(c); err != nil {
		return o, err
	}
	if o.dataset, err = predictedDataset(c, o.inputs); err != nil {
		return o, err
	}
	if o.bad, err = badOptionsOf(c); err != nil {
		return o, err
	}
	o.display, err = displayOf(c)
	return o, err
}

// predictedDataset is the dataset that the inputs name, nil where they name images
// or a stream.
func predictedDataset(c *cli.Context, inputs []string) (*datasetOptions, error) {
	if len(inputs) == 1 {
		p, named, err := formats.Spelled(inputs[0])
		if err != nil {
			return nil, err
		}
		if named {
			d, err := placedDataset(c, p, true)
			return &d, err
		}
		if isStream(inputs[0]) {
			return nil, nil
		}
	}
	for _, name := range inputs {
		if err := onThisMachine("pipa predict", name, "folder of images"); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func runPredict(ctx context.Context, o predictOptions) error {
	trained, err := openTrained(o.trained)
	if err != nil {
		return err
	}
	outputs, options, err := o.prepare(trained)
	if err != nil {
		return err
	}
	in, err := o.open(ctx)
	if err != nil {
		return err
	}
	defer in.close()
	header, err := trained.Header(in.header, options)
	if err != nil {
		return otherwise(exitUsage, err)
	}
	for _, name := range in.names {
		if err := mayPredict(outputs, name); err != nil {
			return err
		}
	}
	lib, device, err := backend(o.inference.device, 0)
	if err != nil {
		return err
	}
	options.Device = device
	predictions := predicted(infer.Predict(ctx, lib, trained, options, in.samples))
	if len(o.kinds) > 0 {
		return in.bad.finish(o.writeFiles(ctx, outputs, in, predictions))
	}
	samples := func(yield func(pipeline.Sample, error) bool) {
		for p, err := range predictions {
			if !yield(p.Sample, err) {
				return
			}
		}
	}
	return in.bad.finish(o.stream.stream(ctx, o.display.bar("predict", "rows", in.total), pipeline.Collect(header, o.batch, samples)))
}

// predicted says of a network that does not take an image, or is not there, that
// it was the wrong one to ask.
func predicted(predictions iter.Seq2[infer.Prediction, error]) iter.Seq2[infer.Prediction, error] {
	return func(yield func(infer.Prediction, error) bool) {
		for p, err := range predictions {
			if !yield(p, otherwise(exitUsage, err)) {
				return
			}
		}
	}
}

// prepare is what the options ask of a network.
func (o predictOptions) prepare(trained infer.Trained) (outputs infer.Outputs, options infer.PredictOptions, err error) {
	outputs = infer.Outputs{Dir: o.dir, Force: o.force, Kinds: o.kinds, Classes: trained.State.Classes, Colors: trained.State.Palette()}
	if err := outputs.Validate(); err != nil {
		return outputs, options, otherwise(exitUsage, err)
	}
	options = infer.PredictOptions{
		Teacher: o.inference.teacher, Threshold: o.threshold, IgnoreUncertain: o.ignoreUncertain, Scores: slices.Contains(o.kinds, infer.ScoreFiles),
	}
	if options.Inference, err = o.inference.of(trained.Config.Eval.Inference()); err != nil {
		return outputs, options, err
	}
	return outputs, options, otherwise(exitUsage, options.Validate())
}

// mayPredict refuses to replace a prediction's files without --force.
func mayPredict(o infer.Outputs, name string) error {
	if file := o.Existing(name); file != "" && !o.Force {
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

// writeFiles writes predictions' files while the next images are in work.
func (o predictOptions) writeFiles(ctx context.Context, outputs infer.Outputs, in images, predictions iter.Seq2[infer.Prediction, error]) error {
	// The names of a stream are known as its samples come.
	taken := fileNames{}
	claim := func(id string) error {
		name := in.name(id)
		if other := taken.claim(name, id); other != "" {
			return usagef("samples %s and %s have the same file name: write them to folders of their own", other, id)
		}
		return mayPredict(outputs, name)
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
	write := func(_ context.Context, p infer.Prediction) (string, error) {
		return p.ID, outputs.Write(in.name(p.ID), p)
	}
	bar := o.display.bar("predict", "images", in.total)
	done := 0
	for _, err := range pipeline.Map(ctx, o.workers, named, write, nil) {
		if err != nil {
			bar.close()
			return err
		}
		done++
		bar.add(1)
	}
	bar.close()
	return printText(fmt.Sprintf("%s: %s of %s\n", outputs.Dir, strings.Join(o.kinds, ", "), count(done, "image")))
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

// open opens what the inputs name.
func (o predictOptions) open(ctx context.Context) (images, error) {
	if o.dataset != nil {
		d, err := o.dataset.open(ctx)
		if err != nil {
			return images{}, err
		}
		return o.read(ctx, d, func(e formats.Entry) string {
			base := path.Base(filepath.ToSlash(e.Image))
			return strings.TrimSuffix(base, path.Ext(base))
		})
	}
	if len(o.inputs) == 0 {
		return o.readStream(ctx, "")
	}
	if len(o.inputs) == 1 && isStream(o.inputs[0]) {
		return o.readStream(ctx, o.inputs[0])
	}
	d, err := formats.OpenImages(o.inputs, o.maxPixels)
	if err != nil {
		return images{}, otherwise(exitUsage, err)
	}
	prefix := d.Name + "/" + d.Split + "/"
	return o.read(ctx, d, func(e formats.Entry) string { return strings.TrimPrefix(e.ID, prefix) })
}

// isStream reports whether a path holds rows rather than images.
func isStream(name string) bool {
	if name == "-" || strings.HasSuffix(name, ".arrow") || storage.IsURL(name) {
		return true
	}
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return true // a pipe
	}
	_, err := os.Stat(filepath.Join(name, shards.ManifestFile))
	return err == nil
}

// read reads a dataset's images.
func (o predictOptions) read(ctx context.Context, d *formats.Dataset, name func(formats.Entry) string) (images, error) {
	in := images{header: d.Header(), total: d.Len(), names: map[string]string{}, close: func() error { return nil }}
	if o.limit >= 0 {
		in.total = min(in.total, o.limit)
	}
	taken := fileNames{}
	for _, e := range d.Entries[:in.total] {
		n := name(e)
		if other := taken.claim(n, e.ID); other != "" && len(o.kinds) > 0 {
			return in, usagef("samples %s and %s have the same file name, %s: give the folder of images instead, whose folders are kept", other, e.ID, n)
		}
		in.names[e.ID] = n
	}
	in.bad = o.bad.of(in.total)
	in.samples = pipeline.Samples(ctx, in.total, o.workers, d.Read, in.bad.skip)
	return in, nil
}

// readStream reads a stream's samples.
func (o predictOptions) readStream(ctx context.Context, name string) (images, error) {
	in, err := openInput(ctx, name, lost{})
	if err != nil {
		return images{}, err
	}
	return images{header: in.Header, total: -1, samples: pipeline.Rows(limited(in.Stream, o.limit)), bad: o.bad.of(0), close: in.Close}, nil
}
