// Command mixedcrops pastes half of each GTA5 image's classes into a Cityscapes
// image and stores crop pairs of the result: mixedcrops data/gta data/cityscapes pairs
package main

import (
	"context"
	"log"
	"os"

	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/classmix"
	"github.com/pipa-uda/pipa/crops"
	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/shards"
)

func main() {
	ctx := context.Background()
	source := squares(ctx, formats.GTA(), formats.Options{Split: "train"}, os.Args[1])
	target := squares(ctx, formats.Cityscapes(), formats.Options{Split: "train", Unlabeled: true}, os.Args[2])
	mixed := must(classmix.Streams(ctx, source, target, classmix.Options{Weight: 1}, 4))
	cut := crops.Default()
	cut.Base = 512
	pairs := must(pipeline.Run(ctx, mixed, must(crops.New(cut, 1, 0)), 4))
	log.Println(must(shards.Write(ctx, os.Args[3], pairs, shards.WriteOptions{})).Rows, "pairs")
}

// squares streams a random square of each image, of one size as mixing wants it.
func squares(ctx context.Context, l formats.Layout, o formats.Options, dir string) pipeline.Stream {
	d := must(formats.Open(l, dir, o))
	images := pipeline.Generate(ctx, d.Header(), d.Len(), 1, 4, d.Read, nil)
	return must(pipeline.Run(ctx, images, must(augment.New(augment.Options{Crop: [2]int{512, 512}}, 1, 0)), 4))
}
func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}
