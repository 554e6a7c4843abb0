package formats

import (
	"github.com/pipa-uda/pipa/formats/labels"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// Cityscapes is Cityscapes (Cordts et al., 2016), a folder for each split and city.
// A label is read from its _labelTrainIds.png, or from its _labelIds.png where the
// former is not there: ids 0 to 33, and 255 for the license plates' -1.
//
// What else its authors publish are splits, too: the 20,000 frames with coarse labels
// (train_extra), coarse labels of the others (train_coarse), the videos that the frames
// are of, whose other frames have no labels (train_sequence), and fog that is added,
// three times as dense each (train_foggy: beta 0.02, train_foggy_0.01 and so on;
// cityscapesScripts' README, and the fog's authors).
func Cityscapes() Layout {
	l := nineteen(Layout{
		Name:           "cityscapes",
		FollowLinks:    true,
		Folders:        []string{"leftImg8bit"},
		ConvertedStats: true,
		License:        "non-commercial",
		URL:            "https://www.cityscapes-dataset.com/downloads/",
		Note:           "train_extra and train_coarse have the labels of gtCoarse, train_sequence none; train_foggy is fog of beta 0.02.",
	})
	add := func(name, images, label string) {
		s := Split{Name: name, Images: images, Sample: "{2}"}
		if label != "" {
			s.Labels = []Labels{{Files: label + "_labelTrainIds.png", Encoding: trainIDs()}, {Files: label + "_labelIds.png", Encoding: cityscapesLabelIDs()}}
		}
		l.Splits = append(l.Splits, s)
	}
	splits := []string{"train", "val", "test"}
	for _, s := range splits {
		add(s, "leftImg8bit/"+s+"/*/*_leftImg8bit.png", "gtFine/"+s+"/{1}/{2}_gtFine")
	}
	for _, s := range []struct{ name, folder string }{{"train_extra", "train_extra"}, {"train_coarse", "train"}, {"val_coarse", "val"}} {
		add(s.name, "leftImg8bit/"+s.folder+"/*/*_leftImg8bit.png", "gtCoarse/"+s.folder+"/{1}/{2}_gtCoarse")
	}
	for _, s := range splits {
		add(s+"_sequence", "leftImg8bit_sequence/"+s+"/*/*_leftImg8bit.png", "")
	}
	for _, beta := range []string{"0.02", "0.01", "0.005"} {
		for _, s := range splits {
			name := s + "_foggy"
			if beta != "0.02" {
				name += "_" + beta
			}
			add(name, "leftImg8bit_foggy/"+s+"/*/*_leftImg8bit_foggy_beta_"+beta+".png", "gtFine/"+s+"/{1}/{2}_gtFine")
		}
	}
	return l
}

// cityscapesLabelIDs are labels whose ids are Cityscapes'.
func cityscapesLabelIDs() labels.Encoding {
	return labels.Encoding{Codec: labels.Bytes, IDs: idsBelow(34, cityscapesIDs())}
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
