package formats

import (
	"github.com/pipa-uda/pipa/formats/labels"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// KITTI360 is KITTI-360 (Liao et al., 2021), frames of the left camera. Its labels are
// Cityscapes' ids, with garages as buildings, gates as fences and small poles as poles
// (autonomousvision/kitti360Scripts kitti360scripts/helpers/labels.py; loaders of it
// name the same files). Frames without a label are left out.
func KITTI360() Layout {
	train := cityscapesIDs()
	for id, t := range map[int]raster.TrainID{34: 2, 35: 4, 37: 5} {
		train[id] = t
	}
	ids := labels.Encoding{Codec: labels.Bytes, IDs: idsBelow(46, train)}
	labeled := splitOf("train", "data_2d_raw/*/image_00/data_rect/*.png", "{1}/{2}", ids, "data_2d_semantics/train/{1}/image_00/semantic/{2}.png")
	labeled.LabeledOnly = true
	return nineteen(Layout{
		Name:        "kitti360",
		Splits:      []Split{labeled, {Name: "all", Images: labeled.Images, Sample: labeled.Sample}},
		FollowLinks: true,
		Folders:     []string{"data_2d_raw", "data_2d_semantics"},
		License:     "CC BY-NC-SA 3.0",
		URL:         "https://www.cvlibs.net/datasets/kitti-360/",
		Note:        "train has the frames with labels, all has every frame without.",
	})
}
