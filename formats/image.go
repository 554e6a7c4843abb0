package formats

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"sync"

	"github.com/pipa-uda/pipa/formats/png"
	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// labelKind is how a format stores its ids in a PNG.
type labelKind int

const (
	grayLabel    labelKind = iota // 8-bit grey (Cityscapes)
	paletteLabel                  // palette indices (GTA5)
	redLabel                      // the red channel of 16-bit RGB (SYNTHIA)
)

// decoders are lent to calls that have no Reader of their own.
var decoders = sync.Pool{New: func() any { return new(png.Decoder) }}

// ReadImage decodes a PNG or JPEG as RGB, [H,W,3]. Transparency is dropped.
func ReadImage(path string, maxPixels int) (raster.Raster, error) {
	data, err := files.Read(path)
	if err != nil {
		return raster.Raster{}, err
	}
	d := decoders.Get().(*png.Decoder)
	defer decoders.Put(d)
	return decodeImage(d, nil, path, data, png.Rows{}, maxPixels)
}

// decodeImage decodes a file's bytes into buf, which grows where it is too
// small. Rows that are not asked for may hold anything.
func decodeImage(d *png.Decoder, buf []byte, path string, data []byte, rows png.Rows, maxPixels int) (raster.Raster, error) {
	height, width, err := imageSize(path, data, maxPixels)
	if err != nil {
		return raster.Raster{}, err
	}
	if isJPEG(data) {
		return decodeJPEG(path, data)
	}
	row := 3 * width
	if cap(buf) < height*row {
		buf = make([]byte, height*row)
	}
	d.MaxPixels = maxPixels
	if _, err := d.AppendRGB(buf[:rows.First*row], data, rows); err != nil {
		return raster.Raster{}, fmt.Errorf("decode %s: %w", path, err)
	}
	return raster.Wrap(height, width, 3, buf[:height*row])
}

// imageSize is the declared size, refused above maxPixels before anything is
// allocated.
func imageSize(path string, data []byte, maxPixels int) (height, width int, err error) {
	if isJPEG(data) {
		c, err := jpeg.DecodeConfig(bytes.NewReader(data))
		if err != nil {
			return 0, 0, fmt.Errorf("decode %s: %w", path, err)
		}
		height, width = c.Height, c.Width
	} else {
		h, err := png.ReadHeader(data)
		if err != nil {
			return 0, 0, fmt.Errorf("decode %s: %w", path, err)
		}
		height, width = h.Height, h.Width
	}
	if width <= 0 || height <= 0 || height > maxPixels/width {
		return 0, 0, fmt.Errorf("decode %s: it declares %dx%d pixels, the limit is %d", path, width, height, maxPixels)
	}
	return height, width, nil
}

func isJPEG(data []byte) bool { return len(data) > 2 && data[0] == 0xFF && data[1] == 0xD8 }

// maxScans bounds the passes of a progressive JPEG, each of which goes over all
// of the image, though it may have 140 bytes. Encoders write 10 or so.
const maxScans = 64

// decodeJPEG converts as image/jpeg does: full-range YCbCr, or grey.
func decodeJPEG(path string, data []byte) (raster.Raster, error) {
	if n := bytes.Count(data, []byte{0xFF, 0xDA}); n > maxScans { // a scan's begin, which coded pixels never have
		return raster.Raster{}, fmt.Errorf("decode %s: it has %d scans, at most %d are read: save it as a baseline JPEG", path, n, maxScans)
	}
	m, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		return raster.Raster{}, fmt.Errorf("decode %s: %w", path, err)
	}
	b := m.Bounds()
	out := raster.New(b.Dy(), b.Dx(), 3)
	for y := range b.Dy() {
		row := out.Row(y)
		switch m := m.(type) {
		case *image.Gray:
			for x, v := range m.Pix[y*m.Stride:][:b.Dx()] {
				row[3*x], row[3*x+1], row[3*x+2] = v, v, v
			}
		default:
			for x := range b.Dx() {
				r, g, b, _ := m.At(b.Min.X+x, b.Min.Y+y).RGBA()
				row[3*x], row[3*x+1], row[3*x+2] = byte(r>>8), byte(g>>8), byte(b>>8)
			}
		}
	}
	return out, nil
}

// decodeLabel decodes a PNG's ids, [H,W,1], into buf, which grows where it is
// too small.
func decodeLabel(d *png.Decoder, buf []byte, path string, data []byte, kind labelKind, maxPixels int) (raster.Raster, error) {
	h, err := png.ReadHeader(data)
	if err != nil {
		return raster.Raster{}, fmt.Errorf("decode %s: %w", path, err)
	}
	if h.Width <= 0 || h.Height <= 0 || h.Height > maxPixels/h.Width {
		return raster.Raster{}, fmt.Errorf("decode %s: it declares %dx%d pixels, the limit is %d", path, h.Width, h.Height, maxPixels)
	}
	gray := h.BitDepth <= 8 && (h.Color == png.Gray || h.Color == png.Palette)
	red := h.BitDepth == 16 && (h.Color == png.RGB || h.Color == png.RGBA)
	if kind == redLabel && !red || kind != redLabel && !gray {
		want := map[labelKind]string{grayLabel: "8-bit grey or palette", paletteLabel: "palette or 8-bit grey", redLabel: "16-bit RGB"}[kind]
		return raster.Raster{}, fmt.Errorf("decode %s: its pixels are %d-bit %s, labels of this format are %s", path, h.BitDepth, h.Color, want)
	}
	d.MaxPixels = maxPixels
	if n := h.Width * h.Height; cap(buf) < n {
		buf = make([]byte, n)
	}
	if kind == redLabel {
		buf, err = d.AppendChannel16(buf[:0], data, 0, png.Rows{})
	} else {
		buf, err = d.AppendIndices(buf[:0], data, png.Rows{})
	}
	var value *png.ValueError
	if errors.As(err, &value) {
		return raster.Raster{}, fmt.Errorf("decode %s: pixel x %d y %d has id %d, which the format does not have", path, value.X, value.Y, value.Value)
	}
	if err != nil {
		return raster.Raster{}, fmt.Errorf("decode %s: %w", path, err)
	}
	return raster.Wrap(h.Height, h.Width, 1, buf)
}
