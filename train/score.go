package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"time"

	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/loader"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/train/eval"
	"github.com/pipa-uda/pipa/train/torch"
)

// Result is how a network scores on a labelled split. Shares are fractions; a
// class that neither labels nor predictions have is null.
type Result struct {
	Iteration int        `json:"iteration"`
	Network   string     `json:"network"` // student or teacher
	Images    int        `json:"images"`
	Classes   []string   `json:"classes"`
	Colors    [][3]uint8 `json:"colours,omitempty"` // of the classes; nil means raster.Palette's
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

// validate checks that there is as much of everything as there are classes.
func (r *Result) validate() error {
	n := len(r.Classes)
	if len(r.IoU) != n || len(r.Accuracy) != n || len(r.Confusion) != n*n {
		return fmt.Errorf("it has %d IoUs, %d accuracies and a confusion of %d for %d classes", len(r.IoU), len(r.Accuracy), len(r.Confusion), n)
	}
	return pipeline.Header{Classes: r.Classes, Colors: r.Colors}.Validate()
}

// Palette is the colours of the classes.
func (r *Result) Palette() [][3]uint8 {
	return pipeline.Header{Classes: r.Classes, Colors: r.Colors}.Palette()
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

func newResult(images int, h pipeline.Header, c *eval.Confusion) *Result {
	s := c.Scores()
	r := &Result{Images: images, Classes: h.Classes, Colors: h.Colors, AllPixels: Fraction(s.AllPixels),
		MIoU: Fraction(s.Mean(nil)), MIoU16: Fraction(math.NaN()), MIoU13: Fraction(math.NaN()), Confusion: c.Counts}
	if eval.AreCityscapes(h.Classes) {
		r.MIoU16, r.MIoU13 = Fraction(s.Mean(eval.Synthia16)), Fraction(s.Mean(eval.Synthia13))
	}
	for i := range s.IoU {
		r.IoU = append(r.IoU, Fraction(s.IoU[i]))
		r.Accuracy = append(r.Accuracy, Fraction(s.Accuracy[i]))
	}
	return r
}

// score evaluates the student on the target's split and logs the result. A run
// without a target, or whose target's class map has no such split with labels,
// has nothing to be scored on: it returns nil. The time it takes does not count
// in the metrics.
func (t *trainer) score(ctx context.Context, log *logs) (*Result, error) {
	if !t.scored {
		if t.iteration == t.cfg.Iterations {
			t.options.Log.Info("no target with labels to score on", "run", t.options.Out)
		}
		return nil, nil
	}
	begun := time.Now()
	target := t.cfg.Target
	target.Split = t.cfg.Eval.Split
	r, err := evaluate(ctx, t.root, predictor{t.student, t.cfg.Eval.Inference()}, t.names, target, t.options.MaxPixels, nil)
	if ctx.Err() != nil || errors.Is(err, context.Canceled) {
		return nil, errors.Join(ErrInterrupted, t.save())
	}
	if err != nil {
		return nil, fmt.Errorf("evaluate: %w", t.explain(err))
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
	return files.Write(path, true, func(w io.Writer) error {
		_, err := w.Write(append(text, '\n'))
		return err
	})
}

// EvalOptions say what to evaluate.
type EvalOptions struct {
	Teacher   bool   // the teacher instead of the student
	Format    string // the target's; empty means the run's
	Dir       string // the target's folder; empty, with no format, means the run's
	Split     string // empty means the run's
	Device    torch.Device
	Inference Inference // how the network sees the images; the run's is Config.Eval.Inference()
	MaxPixels int       // the most that an image of a folder may declare; 0 means raster.MaxPixels
	Progress  func(done, total int)
}

// Evaluate scores a checkpoint by the Cityscapes protocol: intersections and
// unions over all images of a split, at the labels' size, 255 left out.
func Evaluate(ctx context.Context, lib *torch.Lib, t Trained, o EvalOptions) (*Result, error) {
	if err := o.Inference.Validate(); err != nil {
		return nil, err
	}
	target := t.Config.Target
	if o.Format != "" {
		target.Format, target.Dir = o.Format, o.Dir
	} else if o.Dir != "" {
		target.Dir = o.Dir
	}
	target.Split = o.Split
	if target.Split == "" {
		target.Split = t.Config.Eval.Split
	}
	var r *Result
	err := lib.Run(o.Device, func(s *torch.Scope) error {
		net, err := t.network(s, o.Teacher)
		if err != nil {
			return err
		}
		r, err = evaluate(ctx, s, predictor{net, o.Inference}, t.State.Classes, target, o.MaxPixels, o.Progress)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("evaluate %s: %w", t.Name, err)
	}
	r.Iteration = t.State.Iteration
	r.Network, _ = studentOrTeacher(o.Teacher)
	return r, nil
}

// evaluate scores a network of these classes on a labelled dataset, whose images
// its ranks share. Where ctx ends on one of them it fails on all, with
// context.Canceled on the others.
func evaluate(ctx context.Context, root *torch.Scope, p predictor, classes []string, target DataConfig, maxPixels int, progress func(done, total int)) (*Result, error) {
	if !target.given() {
		return nil, errors.New("there is no target: give one (--target FORMAT:DIR)")
	}
	if target.Dir != "" {
		if _, err := os.Stat(target.Dir); err != nil {
			return nil, fmt.Errorf("%s dataset: %w", target.Format, err)
		}
	}
	set, err := openSide(target, false, maxPixels)
	if err != nil {
		return nil, err
	}
	defer set.close()
	if err := sameClasses("the network", classes, "the target", set.Header().Classes); err != nil {
		return nil, err
	}
	confusion := eval.NewConfusion(len(classes))
	group := p.net.group
	for i := group.Rank(); i < set.Len(); i += group.Size() {
		if ctx.Err() != nil {
			break
		}
		sample, err := loader.Read(ctx, set, i)
		if err != nil {
			return nil, err
		}
		if sample.Label.Empty() {
			return nil, fmt.Errorf("%s has no label", sample.ID)
		}
		err = root.NoGrad(func(s *torch.Scope) error {
			label := s.Wrap(sample.Label.Pix(), 1, sample.Label.Height(), sample.Label.Width()).ToDevice(s.Device()).To(torch.Int64)
			return confusion.Add(p.scores(s, sample.Image).Argmax(1, false), label)
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", sample.ID, err)
		}
		if progress != nil {
			progress(i+1, set.Len())
		}
	}
	stopped, err := group.Any(root, ctx.Err() != nil)
	if err != nil {
		return nil, err
	}
	if cause := context.Cause(ctx); cause != nil {
		return nil, cause
	} else if stopped {
		return nil, context.Canceled
	}
	if err := confusion.Total(root, group); err != nil {
		return nil, err
	}
	return newResult(set.Len(), set.Header(), confusion), nil
}
