package formats

import "github.com/pipa-uda/pipa/formats/labels"

// Synscapes is Synscapes (Wrenninge and Unger, 2018), 25,000 synthetic frames of
// 1440 by 720 pixels. Its labels are Cityscapes' ids (tue-mps/vfm-uda-plusplus
// datasets/uda_multitrain_multival_datamodule.py; the authors' page). Labels come in
// that size alone: the frames of img/rgb-2k have none.
func Synscapes() Layout {
	ids := labels.Encoding{Codec: labels.Bytes, IDs: idsBelow(35, cityscapesIDs())}
	return nineteen(Layout{
		Name:        "synscapes",
		Splits:      listedSplits(splitOf("", "img/rgb/*.png", "{1}", ids, "img/class/{1}.png")),
		FollowLinks: true,
		Folders:     []string{"img/rgb", "img/class"},
		License:     "research and education, non-commercial",
		URL:         "https://synscapes.on.liu.se/download.html",
		Note:        "The frames of img/rgb-2k have another size than the labels, and are not read.",
	})
}
