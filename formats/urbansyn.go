package formats

import (
	"github.com/pipa-uda/pipa/formats/labels"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// UrbanSyn is UrbanSyn (Gómez et al., 2023), 7,539 synthetic frames. Its labels are
// Cityscapes' train IDs, and 19 for what has none, in the first channel of what may
// have several (the dataset's card; tue-mps/vfm-uda-plusplus
// datasets/utils/mappings.py and datasets/loader/zip_dataset.py).
func UrbanSyn() Layout {
	ids := trainIDs()
	ids.Codec, ids.IDs[19] = labels.Red, raster.Ignore
	return nineteen(Layout{
		Name:        "urbansyn",
		Splits:      listedSplits(splitOf("", "rgb/rgb_*.png", "{1}", ids, "ss/ss_{1}.png")),
		FollowLinks: true,
		Folders:     []string{"rgb", "ss"},
		License:     "CC BY-SA 4.0",
		Commercial:  true,
		URL:         "https://huggingface.co/datasets/UrbanSyn/UrbanSyn",
	})
}
