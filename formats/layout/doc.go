// Package layout says how a dataset lies in its folder, as a value: which files
// are images, which label is an image's, and what a label's values mean. What
// ships is in package formats, one file each; package classmap reads others from
// YAML; a program may make one of its own:
//
//	l := layout.Layout{
//		Name:    "yard",
//		Classes: []string{"lawn", "kerb"},
//		Colors:  [][3]uint8{{10, 200, 20}, {90, 90, 90}},
//		Splits: []layout.Split{{
//			Name:   "train",
//			Images: "photos/*.jpg",
//			Labels: []layout.Labels{{Files: "marks/{stem}.png", Encoding: labels.Encoding{
//				Codec: labels.Bytes,
//				IDs:   map[int]raster.TrainID{1: 0, 2: 1, 0: raster.Ignore},
//			}}},
//		}},
//	}
//
// It lists files and decodes none: formats.Open does, of any layout.
package layout
