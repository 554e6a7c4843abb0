package formats

import (
	"github.com/pipa-uda/pipa/formats/labels"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// IDD is the India Driving Dataset (Varma et al., 2019), its parts I and II. It comes
// with polygons, of which its tool makes images of ids or of Cityscapes' train IDs;
// the former are mapped as the tool maps them (AutoNUE/public-code
// helpers/anue_labels.py, and copies of its table).
func IDD() Layout {
	ids := labels.Encoding{Codec: labels.Bytes, IDs: idsBelow(40, map[int]raster.TrainID{
		0: 0, 3: 1, 5: 9, 6: 11, 8: 12, 9: 17, 10: 18, 12: 13, 13: 14, 14: 15, 17: 16, 20: 3, 21: 4, 24: 7, 25: 6, 26: 5, 29: 2, 32: 8, 33: 10, 255: raster.Ignore,
	})}
	l := nineteen(Layout{
		Name:        "idd",
		FollowLinks: true,
		Folders:     []string{"leftImg8bit/*/[0-9]*", "gtFine"},
		License:     "research and education, non-commercial",
		URL:         "https://idd.insaan.iiit.ac.in/",
		Note:        "Its labels are polygons: make images of ids or of Cityscapes' train IDs of them with the tool of github.com/AutoNUE/public-code.",
	})
	for _, split := range []string{"train", "val"} {
		s := splitOf(split, "leftImg8bit/"+split+"/*/*_leftImg8bit.*", "{1}/{2}", trainIDs(), "gtFine/"+split+"/{1}/{2}_gtFine_labelcsTrainIds.png")
		s.Labels = append(s.Labels, Labels{Files: "gtFine/" + split + "/{1}/{2}_gtFine_labelids.png", Encoding: ids})
		l.Splits = append(l.Splits, s)
	}
	l.Splits = append(l.Splits, Split{Name: "test", Images: "leftImg8bit/test/*/*_leftImg8bit.*", Sample: "{1}/{2}"})
	return l
}
