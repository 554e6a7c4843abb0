// Package formats reads datasets for segmentation from the files that their
// authors publish. How a dataset lies in its folder is a Layout: those that ship are
// listed by Layouts, a class map is read as one, and a program may pass its own.
// Images come as RGB rasters, labels as train IDs with 255 for what is ignored.
//
//	set, err := formats.Open(formats.GTA(), "data/gta", formats.Options{})
//	sample, err := set.Read(ctx, 0) // images/00001.png with labels/00001.png
//
//	camvid, err := formats.Named("camvid.yaml") // a class map
//	set, err = formats.Open(camvid, "", formats.Options{Split: "val"})
//
// A dataset is added to those that ship by a file such as gta.go and its line in
// Layouts.
//
// It resizes, crops and shuffles nothing; see augment and pipeline.
package formats
