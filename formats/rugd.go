package formats

import "github.com/pipa-uda/pipa/formats/labels"

// RUGD is RUGD (Wigness et al., 2019), frames of a robot off the road. Its labels are
// the colors of RUGD_annotation-colormap.txt, black is void (copies of that table in
// two loaders). The published split is by sequences: lists in train.txt, val.txt and
// test.txt select frames.
func RUGD() Layout {
	e := encodingOf(labels.Colors, rugdClasses(), class{colors: [][3]uint8{{0, 0, 0}}})
	return withClasses(Layout{
		Name:        "rugd",
		Splits:      listedSplits(splitOf("", "RUGD_frames-with-annotations/*/*.png", "{2}", e, "RUGD_annotations/{1}/{2}.png")),
		FollowLinks: true,
		Folders:     []string{"RUGD_frames-with-annotations", "RUGD_annotations"},
		License:     "not stated; for research",
		URL:         "https://rugd.vision/",
	}, rugdClasses())
}

func rugdClasses() []class {
	return []class{
		{name: "dirt", colors: [][3]uint8{{108, 64, 20}}},
		{name: "sand", colors: [][3]uint8{{255, 229, 204}}},
		{name: "grass", colors: [][3]uint8{{0, 102, 0}}},
		{name: "tree", colors: [][3]uint8{{0, 255, 0}}},
		{name: "pole", colors: [][3]uint8{{0, 153, 153}}},
		{name: "water", colors: [][3]uint8{{0, 128, 255}}},
		{name: "sky", colors: [][3]uint8{{0, 0, 255}}},
		{name: "vehicle", colors: [][3]uint8{{255, 255, 0}}},
		{name: "container/generic-object", colors: [][3]uint8{{255, 0, 127}}},
		{name: "asphalt", colors: [][3]uint8{{64, 64, 64}}},
		{name: "gravel", colors: [][3]uint8{{255, 128, 0}}},
		{name: "building", colors: [][3]uint8{{255, 0, 0}}},
		{name: "mulch", colors: [][3]uint8{{153, 76, 0}}},
		{name: "rock-bed", colors: [][3]uint8{{102, 102, 0}}},
		{name: "log", colors: [][3]uint8{{102, 0, 0}}},
		{name: "bicycle", colors: [][3]uint8{{0, 255, 128}}},
		{name: "person", colors: [][3]uint8{{204, 153, 255}}},
		{name: "fence", colors: [][3]uint8{{102, 0, 204}}},
		{name: "bush", colors: [][3]uint8{{255, 153, 204}}},
		{name: "sign", colors: [][3]uint8{{0, 102, 102}}},
		{name: "rock", colors: [][3]uint8{{153, 204, 255}}},
		{name: "bridge", colors: [][3]uint8{{102, 255, 255}}},
		{name: "concrete", colors: [][3]uint8{{101, 101, 11}}},
		{name: "picnic-table", colors: [][3]uint8{{114, 85, 47}}},
	}
}
