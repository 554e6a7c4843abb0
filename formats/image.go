package formats

import (
	"errors"
	"fmt"
	"sync"

	"github.com/pipa-uda/pipa/formats/jpeg"
	"github.com/pipa-uda/pipa/formats/png"
	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// A decoder decodes images of either kind.
type decoder struct {
	png  png.Decoder
	jpeg jpeg.Decoder
}

// decoders are lent to calls that have no Reader of their own.
var decoders = sync.Pool{New: func() any { return new(decoder) }}

// ReadImage decodes a PNG or JPEG as RGB, [H,W,3], turned as its EXIF says. Transparency is dropped.
func ReadImage(path string, maxPixels int) (raster.Raster, error) {
	data, err := files.Read(path)
	if err != nil {
		return raster.Raster{}, err
	}
	return DecodeImage(path, data, maxPixels)
}

// DecodeImage is ReadImage for a file in memory; its name is for messages.
func DecodeImage(name string, data []byte, maxPixels int) (raster.Raster, error) {
	m, err := openImage(name, data, maxPixels)
	if err != nil {
		return raster.Raster{}, err
	}
	d := decoders.Get().(*decoder)
	defer decoders.Put(d)
	return m.decode(d, nil, png.Rows{})
}

// An imageFile is an image in memory whose header has been read.
type imageFile struct {
	path          string // for messages
	data          []byte
	png           png.File // of a PNG
	jpeg          jpeg.File
	height, width int         // as it is shown
	orientation   orientation // of the file
}

// openImage reads an image's header. A declared size above maxPixels is refused
// before anything is allocated by it.
func openImage(path string, data []byte, maxPixels int) (m imageFile, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("decode %s: %w", path, err)
		}
	}()
	m = imageFile{path: path, data: data}
	if isJPEG(data) {
		if m.jpeg, err = jpeg.Open(data); err != nil {
			return m, err
		}
		m.height, m.width = m.jpeg.Height, m.jpeg.Width
	} else {
		m.png, err = png.Open(data)
		if foreign := (*png.SignatureError)(nil); errors.As(err, &foreign) {
			return m, fmt.Errorf("not a PNG or JPEG file: it is %s", foreign.Found)
		}
		if err != nil {
			return m, err
		}
		m.height, m.width = m.png.Height, m.png.Width
	}
	if m.orientation = orientationOf(data); m.orientation.turned() {
		m.height, m.width = m.width, m.height
	}
	return m, raster.CheckPixels(m.height, m.width, maxPixels)
}

// decode decodes the image as it is shown into buf, which grows where it is too small.
// Rows that are not asked for may hold anything.
func (m imageFile) decode(d *decoder, buf []byte, rows png.Rows) (raster.Raster, error) {
	if m.orientation == 1 {
		return m.decodeStored(d, buf, rows)
	}
	stored := m
	if m.orientation.turned() {
		stored.height, stored.width = m.width, m.height
	}
	out, err := stored.decodeStored(d, nil, png.Rows{})
	if err != nil {
		return out, err
	}
	return shown(out, m.orientation), nil
}

// decodeStored decodes the image as it lies in the file.
func (m imageFile) decodeStored(d *decoder, buf []byte, rows png.Rows) (raster.Raster, error) {
	row := 3 * m.width
	if cap(buf) < m.height*row {
		buf = make([]byte, m.height*row)
	}
	var err error
	if isJPEG(m.data) {
		d.jpeg.MaxPixels = m.height * m.width // which openImage has taken
		_, err = d.jpeg.AppendRGB(buf[:rows.First*row], m.jpeg, jpeg.Rows(rows))
	} else {
		d.png.MaxPixels = m.height * m.width
		_, err = d.png.AppendRGB(buf[:rows.First*row], m.png, rows)
	}
	if err != nil {
		return raster.Raster{}, fmt.Errorf("decode %s: %w", m.path, err)
	}
	return raster.Wrap(m.height, m.width, 3, buf[:m.height*row])
}

func isJPEG(data []byte) bool { return len(data) > 2 && data[0] == 0xFF && data[1] == 0xD8 }
