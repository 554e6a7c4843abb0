package main

import (
	"context"
	"fmt"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/log"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/transforms/stats"
	"github.com/pipa-uda/pipa/pipeline/shards"
	"github.com/pipa-uda/pipa/precompute"
)

// A Job is where a plan's dataset is made. It travels to the workers with the
// pipeline; the plan itself, which lists every input file, lies in Out.
type Job struct {
	Out           string // path or URL, claimed for the plan
	Source, Mixed string // where the inputs lie, if not where the plan has them
	Workers       int    // goroutines of one shard
	MaxPixels     int    // the most that the plan may let an image declare; 0 means raster.MaxPixels
}

// Precompute adds to s the making of a plan's shards in job.Out, which
// precompute.Claim has claimed for it, and the commit, once all are made. Only
// shard numbers are shuffled, and sidecars return: pixels go from the input's
// files to the shard's.
func Precompute(s beam.Scope, plan *precompute.Plan, job Job) {
	s = s.Scope("pipa.Precompute")
	numbers := make([]int, plan.Shards)
	for i := range numbers {
		numbers[i] = i
	}
	// Without the reshuffle the numbers would stay with the worker that lists
	// them.
	spread := beam.Reshuffle(s, beam.CreateList(s, numbers))
	made := beam.ParDo(s, &makeShard{Job: job, Plan: plan.Digest}, spread)
	// The sum is there when the last shard is.
	rows := stats.Sum(s, beam.ParDo(s, rowsOf, made))
	beam.ParDo0(s, &commit{Out: job.Out, Plan: plan.Digest}, rows)
}

func init() {
	register.DoFn2x2[context.Context, int, shards.Shard, error](&makeShard{})
	register.DoFn2x1[context.Context, int, error](&commit{})
	register.Function1x1(rowsOf)
}

// makeShard turns a shard's number into its sidecar, by way of the shard's
// file. A runner may call it again for a number, after a failure or beside a
// call that it believes lost: what is finished is passed over.
type makeShard struct {
	Job  Job
	Plan string // the digest of the plan in Job.Out

	maker *precompute.Maker
}

// Setup opens plan and inputs, for all shards that this instance will make.
func (f *makeShard) Setup(ctx context.Context) error {
	// The context is that of the first bundle, the maker outlives it.
	ctx = context.WithoutCancel(ctx)
	plan, err := claimed(ctx, f.Job.Out, f.Plan)
	if err != nil {
		return err
	}
	f.maker, err = precompute.NewMaker(ctx, plan, f.Job.Out, precompute.MakerOptions{
		Workers: f.Job.Workers, Source: f.Job.Source, Mixed: f.Job.Mixed,
	})
	return err
}

func (f *makeShard) ProcessElement(ctx context.Context, number int) (shards.Shard, error) {
	shard, err := f.maker.Make(ctx, number)
	if err == nil {
		rowsDone.Inc(ctx, int64(shard.Rows))
	}
	return shard, err
}

// rowsDone is the progress that a runner's pages and metrics show.
var rowsDone = beam.NewCounter("pipa", "rows")

func rowsOf(shard shards.Shard) int { return shard.Rows }

// commit checks all shards and writes the manifest.
type commit struct {
	Out, Plan string
}

func (f *commit) ProcessElement(ctx context.Context, rows int) error {
	plan, err := claimed(ctx, f.Out, f.Plan)
	if err != nil {
		return err
	}
	log.Infof(ctx, "%s: all %d shards, %d rows, are made; checking them", f.Out, plan.Shards, rows)
	m, err := precompute.Merge(ctx, plan, f.Out, nil)
	if err == nil {
		log.Infof(ctx, "%s: committed, digest %s", f.Out, m.Digest)
	}
	return err
}

// claimed is the plan in out, which has to be the one that the job was
// submitted with.
func claimed(ctx context.Context, out, digest string) (*precompute.Plan, error) {
	plan, err := precompute.OpenPlan(ctx, out)
	if err != nil {
		return nil, fmt.Errorf("%w; the worker must reach the same --out as the submitting process", err)
	}
	if plan.Digest != digest {
		return nil, fmt.Errorf("%s holds plan %s, the job was submitted with %s", out, plan.Digest, digest)
	}
	return plan, nil
}
