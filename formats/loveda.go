package formats

import "github.com/pipa-uda/pipa/formats/labels"

// LoveDA is LoveDA (Wang et al., 2021), land from above, urban and rural. Its masks
// have 1 to 7 for its classes and 0 where there are no data (open-mmlab/mmsegmentation
// mmseg/datasets/loveda.py; the authors' repository). A domain is a split of its own,
// too: train_urban and the like.
func LoveDA() Layout {
	e := encodingOf(labels.Bytes, lovedaClasses(), class{ids: []int{0}})
	l := withClasses(Layout{
		Name:        "loveda",
		FollowLinks: true,
		Folders:     []string{"Train/*/images_png"},
		License:     "CC BY-NC-SA 4.0",
		URL:         "https://github.com/Junjue-Wang/LoveDA",
		Note:        "Land from above. train_urban and train_rural are one domain.",
	}, lovedaClasses())
	for _, s := range []struct{ name, folder string }{{"train", "Train"}, {"val", "Val"}, {"test", "Test"}} {
		both := Split{Name: s.name, Images: s.folder + "/*/images_png/*.png", Sample: "{1}/{2}"}
		urban, rural := both, both
		urban.Name, urban.Images, urban.Sample = s.name+"_urban", s.folder+"/Urban/images_png/*.png", "{1}"
		rural.Name, rural.Images, rural.Sample = s.name+"_rural", s.folder+"/Rural/images_png/*.png", "{1}"
		if s.name != "test" {
			both.Labels = []Labels{{Files: s.folder + "/{1}/masks_png/{2}.png", Encoding: e}}
			urban.Labels = []Labels{{Files: s.folder + "/Urban/masks_png/{1}.png", Encoding: e}}
			rural.Labels = []Labels{{Files: s.folder + "/Rural/masks_png/{1}.png", Encoding: e}}
		}
		l.Splits = append(l.Splits, both, urban, rural)
	}
	return l
}

func lovedaClasses() []class {
	var out []class
	for i, name := range []string{"background", "building", "road", "water", "barren", "forest", "agricultural"} {
		out = append(out, class{name: name, ids: []int{i + 1}})
	}
	return out
}
