package formats

// MUSES is MUSES (Brödermann et al., 2024), the frame camera: clear, fog, rain and
// snow, by day and night. Its labels are Cityscapes' train IDs or ids (its README; the
// files as evaluators and loaders of it name them).
func MUSES() Layout {
	l := nineteen(Layout{
		Name:        "muses",
		FollowLinks: true,
		Folders:     []string{"frame_camera", "gt_semantic"},
		License:     "non-commercial",
		URL:         "https://muses.ethz.ch/",
	})
	for _, split := range []string{"train", "val"} {
		label := "gt_semantic/" + split + "/{1}/{2}/{3}_gt_"
		s := splitOf(split, "frame_camera/"+split+"/*/*/*_frame_camera.png", "{1}/{2}/{3}", trainIDs(), label+"labelTrainIds.png")
		s.Labels = append(s.Labels, Labels{Files: label + "labelIds.png", Encoding: cityscapesLabelIDs()})
		l.Splits = append(l.Splits, s)
	}
	l.Splits = append(l.Splits, Split{Name: "test", Images: "frame_camera/test/*/*/*_frame_camera.png", Sample: "{1}/{2}/{3}"})
	return l
}
