package formats

import (
	"github.com/pipa-uda/pipa/formats/labels"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// CARLA are frames that a user has recorded with CARLA from 0.9.14 on, in folders named
// for its cameras, a label with its frame's name. A label's red channel is the tag:
// Cityscapes' train IDs from 1 on, and more (the enum of CARLA's
// LibCarla/source/carla/rpc/ObjectLabel.h in its documentation and in code that uses
// it). Lane lines are road.
func CARLA() Layout {
	train := map[int]raster.TrainID{24: 0, 255: raster.Ignore}
	for t := range raster.CityscapesClasses() {
		train[t+1] = raster.TrainID(t)
	}
	l := carla("carla", idsBelow(30, train))
	l.Note = "Recordings of your own: rgb/ and semantic_segmentation/ with the same names below. Tags of CARLA 0.9.14 and later."
	return l
}

// CARLA0913 are those of CARLA up to 0.9.13, whose tags were others: vehicles were one
// tag, which is read as car, and riders were persons (the tables of code that names the
// version).
func CARLA0913() Layout {
	l := carla("carla-0.9.13", carlaTags())
	l.Note = "The same for CARLA up to 0.9.13: all vehicles are read as car, riders as person."
	return l
}

func carla(name string, tags map[int]raster.TrainID) Layout {
	return nineteen(Layout{
		Name:        name,
		Splits:      listedSplits(splitOf("", "rgb/**/*.png", "{1}/{2}", labels.Encoding{Codec: labels.Red, IDs: tags}, "semantic_segmentation/{1}/{2}.png")),
		FollowLinks: true,
		Folders:     []string{"rgb", "semantic_segmentation"},
		License:     "your own recordings; CARLA's assets are CC BY 4.0",
		Commercial:  true,
		URL:         "https://carla.org/",
	})
}

// carlaTags are the tags of CARLA up to 0.9.13, 0 to 22.
func carlaTags() map[int]raster.TrainID {
	return idsBelow(23, map[int]raster.TrainID{
		1: 2, 2: 4, 4: 11, 5: 5, 6: 0, 7: 0, 8: 1, 9: 8, 10: 13, 11: 3, 12: 7, 13: 10, 18: 6, 22: 9, 255: raster.Ignore,
	})
}
