package formats

import (
	"github.com/pipa-uda/pipa/formats/labels"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// SYNTHIA is SYNTHIA-RAND-CITYSCAPES (Ros et al., 2016). Its labels have ids 0 to
// 22 in the red channel of 16-bit RGB (lhoyer/DAFormer
// tools/convert_datasets/synthia.py; the dataset's own README lists the ids).
func SYNTHIA() Layout {
	ids := labels.Encoding{Codec: labels.Red16, IDs: idsBelow(23, map[int]raster.TrainID{
		3: 0, 4: 1, 2: 2, 21: 3, 5: 4, 7: 5, 15: 6, 9: 7, 6: 8, 16: 9, 1: 10, 10: 11, 17: 12, 8: 13, 18: 14, 19: 15, 20: 16, 12: 17, 11: 18,
	})}
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
