package formats

import (
	"github.com/pipa-uda/pipa/formats/labels"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// Cityscapes is Cityscapes (Cordts et al., 2016), a folder for each split and city.
// A label is read from its _labelTrainIds.png, or from its _labelIds.png where the
// former is not there: ids 0 to 33, and 255 for the license plates' -1.
func Cityscapes() Layout {
	trainIDs := map[int]raster.TrainID{255: raster.Ignore}
	for t := range cityscapesID {
		trainIDs[t] = raster.TrainID(t)
	}
	l := Layout{
		Name:           "cityscapes",
		Classes:        raster.CityscapesClasses(),
		Colors:         raster.CityscapesColors(),
		FollowLinks:    true,
		Folders:        []string{"leftImg8bit"},
		ConvertedStats: true,
		License:        "non-commercial",
		URL:            "https://www.cityscapes-dataset.com/downloads/",
	}
	for _, split := range []string{"train", "val", "test"} {
		label := "gtFine/" + split + "/{1}/{2}_gtFine_"
		l.Splits = append(l.Splits, Split{
			Name: split, Images: "leftImg8bit/" + split + "/*/*_leftImg8bit.png", Sample: "{2}",
			Labels: []Labels{
				{Files: label + "labelTrainIds.png", Encoding: labels.Encoding{Codec: labels.Bytes, IDs: trainIDs}},
				{Files: label + "labelIds.png", Encoding: labels.Encoding{Codec: labels.Bytes, IDs: idsBelow(34, cityscapesIDs())}},
			},
		})
	}
	return l
}

// cityscapesID are the ids of the 19 train IDs (cityscapesScripts,
// cityscapesscripts/helpers/labels.py).
var cityscapesID = [19]uint8{7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33}

// CityscapesID is the Cityscapes id of a train ID, as the benchmark's server
// wants it; 0 (unlabeled) for 255.
func CityscapesID(t raster.TrainID) uint8 {
	if int(t) < len(cityscapesID) {
		return cityscapesID[t]
	}
	return 0
}

// cityscapesIDs are the train IDs of Cityscapes' ids, and of 255.
func cityscapesIDs() map[int]raster.TrainID {
	train := map[int]raster.TrainID{255: raster.Ignore}
	for t, id := range cityscapesID {
		train[int(id)] = raster.TrainID(t)
	}
	return train
}

// idsBelow ignores the ids below n that are not a class's.
func idsBelow(n int, train map[int]raster.TrainID) map[int]raster.TrainID {
	for id := range n {
		if _, ok := train[id]; !ok {
			train[id] = raster.Ignore
		}
	}
	return train
}
