// Package labels decodes labels: PNGs of ids or colors become train IDs, with
// 255 for what is ignored. An Encoding says what a file's values mean, a Decoder
// applies it:
//
//	d := labels.New(labels.Encoding{
//		Codec: labels.Bytes,
//		IDs:   map[int]raster.TrainID{7: 0, 8: 1, 0: raster.Ignore},
//	})
//	label, err := d.Decode(png, nil, data, raster.MaxPixels) // [H,W,1]
//
// A value that an encoding does not have is an error that names the pixel: a label
// is never guessed. Which file is whose label is not this package's business; see
// formats/layout.
package labels
