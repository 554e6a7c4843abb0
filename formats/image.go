package formats

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"

	"github.com/pipa-uda/pipa/pipeline"
)

// labelKind is how a format stores its ids in a PNG.
type labelKind int

const (
	grayLabel    labelKind = iota // 8-bit grey (Cityscapes)
	paletteLabel                  // palette indices (GTA5)
	redLabel                      // the red channel of 16-bit RGB (SYNTHIA)
)

// decodePNG decodes a file's bytes, refusing one that declares more than
// maxPixels before it allocates.
func decodePNG(path string, data []byte, maxPixels int) (image.Image, error) {
	c, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", path, err)
	}
	if c.Width <= 0 || c.Height <= 0 || c.Height > maxPixels/c.Width {
		return nil, fmt.Errorf("decode %s: it declares %dx%d pixels, the limit is %d", path, c.Width, c.Height, maxPixels)
	}
	m, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", path, err)
	}
	return m, nil
}

// ReadImage decodes a PNG as RGB, [H,W,3]. Transparency is dropped.
func ReadImage(path string, maxPixels int) (pipeline.Raster, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return pipeline.Raster{}, err
	}
	return decodeImage(path, data, maxPixels)
}

func decodeImage(path string, data []byte, maxPixels int) (pipeline.Raster, error) {
	m, err := decodePNG(path, data, maxPixels)
	if err != nil {
		return pipeline.Raster{}, err
	}
	b := m.Bounds()
	out := pipeline.NewRaster(b.Dy(), b.Dx(), 3)
	rgba := func(pix []byte, stride int) {
		for y := range b.Dy() {
			from, to := pix[y*stride:], out.Row(y)
			for x := range b.Dx() {
				copy(to[3*x:3*x+3], from[4*x:4*x+3])
			}
		}
	}
	switch m := m.(type) {
	case *image.RGBA: // opaque, as image/png gives for RGB
		rgba(m.Pix, m.Stride)
	case *image.NRGBA:
		rgba(m.Pix, m.Stride)
	default:
		n := image.NewNRGBA(b)
		draw.Draw(n, b, m, b.Min, draw.Src)
		rgba(n.Pix, n.Stride)
	}
	return out, nil
}

// decodeLabel decodes a PNG's ids, [H,W,1].
func decodeLabel(path string, data []byte, kind labelKind, maxPixels int) (pipeline.Raster, error) {
	m, err := decodePNG(path, data, maxPixels)
	if err != nil {
		return pipeline.Raster{}, err
	}
	b := m.Bounds()
	out := pipeline.NewRaster(b.Dy(), b.Dx(), 1)
	switch m := m.(type) {
	case *image.Gray:
		if kind != redLabel {
			for y := range b.Dy() {
				copy(out.Row(y), m.Pix[y*m.Stride:])
			}
			return out, nil
		}
	case *image.Paletted:
		if kind != redLabel {
			for y := range b.Dy() {
				copy(out.Row(y), m.Pix[y*m.Stride:])
			}
			return out, nil
		}
	case *image.RGBA64:
		if kind == redLabel {
			return out, red16(out, m.Pix, m.Stride, path)
		}
	case *image.NRGBA64:
		if kind == redLabel {
			return out, red16(out, m.Pix, m.Stride, path)
		}
	}
	want := map[labelKind]string{grayLabel: "8-bit grey or palette", paletteLabel: "palette or 8-bit grey", redLabel: "16-bit RGB"}[kind]
	return pipeline.Raster{}, fmt.Errorf("decode %s: its pixels are %s, labels of this format are %s", path, modelName(m.ColorModel()), want)
}

// red16 takes the red channel of 16-bit pixels, big-endian, which must fit in
// a byte.
func red16(out pipeline.Raster, pix []byte, stride int, path string) error {
	for y := range out.Height() {
		row := out.Row(y)
		for x := range row {
			at := y*stride + 8*x
			if pix[at] != 0 {
				return fmt.Errorf("decode %s: pixel x %d y %d has id %d, which the format does not have", path, x, y, int(pix[at])<<8|int(pix[at+1]))
			}
			row[x] = pix[at+1]
		}
	}
	return nil
}

func modelName(m color.Model) string {
	switch m {
	case color.RGBAModel, color.NRGBAModel:
		return "8-bit colour"
	case color.RGBA64Model, color.NRGBA64Model:
		return "16-bit colour"
	case color.Gray16Model:
		return "16-bit grey"
	case color.GrayModel:
		return "8-bit grey"
	}
	if _, ok := m.(color.Palette); ok {
		return "palette indices"
	}
	return "of another kind"
}
