package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"time"

	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/formats/safetensors"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/train/eval"
	"github.com/pipa-uda/pipa/train/model"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
)

// Result is how a network scores on a labelled split. Shares are fractions; a
// class that neither labels nor predictions have is null.
type Result struct {
	Iteration int        `json:"iteration"`
	Network   string     `json:"network"` // student or teacher
	Images    int        `json:"images"`
	Classes   []string   `json:"classes"`
	IoU       []Fraction `json:"iou"`
	Accuracy  []Fraction `json:"accuracy"`
	AllPixels Fraction   `json:"all_pixels"`
	MIoU      Fraction   `json:"miou"`   // over all classes
	MIoU16    Fraction   `json:"miou16"` // over SYNTHIA's classes, for the 19 of Cityscapes
	MIoU13    Fraction   `json:"miou13"`
	Confusion []int64    `json:"confusion"` // pixels by label (rows) and prediction (columns)
}

// Fraction is a float64 whose NaN is JSON's null.
type Fraction float64

// MarshalJSON implements json.Marshaler.
func (f Fraction) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(f)) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(f))
}

// UnmarshalJSON implements json.Unmarshaler.
func (f *Fraction) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*f = Fraction(math.NaN())
		return nil
	}
	return json.Unmarshal(b, (*float64)(f))
}

// Scores are the result as eval's, for its table.
func (r *Result) Scores() eval.Scores {
	s := eval.Scores{AllPixels: float64(r.AllPixels)}
	for i := range r.IoU {
		s.IoU = append(s.IoU, float64(r.IoU[i]))
		s.Accuracy = append(s.Accuracy, float64(r.Accuracy[i]))
	}
	return s
}

func newResult(iteration int, network string, images int, classes []string, c *eval.Confusion) *Result {
	s := c.Scores()
	r := &Result{Iteration: iteration, Network: network, Images: images, Classes: classes, AllPixels: Fraction(s.AllPixels),
		MIoU: Fraction(s.Mean(nil)), MIoU16: Fraction(math.NaN()), MIoU13: Fraction(math.NaN()), Confusion: c.Counts}
	if len(classes) == 19 {
		r.MIoU16, r.MIoU13 = Fraction(s.Mean(eval.Synthia16)), Fraction(s.Mean(eval.Synthia13))
	}
	for i := range s.IoU {
		r.IoU = append(r.IoU, Fraction(s.IoU[i]))
		r.Accuracy = append(r.Accuracy, Fraction(s.Accuracy[i]))
	}
	return r
}

// score evaluates the student on the target's split and logs the result. A
// source-only run without a target has nothing to be scored on: it returns nil.
// The time it takes does not count in the metrics.
func (t *trainer) score(ctx context.Context, log *logs) (*Result, error) {
	if t.cfg.Target.Dir == "" || t.cfg.Target.streamed() {
		if t.iteration == t.cfg.Iterations {
			t.options.Log.Info("no target folder to score on", "run", t.options.Out)
		}
		return nil, nil
	}
	begun := time.Now()
	r, err := evaluate(ctx, t.root, t.student, t.cfg, t.cfg.Eval.Split, nil)
	if ctx.Err() != nil || errors.Is(err, context.Canceled) {
		return nil, errors.Join(ErrInterrupted, t.save())
	}
	if err != nil {
		return nil, err
	}
	t.window.start = t.window.start.Add(time.Since(begun))
	r.Iteration, r.Network = t.iteration, "student"
	if log == nil {
		return r, nil
	}
	t.options.Log.Info(fmt.Sprintf("%d/%d", t.iteration, t.cfg.Iterations), "mIoU", fmt.Sprintf("%.2f %%", 100*float64(r.MIoU)))
	return r, log.score(r)
}

func writeJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return pipeline.WriteFile(path, func(w io.Writer) error {
		_, err := w.Write(append(text, '\n'))
		return err
	})
}

// EvalOptions say what to evaluate.
type EvalOptions struct {
	Teacher  bool   // the teacher instead of the student
	Dir      string // the target's folder; empty means the run's
	Split    string // empty means the run's
	Device   torch.Device
	Progress func(done, total int)
}

// Evaluate scores a run's last good checkpoint by the Cityscapes protocol:
// whole images at the run's evaluation size, logits resized to the label's size.
func Evaluate(ctx context.Context, lib *torch.Lib, run string, o EvalOptions) (*Result, error) {
	cfg, err := Resolve("", filepath.Join(run, configFile), nil)
	if err != nil {
		return nil, fmt.Errorf("evaluate %s: %w", run, err)
	}
	dir, state, _, err := latestCheckpoint(filepath.Join(run, checkpointsDir))
	if err != nil {
		return nil, err
	}
	if dir == "" {
		return nil, fmt.Errorf("evaluate %s: it has no checkpoint yet", run)
	}
	if o.Dir != "" {
		cfg.Target.Dir = o.Dir
	}
	if o.Split == "" {
		o.Split = cfg.Eval.Split
	}
	file, network := studentFile, "student"
	if o.Teacher {
		file, network = teacherFile, "teacher"
		if !cfg.Adapt.Enabled {
			return nil, fmt.Errorf("evaluate %s: a source-only run has no teacher", run)
		}
	}
	weights, err := safetensors.Open(filepath.Join(dir, file))
	if err != nil {
		return nil, err
	}
	var r *Result
	err = lib.Run(o.Device, func(s *torch.Scope) error {
		net, err := loadSegmentor(s, cfg.Network, len(state.Classes), weights)
		if err != nil {
			return fmt.Errorf("evaluate %s: %w", run, err)
		}
		if r, err = evaluate(ctx, s, net, cfg, o.Split, o.Progress); err != nil {
			return err
		}
		r.Iteration, r.Network = state.Iteration, network
		return nil
	})
	return r, err
}

// loadSegmentor builds the network that weights hold; the heads of the
// contrasts, which only training needs, are passed over.
func loadSegmentor(s *torch.Scope, c NetworkConfig, classes int, weights *safetensors.File) (network, error) {
	store := nn.NewStore(s)
	net, err := c.newNetwork(store.Root(), classes)
	if err != nil {
		return net, err
	}
	return net, store.Load(weights.Without("cls_head.", "proj_head.", "project.", "classifier."))
}

// evaluate scores a network on a split of the target, whose images its ranks
// share. Where ctx ends on one of
// them it fails on all, with context.Canceled on the others.
func evaluate(ctx context.Context, root *torch.Scope, net network, cfg Config, split string, progress func(done, total int)) (*Result, error) {
	c := cfg.Target
	c.Split = split
	if _, err := os.Stat(c.Dir); err != nil {
		return nil, fmt.Errorf("evaluate on %s: %w", c.Format, err)
	}
	set, err := openCollection(c, false)
	if err != nil {
		return nil, fmt.Errorf("evaluate: %w", err)
	}
	defer set.close()
	confusion := eval.NewConfusion(len(set.header.Classes))
	for i := net.group.Rank(); i < set.items; i += net.group.Size() {
		if ctx.Err() != nil {
			break
		}
		sample, err := set.read(ctx, i)
		if err != nil {
			return nil, fmt.Errorf("evaluate: %w", err)
		}
		if sample.Label.Empty() {
			return nil, fmt.Errorf("evaluate: %s has no label", sample.ID)
		}
		err = root.NoGrad(func(s *torch.Scope) error {
			return confusion.Add(predict(s, net, sample, cfg.Eval), s.Wrap(sample.Label.Pix(), 1, sample.Label.Height(), sample.Label.Width()).ToDevice(s.Device()).To(torch.Int64))
		})
		if err != nil {
			return nil, fmt.Errorf("evaluate %s: %w", sample.ID, err)
		}
		if progress != nil {
			progress(i+1, set.items)
		}
	}
	stopped, err := net.group.Any(root, ctx.Err() != nil)
	if err != nil {
		return nil, fmt.Errorf("evaluate: %w", err)
	}
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	} else if stopped {
		return nil, context.Canceled
	}
	if err := confusion.Total(root, net.group); err != nil {
		return nil, fmt.Errorf("evaluate: %w", err)
	}
	return newResult(0, "", set.items, set.header.Classes, confusion), nil
}

// predict segments one image, scaled to fit resize, at its own size: [1,H,W]
// of classes.
func predict(s *torch.Scope, net network, sample pipeline.Sample, c EvalConfig) *torch.Tensor {
	image := sample.Image
	h, w := image.Height(), image.Width()
	if c.Resize[0] > 0 {
		fh, fw := augment.FitSize(h, w, c.Resize)
		image = augment.ResizeBilinear(image, fh, fw, pipeline.Box{Y1: fh, X1: fw})
	}
	x := normalize(s.Wrap(image.Pix(), 1, image.Height(), image.Width(), 3))
	logits := func(x *torch.Tensor) *torch.Tensor { return net.predict(x, nn.Scoring) }
	if c.Window[0] > 0 {
		return model.Slide(x, c.Window, c.Stride, logits).UpsampleBilinear(h, w, false).Argmax(1, false)
	}
	return logits(x).UpsampleBilinear(h, w, false).Argmax(1, false)
}
