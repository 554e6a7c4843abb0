package shards_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/pipelinetest"
	"github.com/pipa-uda/pipa/pipeline/shards"
)

// A stream is stored as a sharded dataset, whole or not at all, and read back,
// here in a keyed order.
func Example() {
	ctx := context.Background()
	tmp, err := os.MkdirTemp("", "pipa")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(tmp)
	dir := filepath.Join(tmp, "noise")
	if _, err := shards.Write(ctx, dir, pipelinetest.Samples(1, 5, 4, 4, true), shards.WriteOptions{}); err != nil {
		log.Fatal(err)
	}
	d, err := shards.Open(dir)
	if err != nil {
		log.Fatal(err)
	}
	defer d.Close()
	cursor := d.Cursor(shards.PermutationOrder, 1, 0) // seed 1, epoch 0
	cursor.Next = 2                                   // as after an interruption
	shuffled, err := d.Shuffled(ctx, cursor, 0, 1, 2)
	if err != nil {
		log.Fatal(err)
	}
	summary, err := pipeline.Summarize(shuffled)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(d.Len(), "rows,", summary.Rows, "of them left")
	// Output: 5 rows, 3 of them left
}
