package feed

import (
	"context"
	"errors"
	"fmt"

	"github.com/pipa-uda/pipa/train/config"
)

// Look opens the inputs that the configuration names, and closes them: what Open
// would refuse is refused, and what is not named is not missed. It returns the
// source's classes, nil where none is named.
func Look(ctx context.Context, cfg config.Config, o Options) (classes []string, err error) {
	var closers []func() error
	defer func() {
		for _, c := range closers {
			err = errors.Join(err, c())
		}
	}()
	cfg.RareClasses.Temperature = 0 // whose statistics a training counts
	if cfg.Source.Given() {
		f, err := sourceFeed(ctx, cfg, o, &closers)
		if err != nil {
			return nil, err
		}
		if classes = f.Header().Classes; !f.Header().Labeled {
			return nil, fmt.Errorf("source: the samples are not all labeled")
		}
	}
	if cfg.Adapt.Enabled && cfg.Target.Given() {
		if _, err := targetFeed(ctx, cfg, o, &closers); err != nil {
			return nil, err
		}
	}
	if cfg.Patch.Weight > 0 && cfg.Patch.Pairs != "" {
		if _, err := pairFeed(cfg, o, &closers); err != nil {
			return nil, err
		}
	}
	return classes, nil
}
