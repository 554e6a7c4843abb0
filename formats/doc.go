// Package formats reads the datasets of synthetic-to-real segmentation in the
// layouts their authors publish: GTA5, SYNTHIA-RAND-CITYSCAPES and Cityscapes,
// and own data, by a class map (package folder). Images come as RGB rasters,
// labels as train IDs with 255 for what is ignored.
//
//	set, err := formats.Open("gta", "data/gta", formats.Options{})
//	own, err := formats.Open("folder:camvid.yaml", "", formats.Options{Split: "val"})
//	sample, err := set.Read(ctx, 0) // images/00001.png with labels/00001.png
//
// It resizes, crops and shuffles nothing; see augment and pipeline.
package formats
