package main

import (
	"context"
	"fmt"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/log"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/transforms/stats"
	"github.com/pipa-uda/pipa/pipeline/precompute"
)

func init() {
	register.DoFn2x2[context.Context, int, int, error](&shardFn{})
	register.DoFn2x2[context.Context, int, int, error](&mergeFn{})
}

// A Job says where a plan's shards go and where its inputs lie.
type Job struct {
	Out            string // a folder that all workers share: a path or URL
	Source, Target string // "" means where the plan has them
	Workers        int    // goroutines that make one shard
}

// Pipeline is the job as a Beam graph: the numbers of the shards, spread over
// the workers; each shard made and stored where it belongs; and, when the last
// is there, the merge, which commits. What passes between the steps are
// numbers: pixels go from the inputs to the shards and nowhere else. It puts
// the plan into Out first.
func (j Job) Pipeline(ctx context.Context, p *precompute.Plan) (*beam.Pipeline, error) {
	if j.Out == "" {
		return nil, fmt.Errorf("a job needs a folder for the dataset: --out")
	}
	if err := precompute.Claim(ctx, p, j.Out); err != nil {
		return nil, err
	}
	graph, s := beam.NewPipelineWithRoot()
	shards := make([]int, p.Shards)
	for i := range shards {
		shards[i] = i
	}
	spread := beam.Reshuffle(s.Scope("shards"), beam.CreateList(s, shards))
	rows := beam.ParDo(s.Scope("make"), &shardFn{j}, spread)
	total := stats.Sum(s.Scope("count"), rows) // a barrier: all shards are made
	beam.ParDo(s.Scope("merge"), &mergeFn{j.Out}, total)
	return graph, nil
}

// shardFn makes one shard and returns its rows. A bundle that a runner tries
// again, here or on another worker, finds the shard finished or makes the same
// bytes anew: files take their names whole.
type shardFn struct{ Job Job }

// ProcessElement implements a DoFn.
func (f *shardFn) ProcessElement(ctx context.Context, shard int) (int, error) {
	p, err := precompute.OpenPlan(ctx, f.Job.Out)
	if err != nil {
		return 0, err
	}
	err = precompute.Run(ctx, p, f.Job.Out, precompute.RunOptions{Index: shard, Of: p.Shards, Workers: f.Job.Workers, Source: f.Job.Source, Mixed: f.Job.Target})
	if err != nil {
		return 0, err
	}
	return p.RowsOf(shard, p.Shards), nil
}

// mergeFn checks all shards and writes the manifest.
type mergeFn struct{ Out string }

// ProcessElement implements a DoFn.
func (f *mergeFn) ProcessElement(ctx context.Context, rows int) (int, error) {
	p, err := precompute.OpenPlan(ctx, f.Out)
	if err != nil {
		return 0, err
	}
	m, err := precompute.Merge(ctx, p, f.Out, nil)
	if err != nil {
		return 0, err
	}
	if m.Rows != rows {
		return 0, fmt.Errorf("the shards were reported with %d rows, the dataset has %d", rows, m.Rows)
	}
	log.Infof(ctx, "%s: %d rows of %s in %d shards, digest %s", f.Out, m.Rows, m.Kind.Plural(), len(m.Shards), m.Digest)
	return m.Rows, nil
}
