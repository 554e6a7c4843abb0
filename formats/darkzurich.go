package formats

// DarkZurich is Dark Zurich (Sakaridis et al., 2019). Its training frames have no
// labels, those of val have Cityscapes' train IDs (lhoyer/MIC seg/configs; the folders
// as evaluators of it name them). Test labels are the server's.
func DarkZurich() Layout {
	l := nineteen(Layout{
		Name:        "darkzurich",
		FollowLinks: true,
		Folders:     []string{"rgb_anon/*/night"},
		License:     "non-commercial",
		URL:         "https://www.trace.ethz.ch/publications/2019/GCMA_UIoU/",
		Note:        "train is night without labels; train_twilight and train_day are the same places.",
	})
	for _, s := range []struct{ name, folder string }{{"train", "train/night"}, {"train_twilight", "train/twilight"}, {"train_day", "train/day"}, {"val", "val/night"}, {"test", "test/night"}} {
		split := Split{Name: s.name, Images: "rgb_anon/" + s.folder + "/*/*_rgb_anon.png", Sample: "{2}"}
		if s.name == "val" {
			split = splitOf(split.Name, split.Images, split.Sample, trainIDs(), "gt/val/night/{1}/{2}_gt_labelTrainIds.png")
		}
		l.Splits = append(l.Splits, split)
	}
	return l
}
