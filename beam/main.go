// Command pipa-beam makes a precomputed dataset on Apache Beam: the shards of a
// plan that pipa plan has written, on whatever runner Beam has. Its bytes are
// those that pipa precompute makes on one machine.
//
//	pipa-beam --plan pairs.plan.json --out pairs
//	pipa-beam --plan pairs.plan.json --out gs://bucket/pairs --runner dataflow ...
//
// Beam's own flags choose and set up the runner; without --runner it is prism,
// in this process. README.md beside this file has the others.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/options/jobopts"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/x/beamx"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/pipeline/shards"
	"github.com/pipa-uda/pipa/pipeline/storage"
	"github.com/pipa-uda/pipa/precompute"
)

func main() {
	plan := flag.String("plan", "", "the plan that pipa plan has written: a path or a URL (file://, s3://, gs://)")
	var job Job
	flag.StringVar(&job.Out, "out", "", "the dataset's folder: a path or URL that every worker reaches")
	flag.StringVar(&job.Source, "source", "", "where the plan's source lies now, if not where the plan has it")
	flag.StringVar(&job.Mixed, "target", "", "where the plan's target lies now, if not where the plan has it")
	flag.IntVar(&job.MaxPixels, "max-pixels", raster.MaxPixels, "refuse plans that let images declare more pixels than this")
	flag.IntVar(&job.Workers, "workers", 1, "goroutines that make one shard's rows; the runner makes several shards at once")
	flag.Parse()
	beam.Init() // does not return in a worker

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *plan, job); err != nil {
		fmt.Fprintln(os.Stderr, "pipa-beam:", err)
		stop()
		os.Exit(1)
	}
}

// run claims the output, submits the pipeline and waits for it, unless Beam's
// --async says otherwise.
func run(ctx context.Context, planFile string, job Job) error {
	if planFile == "" || job.Out == "" {
		return errors.New("--plan and --out are needed; see --help")
	}
	plan, err := precompute.ReadPlan(ctx, planFile)
	if err != nil {
		return err
	}
	if err := plan.CheckPixels(job.MaxPixels); err != nil {
		return fmt.Errorf("%s: %w: pass --max-pixels %d if you trust it", planFile, err, plan.MaxPixels)
	}
	// Workers have working directories of their own.
	for _, dir := range []*string{&job.Out, &job.Source, &job.Mixed} {
		if *dir != "" && !storage.IsURL(*dir) {
			if *dir, err = filepath.Abs(*dir); err != nil {
				return err
			}
		}
	}
	if err := precompute.Claim(ctx, plan, job.Out); err != nil {
		return err
	}
	p, s := beam.NewPipelineWithRoot()
	Precompute(s, plan, job)
	if err := beamx.Run(ctx, p); ctx.Err() != nil {
		return fmt.Errorf("precompute %s: %w: a job in this process is continued by the same command, one on a cluster has to be stopped there", job.Out, context.Cause(ctx))
	} else if err != nil {
		return fmt.Errorf("precompute %s: %w", job.Out, err)
	}
	if *jobopts.Async {
		fmt.Printf("%s: submitted; it is a dataset once it has a %s\n", job.Out, shards.ManifestFile)
		return nil
	}
	folder, err := storage.Open(ctx, job.Out)
	if err != nil {
		return err
	}
	m, err := storage.Manifest(folder)
	if err != nil {
		return err
	}
	_, err = fmt.Printf("%s: %d rows of %s in %d shards, digest %s\n", job.Out, m.Rows, m.Kind.Plural(), len(m.Shards), m.Digest)
	return err
}
