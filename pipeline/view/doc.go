// Package view draws what a stream holds, for people: contact sheets of
// samples, mixes and crop pairs with colored labels and a legend, and the
// coloring of labels and overlays that other pictures are made with.
//
//	sheet, err := view.Sheet(ctx, stream, view.Options{})
//	err = png.Encode(w, sheet)
//
// Pictures are scaled for the eye (area averages); nothing here is meant to be
// read back as data.
package view
