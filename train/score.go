package train

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/faults"
	"github.com/pipa-uda/pipa/train/infer"
	"github.com/pipa-uda/pipa/train/logs"
)

// score evaluates the student on the target's split and logs the result. A run
// without a target with labels, or that is not to be scored, has none: it returns
// nil. The time it takes does not count
// in the metrics.
func (t *trainer) score(ctx context.Context, log *logs.Logs) (*infer.Result, error) {
	if !t.scored {
		return nil, nil
	}
	begun := time.Now()
	r, err := t.evaluate(ctx, t.scoredOn())
	if ctx.Err() != nil || errors.Is(err, context.Canceled) {
		return nil, errors.Join(ErrInterrupted, t.save())
	}
	if err != nil {
		return nil, fmt.Errorf("evaluate: %w", faults.Explain(err, t.options.Out))
	}
	t.window.Pass(begun)
	r.Iteration, r.Network = t.iteration, "student"
	if log == nil {
		return r, nil
	}
	t.options.Log.Info("evaluated", "iteration", t.iteration, "of", t.cfg.Iterations, "mIoU", float64(r.MIoU))
	return r, log.Score(r)
}

// evaluate scores the student on a dataset, together with the other ranks.
func (t *trainer) evaluate(ctx context.Context, target config.Data) (*infer.Result, error) {
	set, err := infer.OpenLabeled(target, t.options.TargetLayout, t.names, t.options.MaxPixels)
	if err != nil {
		return nil, err
	}
	defer set.Close()
	set.Bad = t.bad
	return infer.Predictor{Net: t.method.Student, How: t.cfg.Eval.Inference()}.Score(ctx, t.root, t.group, set, nil)
}
