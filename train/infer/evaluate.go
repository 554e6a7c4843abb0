package infer

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/loader"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/eval"
	"github.com/pipa-uda/pipa/train/feed"
	"github.com/pipa-uda/pipa/train/torch"
)

// EvalOptions say what to evaluate.
type EvalOptions struct {
	Teacher   bool            // the teacher instead of the student
	Format    string          // the target's; empty means the run's
	Layout    *formats.Layout // the target's instead of Format's, where a program brings one
	Dir       string          // the target's folder; empty, with no format, means the run's
	Split     string          // empty means the run's
	Device    torch.Device
	Inference config.Inference // how the network sees the images; the run's is Config.Eval.Inference()
	MaxPixels int              // the most that an image of a folder may declare; 0 means raster.MaxPixels
	Progress  func(done, total int)
}

// Evaluate scores a checkpoint by the Cityscapes protocol: intersections and
// unions over all images of a split, at the labels' size, 255 left out.
func Evaluate(ctx context.Context, lib *torch.Lib, t Trained, o EvalOptions) (*Result, error) {
	if err := o.Inference.Validate(); err != nil {
		return nil, err
	}
	target := t.Config.Target
	if o.Layout != nil {
		o.Format = config.Custom(o.Layout.Name)
		if o.Dir == "" {
			o.Dir = target.Dir
		}
	}
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
		set, err := OpenLabeled(target, o.Layout, t.State.Classes, o.MaxPixels)
		if err != nil {
			return err
		}
		defer set.Close()
		r, err = Predictor{Net: net, How: o.Inference}.Score(ctx, s, nil, set, o.Progress)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("evaluate %s: %w", t.Name, err)
	}
	r.Iteration = t.State.Iteration
	r.Network, _ = studentOrTeacher(o.Teacher)
	return r, nil
}

// ErrNoTarget is returned where there is nothing to evaluate on.
var ErrNoTarget = errors.New("there is no target to evaluate on")

// OpenLabeled opens what a network of these classes is scored on. layout is the
// program's; nil is that which the target names.
func OpenLabeled(target config.Data, layout *formats.Layout, classes []string, maxPixels int) (*feed.Side, error) {
	if !target.Given() {
		return nil, ErrNoTarget
	}
	if target.Dir != "" {
		if _, err := os.Stat(target.Dir); err != nil {
			return nil, fmt.Errorf("%s dataset: %w", target.Format, err)
		}
	}
	set, err := feed.OpenSide(target, layout, false, maxPixels)
	if err != nil {
		return nil, err
	}
	if err := feed.SameClasses("the network", classes, "the target", set.Header().Classes); err != nil {
		return nil, errors.Join(err, set.Close())
	}
	return set, nil
}

// Score scores on labeled images, which the ranks of group share; nil is this
// process alone. Those that the set's Bad leaves out do not count. Where ctx ends on one of them it fails on all, with
// context.Canceled on the others.
func (p Predictor) Score(ctx context.Context, root *torch.Scope, group *torch.Group, set *feed.Side, progress func(done, total int)) (*Result, error) {
	confusion, leftOut := eval.NewConfusion(len(set.Header().Classes)), 0.0
	for i := group.Rank(); i < set.Len() && ctx.Err() == nil; i += group.Size() {
		sample, err := loader.Read(ctx, set, i)
		if err != nil && ctx.Err() == nil {
			if err = set.Bad.Skip(err); err == nil {
				leftOut++
				continue
			}
		}
		if err != nil {
			return nil, err
		}
		if sample.Label.Empty() {
			return nil, fmt.Errorf("%s has no label", sample.ID)
		}
		if err := p.count(root, confusion, sample); err != nil {
			return nil, fmt.Errorf("%s: %w", sample.ID, tooLarge(sample.Image, err))
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
	out, err := group.Total(root, []float64{leftOut})
	if err != nil {
		return nil, err
	}
	return newResult(set.Len()-int(out[0]), set.Header(), confusion), nil
}

// count adds what is predicted of a sample to a confusion.
func (p Predictor) count(root *torch.Scope, confusion *eval.Confusion, sample pipeline.Sample) error {
	w := sample.Label.Width()
	return root.NoGrad(func(s *torch.Scope) error {
		return p.visit(s, sample.Image, func(s *torch.Scope, y int, scores *torch.Tensor) error {
			n := scores.Dim(2)
			label := s.Wrap(sample.Label.Pix()[y*w:(y+n)*w], 1, n, w).ToDevice(s.Device()).To(torch.Int64)
			return confusion.Add(scores.Argmax(1, false), label)
		})
	})
}
