package loader

import (
	"bytes"
	"testing"

	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// TestRareClassCropsHaveTheirClass: every crop shows more of the drawn class
// than asked for, wherever one of the attempts can.
func TestRareClassCropsHaveTheirClass(t *testing.T) {
	label := raster.New(40, 200, 1)
	for i := range label.Pix() {
		if i%200 >= 180 {
			label.Pix()[i] = 7 // only at the right edge
		}
	}
	s := pipeline.Sample{ID: "gta/train/1", Image: raster.New(40, 200, 3), Label: label}
	enough := 0
	for k := range uint64(200) {
		crop, err := cropWithClass(s, augment.Options{Crop: [2]int{40, 40}, Flip: 0.5}, 3, k, 7, 100)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Count(crop.Label.Pix(), []byte{7}) > 100 {
			enough++
		}
	}
	// One attempt in nine shows enough, so that eleven find it in 72 of 100.
	if enough < 120 {
		t.Errorf("%d of 200 crops show the class", enough)
	}
}

func TestMarginMask(t *testing.T) {
	// Margins of a frame scaled down by 2: twice as many pixels of the image.
	mask := marginMask(100, 200, [2]int{50, 100}, [4]int{5, 10, 2, 3})
	for _, c := range []struct {
		y, x int
		in   bool
	}{{9, 50, true}, {10, 50, false}, {79, 50, false}, {80, 50, true}, {50, 3, true}, {50, 4, false}, {50, 193, false}, {50, 194, true}} {
		if got := raster.TrainID(mask.Pix()[c.y*200+c.x]) == raster.Ignore; got != c.in {
			t.Errorf("pixel %d,%d in the margin: %v", c.y, c.x, got)
		}
	}
}
