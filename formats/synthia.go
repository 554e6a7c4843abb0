package formats

import (
	"github.com/pipa-uda/pipa/formats/labels"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// SYNTHIA is SYNTHIA-RAND-CITYSCAPES (Ros et al., 2016). Its labels have ids 0 to
// 22 in the red channel of 16-bit RGB (lhoyer/DAFormer
// tools/convert_datasets/synthia.py; the dataset's own README lists the ids).
func SYNTHIA() Layout {
	ids := labels.Encoding{Codec: labels.Red16, IDs: synthiaIDs()}
	return Layout{
		Name:           "synthia",
		Splits:         listedSplits(Split{Images: "RGB/*.png", Sample: "{1}", Labels: []Labels{{Files: "GT/LABELS/{1}.png", Encoding: ids}}}),
		Classes:        raster.CityscapesClasses(),
		Colors:         raster.CityscapesColors(),
		FollowLinks:    true,
		Folders:        []string{"RGB", "GT/LABELS"},
		ConvertedStats: true,
		License:        "CC BY-NC-SA",
		URL:            "https://synthia-dataset.net/downloads/",
	}
}

// synthiaIDs are the train IDs of SYNTHIA-RAND-CITYSCAPES' ids.
func synthiaIDs() map[int]raster.TrainID {
	return idsBelow(23, map[int]raster.TrainID{
		3: 0, 4: 1, 2: 2, 21: 3, 5: 4, 7: 5, 15: 6, 9: 7, 6: 8, 16: 9, 1: 10, 10: 11, 17: 12, 8: 13, 18: 14, 19: 15, 20: 16, 12: 17, 11: 18,
	})
}

// SYNTHIAMapped is SYNTHIA with the labels that adaptation code passes around as
// synthia_mapped_to_cityscapes: gray, and despite the name of SYNTHIA's own ids
// (thuml/Transfer-Learning-Library tllib/vision/datasets/segmentation/synthia.py and
// the loaders of several papers map them).
func SYNTHIAMapped() Layout {
	l := SYNTHIA()
	l.Name, l.Folders = "synthia-mapped", []string{"RGB", "synthia_mapped_to_cityscapes"}
	l.Splits = listedSplits(splitOf("", "RGB/*.png", "{1}", labels.Encoding{Codec: labels.Bytes, IDs: synthiaIDs()}, "synthia_mapped_to_cityscapes/{1}.png"))
	l.ConvertedStats = false
	l.Note = "SYNTHIA with the labels of synthia_mapped_to_cityscapes, which have SYNTHIA's ids."
	return l
}

// SYNTHIASequences are SYNTHIA's videos, of which several may lie in the folder. Their
// ids are others than those of the random frames: 12 is a lane's marking, which is
// road, and riders, trucks, walls and more do not occur (the dataset's README; a
// converter to Cityscapes with both tables).
func SYNTHIASequences() Layout {
	ids := labels.Encoding{Codec: labels.Red16, IDs: idsBelow(16, map[int]raster.TrainID{
		1: 10, 2: 2, 3: 0, 4: 1, 5: 4, 6: 8, 7: 5, 8: 13, 9: 7, 10: 11, 11: 18, 12: 0, 15: 6,
	})}
	return nineteen(Layout{
		Name:        "synthia-seqs",
		Splits:      listedSplits(splitOf("", "*/RGB/*/*/*.png", "{1}/{2}/{3}/{4}", ids, "{1}/GT/LABELS/{2}/{3}/{4}.png")),
		FollowLinks: true,
		Folders:     []string{"*/RGB/Stereo_Left", "*/GT/LABELS"},
		License:     "CC BY-NC-SA",
		URL:         "https://synthia-dataset.net/downloads/",
		Note:        "The videos: the folder is the one that has SYNTHIA-SEQS-01-DAWN and the like.",
	})
}
