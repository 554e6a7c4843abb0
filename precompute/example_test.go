package precompute_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/pipa-uda/pipa/crops"
	"github.com/pipa-uda/pipa/fixtures"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/precompute"
)

// A plan is made once; any number of processes do their share of its shards;
// merging checks them all and writes the manifest.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "pipa")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := fixtures.Write(ctx, dir, fixtures.Options{Width: 64, Train: 4, Val: 1, Domains: []fixtures.Domain{fixtures.Cityscapes}}); err != nil {
		log.Fatal(err)
	}
	cut := crops.Default()
	cut.Size, cut.Base = 32, 64
	plan, err := precompute.New(ctx, precompute.Job{Kind: pipeline.KindPair, Seed: 1, Epochs: 2, Pairs: &cut}, precompute.Options{
		Source: precompute.InputOptions{Format: "cityscapes", Dir: filepath.Join(dir, "cityscapes"), Split: "train", Unlabeled: true},
		Shards: 3,
	})
	if err != nil {
		log.Fatal(err)
	}
	out := filepath.Join(dir, "pairs")
	for worker := range 2 { // on as many machines
		if err := precompute.Run(ctx, plan, out, precompute.RunOptions{Index: worker, Of: 2}); err != nil {
			log.Fatal(err)
		}
	}
	m, err := precompute.Merge(ctx, plan, out, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Rows, "pairs in", len(m.Shards), "shards")
	// Output: 8 pairs in 3 shards
}
