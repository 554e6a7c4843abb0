package view_test

import (
	"context"
	"fmt"

	"github.com/pipa-uda/pipa/fixtures"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/pipeline/view"
)

// A contact sheet of two scenes.
func ExampleSheet() {
	header := pipeline.Header{
		Kind: pipeline.KindSample, Classes: raster.CityscapesClasses(), Datasets: []string{"gta"}, Labeled: true,
	}
	stream := pipeline.Stream{Header: header, Batches: func(yield func(*pipeline.Batch, error) bool) {
		rows := pipeline.NewBuilder(header)
		defer rows.Release()
		for i := range 2 {
			image, label := fixtures.Scene(fixtures.GTA, 1, i, 141, 256)
			err := rows.AppendSample(pipeline.Sample{ID: fmt.Sprint("gta/train/", i), Dataset: "gta", Split: "train", Image: image, Label: label})
			if err != nil {
				yield(nil, err)
				return
			}
		}
		yield(rows.Batch())
	}}
	sheet, err := view.Sheet(context.Background(), stream, view.Options{})
	if err != nil {
		panic(err)
	}
	fmt.Println(sheet.Bounds().Dx() > 3*256) // image, label and overlay side by side
	// Output: true
}
