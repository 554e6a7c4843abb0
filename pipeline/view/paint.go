package view

import (
	"fmt"

	"github.com/pipa-uda/pipa/pipeline/raster"
)

// The colors of pixels without a class: ignored ones, as published, and IDs
// that the palette has no color for, which stand out.
var (
	ignored = [3]uint8{0, 0, 0}
	unknown = [3]uint8{255, 0, 255}
)

// Colorize paints a label [H,W,1] of train IDs as an RGB image [H,W,3] in
// memory of its own: ID i in colors[i], 255 (ignore) black, an ID beyond the
// colors magenta. It fails where label is not a single plane.
func Colorize(label raster.Raster, colors [][3]uint8) (raster.Raster, error) {
	if label.Empty() || label.Channels() != 1 {
		return raster.Raster{}, fmt.Errorf("color a label: it has %d channels, want 1", label.Channels())
	}
	table := lookup(colors)
	out := raster.New(label.Height(), label.Width(), 3)
	pix := out.Pix()
	for i, id := range label.Pix() {
		copy(pix[3*i:3*i+3], table[id][:])
	}
	return out, nil
}

// Overlay lays the colors of a label [H,W,1] over its image [H,W,3] and
// returns the result in memory of its own. opacity is that of the label, 0 to
// 1; ignored pixels show the image alone. It fails where the sizes or channels
// do not fit.
func Overlay(image, label raster.Raster, colors [][3]uint8, opacity float64) (raster.Raster, error) {
	switch {
	case image.Channels() != 3:
		return raster.Raster{}, fmt.Errorf("overlay a label: the image has %d channels, want 3", image.Channels())
	case label.Channels() != 1:
		return raster.Raster{}, fmt.Errorf("overlay a label: it has %d channels, want 1", label.Channels())
	case !image.SameSize(label):
		return raster.Raster{}, fmt.Errorf("overlay a label: it is %dx%d, the image is %dx%d", label.Width(), label.Height(), image.Width(), image.Height())
	case !(opacity >= 0 && opacity <= 1):
		return raster.Raster{}, fmt.Errorf("overlay a label: opacity is %v, want 0..1", opacity)
	}
	table := lookup(colors)
	out := image.Clone()
	pix := out.Pix()
	for i, id := range label.Pix() {
		if raster.TrainID(id) == raster.Ignore {
			continue
		}
		for c := range 3 {
			p := &pix[3*i+c]
			*p = uint8(float64(*p)*(1-opacity) + float64(table[id][c])*opacity + 0.5)
		}
	}
	return out, nil
}

// lookup is the color of every ID.
func lookup(colors [][3]uint8) (table [256][3]uint8) {
	for id := range table {
		table[id] = unknown
	}
	copy(table[:], colors)
	table[raster.Ignore] = ignored
	return table
}
