package classmix_test

import (
	"fmt"
	"log"

	"github.com/pipa-uda/pipa/classmix"
	"github.com/pipa-uda/pipa/fixtures"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// Half of the source's classes, rounded up, are pasted into the target; where
// they are not, the label is that of the target, or 255 if it has none.
func ExampleMix() {
	var source, target pipeline.Sample
	source.ID, target.ID = "gta/train/00001", "cityscapes/train/aachen_000000"
	source.Image, source.Label = fixtures.Scene(fixtures.GTA, 1, 0, 64, 128)
	target.Image, _ = fixtures.Scene(fixtures.Cityscapes, 1, 0, 64, 128)
	m, err := classmix.Mix(source, target, 1, classmix.Options{Weight: 1})
	if err != nil {
		log.Fatal(err)
	}
	pasted, ignored := 0, 0
	for i, from := range m.Mask.Pix() {
		pasted += int(from)
		if raster.TrainID(m.Label.Pix()[i]) == raster.Ignore {
			ignored++
		}
	}
	fmt.Println(len(m.Classes) > 0, pasted > 0, pasted+ignored >= 64*128)
	// Output: true true true
}
