package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/infer"
)

// score evaluates the student on the target's split and logs the result. A run
// without a target with labels, or that is not to be scored, has none: it returns
// nil. The time it takes does not count
// in the metrics.
func (t *trainer) score(ctx context.Context, log *logs) (*infer.Result, error) {
	if !t.scored {
		return nil, nil
	}
	begun := time.Now()
	r, err := t.evaluate(ctx, t.scoredOn())
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
	t.options.Log.Info("evaluated", "iteration", t.iteration, "of", t.cfg.Iterations, "mIoU", float64(r.MIoU))
	return r, log.score(r)
}

// evaluate scores the student on a dataset, together with the other ranks.
func (t *trainer) evaluate(ctx context.Context, target config.Data) (*infer.Result, error) {
	set, err := infer.OpenLabeled(target, t.options.TargetLayout, t.names, t.options.MaxPixels)
	if err != nil {
		return nil, err
	}
	defer set.Close()
	return infer.Predictor{Net: t.method.Student, How: t.cfg.Eval.Inference()}.Score(ctx, t.root, t.group, set, nil)
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
