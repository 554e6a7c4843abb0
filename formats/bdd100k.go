package formats

// BDD100K is the part of BDD100K (Yu et al., 2020) that has labels of pixels, 10,000
// frames from cars. Its masks are Cityscapes' train IDs (w1oves/Rein
// configs/_base_/datasets/bdd100k_512x512.py; tue-mps/vfm-uda-plusplus names the same
// files).
func BDD100K() Layout {
	l := nineteen(Layout{
		Name:        "bdd100k",
		FollowLinks: true,
		Folders:     []string{"images/10k", "labels/sem_seg/masks"},
		License:     "education and research, not for profit",
		URL:         "https://www.vis.xyz/bdd100k/",
	})
	for _, split := range []string{"train", "val"} {
		l.Splits = append(l.Splits, splitOf(split, "images/10k/"+split+"/*.jpg", "", trainIDs(), "labels/sem_seg/masks/"+split+"/{stem}.png"))
	}
	l.Splits = append(l.Splits, Split{Name: "test", Images: "images/10k/test/*.jpg"})
	return l
}
