package formats

import "github.com/pipa-uda/pipa/formats/labels"

// Potsdam is the ISPRS' Potsdam, land from above, cut into PNG tiles by
// mmsegmentation's converter: 1 to 6 for the classes, 0 for borders
// (open-mmlab/mmsegmentation tools/dataset_converters/potsdam.py,
// mmseg/datasets/potsdam.py). The published TIFF files are not read.
func Potsdam() Layout { return isprs("potsdam") }

// Vaihingen is the ISPRS' Vaihingen, the same by tools/dataset_converters/vaihingen.py.
func Vaihingen() Layout { return isprs("vaihingen") }

func isprs(name string) Layout {
	classes := []class{
		{name: "impervious surface", ids: []int{1}, colors: [][3]uint8{{255, 255, 255}}},
		{name: "building", ids: []int{2}, colors: [][3]uint8{{0, 0, 255}}},
		{name: "low vegetation", ids: []int{3}, colors: [][3]uint8{{0, 255, 255}}},
		{name: "tree", ids: []int{4}, colors: [][3]uint8{{0, 255, 0}}},
		{name: "car", ids: []int{5}, colors: [][3]uint8{{255, 255, 0}}},
		{name: "clutter", ids: []int{6}, colors: [][3]uint8{{255, 0, 0}}},
	}
	e := encodingOf(labels.Bytes, classes, class{ids: []int{0}})
	l := withClasses(Layout{
		Name:        name,
		FollowLinks: true,
		Folders:     []string{"img_dir", "ann_dir"},
		License:     "research, non-commercial",
		URL:         "https://www.isprs.org/education/benchmarks/UrbanSemLab/default.aspx",
		Note:        "Land from above: the tiles that mmsegmentation's converter cuts.",
	}, classes)
	for _, split := range []string{"train", "val"} {
		l.Splits = append(l.Splits, splitOf(split, "img_dir/"+split+"/*.png", "{1}", e, "ann_dir/"+split+"/{1}.png"))
	}
	return l
}
