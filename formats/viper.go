package formats

import (
	"github.com/pipa-uda/pipa/formats/labels"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// VIPER is VIPER (Richter et al., Playing for Benchmarks, 2017). Its labels are colors,
// of every tenth frame, which alone are read (SimarKareer/UnifiedVideoDA
// tools/convert_datasets/viper.py; the dataset's table of classes in loaders of it).
// Vans and trains share a color, and are ignored.
func VIPER() Layout {
	colors := map[[3]uint8]raster.TrainID{}
	for _, c := range viperClasses {
		colors[c.color] = c.train
	}
	l := nineteen(Layout{
		Name:        "viper",
		FollowLinks: true,
		Folders:     []string{"train/img", "train/cls"},
		License:     "research and education, non-commercial",
		URL:         "https://playing-for-benchmarks.org/download/",
		Note:        "Classes wall, pole, rider and train do not occur; vans and trains share a color, and are ignored.",
	})
	for _, split := range []string{"train", "val"} {
		l.Splits = append(l.Splits, splitOf(split, split+"/img/*/*_*0.jpg", "{2}_{3}0", labels.Encoding{Codec: labels.Colors, Colors: colors}, split+"/cls/{1}/{2}_{3}0.png"))
	}
	l.Splits = append(l.Splits, Split{Name: "test", Images: "test/img/*/*_*0.jpg", Sample: "{2}_{3}0"})
	return l
}

// viperClasses are VIPER's colors by its class ids, 0 to 31.
var viperClasses = []struct {
	color [3]uint8
	train raster.TrainID
}{
	{[3]uint8{0, 0, 0}, raster.Ignore},       // unlabeled
	{[3]uint8{111, 74, 0}, raster.Ignore},    // ambiguous
	{[3]uint8{70, 130, 180}, 10},             // sky
	{[3]uint8{128, 64, 128}, 0},              // road
	{[3]uint8{244, 35, 232}, 1},              // sidewalk
	{[3]uint8{230, 150, 140}, raster.Ignore}, // rail track
	{[3]uint8{152, 251, 152}, 9},             // terrain
	{[3]uint8{87, 182, 35}, 8},               // tree
	{[3]uint8{35, 142, 35}, 8},               // vegetation
	{[3]uint8{70, 70, 70}, 2},                // building
	{[3]uint8{153, 153, 153}, raster.Ignore}, // infrastructure
	{[3]uint8{190, 153, 153}, 4},             // fence
	{[3]uint8{150, 20, 20}, raster.Ignore},   // billboard
	{[3]uint8{250, 170, 30}, 6},              // traffic light
	{[3]uint8{220, 220, 0}, 7},               // traffic sign
	{[3]uint8{180, 180, 100}, raster.Ignore}, // mobile barrier
	{[3]uint8{173, 153, 153}, raster.Ignore}, // fire hydrant
	{[3]uint8{168, 153, 153}, raster.Ignore}, // chair
	{[3]uint8{81, 0, 21}, raster.Ignore},     // trash
	{[3]uint8{81, 0, 81}, raster.Ignore},     // trash can
	{[3]uint8{220, 20, 60}, 11},              // person
	{[3]uint8{255, 0, 0}, raster.Ignore},     // animal
	{[3]uint8{119, 11, 32}, 18},              // bicycle
	{[3]uint8{0, 0, 230}, 17},                // motorcycle
	{[3]uint8{0, 0, 142}, 13},                // car
	{[3]uint8{0, 80, 100}, raster.Ignore},    // van, and train
	{[3]uint8{0, 60, 100}, 15},               // bus
	{[3]uint8{0, 0, 70}, 14},                 // truck
	{[3]uint8{0, 0, 90}, raster.Ignore},      // trailer
	{[3]uint8{0, 100, 100}, raster.Ignore},   // plane
	{[3]uint8{50, 0, 90}, raster.Ignore},     // boat
}
