package train

import (
	"context"
	"fmt"

	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/feed"
	"github.com/pipa-uda/pipa/train/infer"
	"github.com/pipa-uda/pipa/train/weights"
)

// Look opens every input that the configuration names, and refuses what a training
// would refuse of them before its first step: data, pairs, weights, and the split to
// score on. What is not named is not missed.
func Look(ctx context.Context, cfg config.Config, o Options) error {
	o.name(&cfg)
	classes, err := feed.Look(ctx, cfg, feed.Options{Workers: 1, MaxPixels: o.MaxPixels, Stdin: o.Stdin, SourceLayout: o.SourceLayout, TargetLayout: o.TargetLayout})
	if err == nil && classes != nil {
		err = checkThings(cfg, classes)
	}
	if err != nil {
		return err
	}
	if cfg.Network.Weights != "" {
		if _, err := weights.Open(cfg.Network.Weights); err != nil {
			return fmt.Errorf("network.weights: %w", err)
		}
	}
	if cfg.Network.Init != "" {
		if _, err := infer.Open(cfg.Network.Init); err != nil {
			return fmt.Errorf("network.init: %w", err)
		}
	}
	if classes == nil || !cfg.Target.Given() || cfg.Target.Streamed() || cfg.Eval.Every < 0 {
		return nil
	}
	theirs, labeled, err := feed.Describe(cfg.Target, o.TargetLayout, cfg.Eval.Split)
	if err != nil {
		return &ScoreError{cfg.Eval.Split, err}
	}
	if !labeled {
		return nil
	}
	return feed.SameClasses("the source", classes, "the target", theirs)
}
