// Package folder describes own data: a class map in YAML says which files are
// images and which are their labels, and what class a label's values mean.
//
//	name: camvid
//	labels: ids
//	classes:
//	  - {name: sky, id: 0, colour: [128, 128, 128]}
//	  - {name: building, id: 1, colour: [128, 0, 0]}
//	ignore: [11]
//	splits:
//	  train: {images: "train/*.png", labels: "trainannot/{stem}.png"}
//	  target: {images: "test/*.png"}
//
// A map may come from anywhere: what it names lies under one folder, and
// nothing it says leads out of that folder (see [Dir]).
//
// It decodes no files; package formats does, by the tables of a [Map].
package folder
