package formats

import (
	"github.com/pipa-uda/pipa/formats/labels"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// GTA is GTA5 (Richter et al., Playing for Data, 2016). Its labels are palette
// indices: Cityscapes' ids, 0 to 34 (lhoyer/DAFormer tools/convert_datasets/gta.py).
// The split that its authors publish is split.mat beside the frames' folders, by
// numbers of frames (loaders of semantic segmentation read it). Adaptation trains on
// all frames, and so that is not what train is.
func GTA() Layout {
	ids := labels.Encoding{Codec: labels.Bytes, IDs: idsBelow(35, cityscapesIDs())}
	all := splitOf("", "images/*.png", "{1}", ids, "labels/{1}.png")
	splits := listedSplits(all)
	for _, name := range []string{"train", "val", "test"} {
		all.Name, all.Lists = name+"_official", []string{"split.mat#" + name + "Ids"}
		splits = append(splits, all)
	}
	return Layout{
		Name:           "gta",
		Splits:         splits,
		Classes:        raster.CityscapesClasses(),
		Colors:         raster.CityscapesColors(),
		FollowLinks:    true,
		Folders:        []string{"images", "labels"},
		ConvertedStats: true,
		License:        "research and education, non-commercial",
		URL:            "https://download.visinf.tu-darmstadt.de/data/from_games/",
		Note:           "train is all frames, as adaptation uses them; train_official and the like are those of the authors' split.mat.",
	}
}

// listedSplits are train, val and test of a dataset whose frames all lie in one
// folder: a file splits/SPLIT.txt or SPLIT.txt with one name a line selects, and
// without one everything is train.
func listedSplits(all Split) []Split {
	var splits []Split
	for _, name := range []string{"train", "val", "test"} {
		s := all
		s.Name, s.Lists, s.Unlisted = name, []string{"splits/" + name + ".txt", name + ".txt"}, name == "train"
		splits = append(splits, s)
	}
	return splits
}
