// Command beam makes the shards of a precompute plan on Apache Beam, and
// commits the dataset once all are there. The bytes are those of pipa
// precompute.
//
//	beam --plan pairs.plan.json --out pairs [--runner prism] [flags of the runner]
package main

import (
	"context"
	"flag"
	"log"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/x/beamx"
	"github.com/pipa-uda/pipa/pipeline/precompute"
)

func main() {
	plan := flag.String("plan", "", "the plan, which pipa plan has written")
	var job Job
	flag.StringVar(&job.Out, "out", "", "the dataset's folder, a path that all workers share or an s3:// or gs:// URL")
	flag.StringVar(&job.Source, "source", "", "where the plan's source lies for the workers, if not where the plan has it")
	flag.StringVar(&job.Target, "target", "", "where the plan's target lies for the workers, if not where the plan has it")
	flag.IntVar(&job.Workers, "shard_workers", 1, "goroutines that make one shard; never changes a byte")
	flag.Parse()
	beam.Init() // a worker process goes on from here as the runner tells it
	if err := run(context.Background(), *plan, job); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, plan string, job Job) error {
	p, err := precompute.ReadPlan(plan)
	if err != nil {
		return err
	}
	graph, err := job.Pipeline(ctx, p)
	if err != nil {
		return err
	}
	return beamx.Run(ctx, graph)
}
