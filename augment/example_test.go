package augment_test

import (
	"fmt"
	"log"

	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/fixtures"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// The stage does to one sample what it does in a stream: the draws are keyed by
// seed, epoch and the sample's id.
func ExampleStage_Sample() {
	stage, err := augment.New(augment.Options{Resize: [2]int{76, 128}, Crop: [2]int{64, 64}, CatMaxRatio: 0.75, Flip: 0.5}, 1, 0)
	if err != nil {
		log.Fatal(err)
	}
	image, label := fixtures.Scene(fixtures.GTA, 1, 0, 152, 256)
	s := stage.Sample(pipeline.Sample{ID: "gta/train/00001", Image: image, Label: label})
	fmt.Println(s.Image.Height(), s.Image.Width(), s.Label.SameSize(s.Image))
	// Output: 64 64 true
}

// Only the rows that a crop of a resized image needs are to be decoded.
func ExampleBilinearRows() {
	// A crop at rows 200 to 712 of an image that is scaled from 1052 rows to 720.
	first, last := augment.BilinearRows(1052, 720, raster.Box{Y0: 200, X0: 0, Y1: 712, X1: 512})
	fmt.Println(first, last)
	// Output: 292 1041
}
