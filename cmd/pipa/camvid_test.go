package main

import (
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"

	"github.com/pipa-uda/pipa/fixtures"
	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/rogpeppe/go-internal/testscript"
)

// camvidIDs are CamVid's class numbers in SegNet's tutorial, by Cityscapes'
// train IDs.
var camvidIDs = [19]uint8{3, 4, 1, 1, 7, 2, 6, 6, 5, 5, 0, 9, 10, 8, 8, 8, 8, 10, 10}

// camvid writes small procedural scenes in the layout that docs/custom-data.md
// walks through: train/, val/ and test/, and beside each its labels, gray PNGs
// of 11 classes with 11 for what has none.
func camvid(ts *testscript.TestScript, _ bool, args []string) {
	const height, width = 72, 96
	write := func(name string, m image.Image) {
		ts.Check(os.MkdirAll(filepath.Dir(name), 0o755))
		ts.Check(files.Write(name, true, func(w io.Writer) error { return png.Encode(w, m) }))
	}
	for _, split := range []struct {
		name, stem string
		domain     fixtures.Domain
		images     int
	}{{"train", "0001TP_%06d", fixtures.GTA, 8}, {"val", "0016E5_%05d", fixtures.Cityscapes, 3}, {"test", "Seq05VD_f%05d", fixtures.Cityscapes, 6}} {
		for i := range split.images {
			photo, label := fixtures.Scene(split.domain, 11, i, height, width)
			m := image.NewNRGBA(image.Rect(0, 0, width, height))
			for p := range height * width {
				copy(m.Pix[4*p:], photo.Pix()[3*p:3*p+3])
				m.Pix[4*p+3] = 255
			}
			ids := image.NewGray(m.Rect)
			for p, t := range label.Pix() {
				if ids.Pix[p] = 11; t != byte(raster.Ignore) {
					ids.Pix[p] = camvidIDs[t]
				}
			}
			name := fmt.Sprintf(split.stem, 30*i) + ".png"
			write(filepath.Join(ts.MkAbs(args[0]), split.name, name), m)
			write(filepath.Join(ts.MkAbs(args[0]), split.name+"annot", name), ids)
		}
	}
}
