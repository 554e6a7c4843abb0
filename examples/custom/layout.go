package main

import (
	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/formats/labels"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// archiveLayout is a dataset of three splits, whose labels are train IDs as gray:
//
//	game/images/NAME.png    game/classes/NAME.png
//	street/images/NAME.png
//	kept/images/NAME.png    kept/classes/NAME.png
func archiveLayout() formats.Layout {
	ids := map[int]raster.TrainID{255: raster.Ignore}
	for t := range raster.CityscapesClasses() {
		ids[t] = raster.TrainID(t)
	}
	split := func(name, folder string, labeled bool) formats.Split {
		s := formats.Split{Name: name, Images: folder + "/images/*.png"}
		if labeled {
			s.Labels = []formats.Labels{{Files: folder + "/classes/{stem}.png", Encoding: labels.Encoding{Codec: labels.Bytes, IDs: ids}}}
		}
		return s
	}
	return formats.Layout{
		Name:    "archive",
		Classes: raster.CityscapesClasses(),
		Colors:  raster.CityscapesColors(),
		Splits:  []formats.Split{split("drawn", "game", true), split("filmed", "street", false), split("held-out", "kept", true)},
	}
}
