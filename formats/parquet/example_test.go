package parquet_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/pipa-uda/pipa/fixtures"
	"github.com/pipa-uda/pipa/formats/parquet"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// A stream becomes a folder that DuckDB, Spark and Hugging Face datasets read.
func ExampleWrite() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "pipa")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	h := pipeline.Header{Kind: pipeline.KindSample, Classes: raster.CityscapesClasses(), Datasets: []string{"gta"}, Labeled: true}
	scenes := pipeline.Generate(ctx, h, 3, 1, 1, func(_ context.Context, i int) (s pipeline.Sample, err error) {
		s = pipeline.Sample{ID: fmt.Sprintf("gta/train/%05d", i), Dataset: "gta", Split: "train"}
		s.Image, s.Label = fixtures.Scene(fixtures.GTA, 1, i, 32, 64)
		return s, nil
	}, nil)
	m, err := parquet.Write(ctx, filepath.Join(dir, "table"), scenes, parquet.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Rows, m.Files[0].File, m.Pixels[0].Name)
	// Output: 3 part-00000.parquet road
}
