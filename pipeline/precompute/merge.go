package precompute

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pipa-uda/pipa/pipeline"
)

// Merge checks every shard of a plan in dir, row by row, and writes the
// manifest: the commit that makes the folder a dataset. progress is called with
// the rows checked so far; nil is silent. Merging again changes nothing.
func Merge(ctx context.Context, p *Plan, dir string, progress func(rows int)) (pipeline.Manifest, error) {
	fail := func(err error) (pipeline.Manifest, error) {
		return pipeline.Manifest{}, fmt.Errorf("merge %s: %w", dir, err)
	}
	there, err := ReadPlan(filepath.Join(dir, PlanFile))
	if missing(err) {
		return fail(fmt.Errorf("it has no %s: no shard of this plan has been made here", PlanFile))
	}
	if err != nil {
		return fail(err)
	}
	if there.Digest != p.Digest {
		return fail(fmt.Errorf("it holds the shards of another plan, %s, this one is %s", there.Digest, p.Digest))
	}
	unlock, err := pipeline.Lock(dir, ".lock-merge")
	if err != nil {
		return fail(err)
	}
	defer unlock()
	var shards []pipeline.Shard
	var bad []error
	for s := range p.Shards {
		shard, err := p.finished(dir, s)
		if err != nil {
			bad = append(bad, fmt.Errorf("shard %d: %w", s, err))
		}
		shards = append(shards, shard)
	}
	if len(bad) > 0 {
		return fail(fmt.Errorf("%d of %d shards are not finished; run them again (pipa precompute --plan): %w", len(bad), p.Shards, errors.Join(bad[:min(len(bad), 5)]...)))
	}
	rows := 0
	for s, shard := range shards {
		if err := pipeline.VerifyShard(ctx, dir, shard); err != nil {
			bad = append(bad, err)
			// Its sidecar goes, so that the next run makes the shard again.
			bad = append(bad, os.Remove(filepath.Join(dir, sidecarFile(s))))
		}
		if ctx.Err() != nil {
			return fail(context.Cause(ctx))
		}
		if rows += shard.Rows; progress != nil {
			progress(rows)
		}
	}
	if err := errors.Join(bad...); err != nil {
		return fail(fmt.Errorf("damaged shards; run them again (pipa precompute --plan): %w", err))
	}
	manifest, err := pipeline.WriteManifest(dir, p.Kind, shards)
	if err != nil {
		return fail(err)
	}
	return manifest, tidy(dir)
}

// tidy removes what killed processes left: files aside and locks.
func tidy(dir string) error {
	for _, pattern := range []string{".tmp-*", ".lock-*"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return err
		}
		for _, f := range files {
			if err := os.Remove(f); err != nil && !missing(err) {
				return err
			}
		}
	}
	return nil
}
