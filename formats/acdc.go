package formats

// ACDC is ACDC (Sakaridis et al., 2021): fog, night, rain and snow, and for each frame
// one of the same place in good weather. Its labels are Cityscapes' train IDs
// (lhoyer/MIC seg/mmseg/datasets/acdc.py; configs of test-time adaptation name the same
// folders for each condition). A condition is a split of its own, too.
func ACDC() Layout {
	l := nineteen(Layout{
		Name:        "acdc",
		FollowLinks: true,
		Folders:     []string{"rgb_anon/*/train"},
		License:     "non-commercial",
		URL:         "https://acdc.vision.ee.ethz.ch/download",
		Note:        "train_ref and the like are the frames in good weather, train_night and the like are one condition.",
	})
	for _, split := range []string{"train", "val", "test"} {
		all := Split{Name: split, Images: "rgb_anon/*/" + split + "/*/*_rgb_anon.png", Sample: "{1}/{3}"}
		ref := Split{Name: split + "_ref", Images: "rgb_anon/*/" + split + "_ref/*/*_rgb_ref_anon.png", Sample: "{1}/{3}"}
		conditions := []Split{all, ref}
		for _, condition := range []string{"fog", "night", "rain", "snow"} {
			conditions = append(conditions, Split{Name: split + "_" + condition, Images: "rgb_anon/" + condition + "/" + split + "/*/*_rgb_anon.png", Sample: "{2}"})
		}
		if split != "test" {
			label := func(s *Split, files string) {
				s.Labels = splitOf("", "", "", trainIDs(), files+"_gt_labelTrainIds.png").Labels
			}
			label(&conditions[0], "gt/{1}/"+split+"/{2}/{3}")
			for i := range conditions[2:] {
				label(&conditions[2+i], "gt/"+[]string{"fog", "night", "rain", "snow"}[i]+"/"+split+"/{1}/{2}")
			}
		}
		l.Splits = append(l.Splits, conditions...)
	}
	return l
}
