// Package raster has the pixels: images, labels and masks of bytes, boxes in them,
// train IDs and the colors of classes. It imports nothing, so that whatever works
// on pixels or classes needs no more than this.
//
//	r := raster.New(512, 1024, 3)                  // height, width, channels
//	crop := raster.Box{Y0: 8, X0: 16, Y1: 264, X1: 272}
//	if crop.In(r.Height(), r.Width()) { … }
package raster
