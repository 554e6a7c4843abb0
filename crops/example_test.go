package crops_test

import (
	"fmt"
	"log"

	"github.com/pipa-uda/pipa/crops"
	"github.com/pipa-uda/pipa/fixtures"
	"github.com/pipa-uda/pipa/pipeline"
)

// The overlap is the same part of the scene in both crops, each as it is stored
// after its own flip.
func ExampleStage_Pair() {
	o := crops.Default()
	o.Size, o.Base = 64, 128
	stage, err := crops.New(o, 1, 0)
	if err != nil {
		log.Fatal(err)
	}
	image, _ := fixtures.Scene(fixtures.Cityscapes, 1, 0, 128, 256)
	p := stage.Pair(pipeline.Sample{ID: "cityscapes/train/aachen_000000", Image: image})
	a, b := p.A.Overlap, p.B.Overlap
	fmt.Println(p.A.Image.Height(), p.A.Image.Width())
	fmt.Println(a.Y1-a.Y0 == b.Y1-b.Y0, a.X1-a.X0 == b.X1-b.X0, a.Y1 > a.Y0 && a.X1 > a.X0)
	// Output:
	// 64 64
	// true true true
}
