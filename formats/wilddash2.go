package formats

import "github.com/pipa-uda/pipa/formats/labels"

// WildDash2 is the public part of WildDash 2 (Zendel et al., 2022), 4,256 frames. Its
// labels are Cityscapes' ids; those beyond them, such as vans and pickups, are ignored
// (tue-mps/vfm-uda-plusplus datasets/uda_multitrain_multival_datamodule.py; a converter
// with a table of the ids agrees).
func WildDash2() Layout {
	ids := labels.Encoding{Codec: labels.Bytes, IDs: idsBelow(34, cityscapesIDs()), OthersIgnored: true}
	return nineteen(Layout{
		Name:        "wilddash2",
		Splits:      listedSplits(splitOf("", "images/*.jpg", "{1}", ids, "labels/{1}.png")),
		FollowLinks: true,
		Folders:     []string{"images", "labels", "panoptic"},
		License:     "CC BY-NC 4.0",
		URL:         "https://wilddash.cc/",
		Note:        "This is wd_public_02, the old beta, not the newer package of ground truth.",
	})
}
