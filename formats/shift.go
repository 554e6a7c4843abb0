package formats

import "github.com/pipa-uda/pipa/formats/labels"

// SHIFT is SHIFT (Sun et al., 2022), the front camera of its discrete part, with each
// of its img.zip and semseg.zip unpacked into img/ and semseg/ beside it. The labels'
// first channel has the tags of CARLA before 0.9.14 (SysCV/shift-dev
// shift_dev/dataloader/shift_dataset.py; converters to Cityscapes' names).
func SHIFT() Layout {
	tags := labels.Encoding{Codec: labels.Red, IDs: carlaTags()}
	l := nineteen(Layout{
		Name:        "shift",
		FollowLinks: true,
		Folders:     []string{"discrete/images"},
		License:     "CC BY-NC-SA 4.0",
		URL:         "https://www.vis.xyz/shift/",
		Note:        "Unpack img.zip and semseg.zip into img/ and semseg/ beside them. All vehicles are read as car, riders as person.",
	})
	for _, split := range []string{"train", "val"} {
		front := "discrete/images/" + split + "/front/"
		l.Splits = append(l.Splits, splitOf(split, front+"img/*/*_img_front.jpg", "{1}/{2}", tags, front+"semseg/{1}/{2}_semseg_front.png"))
	}
	l.Splits = append(l.Splits, Split{Name: "test", Images: "discrete/images/test/front/img/*/*_img_front.jpg", Sample: "{1}/{2}"})
	return l
}
