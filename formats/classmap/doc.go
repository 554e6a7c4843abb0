// Package classmap reads class maps: YAML that says how a custom dataset lies in
// its folder, as a layout.Layout.
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
// nothing it says leads out of that folder (see layout.Closed).
package classmap
