package labels

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/pipa-uda/pipa/formats/png"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// A Decoder decodes labels by an encoding. It is safe for concurrent use.
type Decoder struct {
	Encoding
	bytes *table // of ids that fit in a byte
}

// New makes a decoder of an encoding.
func New(e Encoding) *Decoder { return &Decoder{e, tableOf(e.OfID)} }

// An UnknownError is a pixel whose value its encoding does not have.
type UnknownError struct {
	X, Y  int
	Value string // "id 77"
}

func (e *UnknownError) Error() string {
	return fmt.Sprintf("pixel x %d y %d has %s, which is neither a class's nor ignored", e.X, e.Y, e.Value)
}

// Decode decodes a PNG as train IDs, [H,W,1], into buf, which grows where it is too
// small. The label may declare maxPixels.
func (d *Decoder) Decode(p *png.Decoder, buf, data []byte, maxPixels int) (raster.Raster, error) {
	if len(data) > 2 && data[0] == 0xFF && data[1] == 0xD8 {
		return raster.Raster{}, errors.New("it is a JPEG, whose compression changes labels: want a PNG")
	}
	f, err := png.Open(data)
	if err != nil {
		return raster.Raster{}, err
	}
	if err := raster.CheckPixels(f.Height, f.Width, maxPixels); err != nil {
		return raster.Raster{}, err
	}
	if reads, want, _ := d.Codec.pixels(f.Header); !reads {
		return raster.Raster{}, fmt.Errorf("its pixels are %v, labels of this format are %s", f, want)
	}
	p.MaxPixels = maxPixels
	n := f.Height * f.Width
	switch {
	case d.Codec == Colors && f.Color == png.Palette:
		buf, err = d.paletteColors(p, room(buf, n), f)
	case d.Codec == Colors:
		buf, err = d.colors(p, room(buf, 3*n), f)
	case d.Codec == IDs && f.BitDepth == 16:
		buf, err = d.ids16(p, room(buf, 2*n), f)
	case d.Codec != Red16 && f.Color != png.Gray && f.Color != png.Palette:
		buf, err = d.idsOfRGB(p, room(buf, 3*n), f)
	default:
		buf, err = d.ids(p, room(buf, n), f)
	}
	if err != nil {
		return raster.Raster{}, err
	}
	return raster.Wrap(f.Height, f.Width, 1, buf[:n])
}

// room is buf without its content, of at least n bytes.
func room(buf []byte, n int) []byte {
	if cap(buf) < n {
		return make([]byte, 0, n)
	}
	return buf[:0]
}

// unknownValue is the error of pixel i of rows of the given width.
func unknownValue(i, width int, format string, args ...any) error {
	return &UnknownError{i % width, i / width, fmt.Sprintf(format, args...)}
}

// ids maps ids that fit in a byte.
func (d *Decoder) ids(p *png.Decoder, buf []byte, f png.File) (_ []byte, err error) {
	if d.Codec == Red16 {
		buf, err = p.AppendChannel16(buf, f, 0, png.Rows{})
	} else {
		buf, err = p.AppendIndices(buf, f, png.Rows{})
	}
	if value := (*png.ValueError)(nil); errors.As(err, &value) {
		return buf, &UnknownError{value.X, value.Y, fmt.Sprintf("id %d", value.Value)}
	}
	if err != nil {
		return buf, err
	}
	if f.Color == png.Gray && f.BitDepth < 8 {
		if err := d.widen(buf, f); err != nil {
			return buf, err
		}
	}
	return d.apply(buf, f)
}

// widen makes samples of 1, 2 or 4 bits what they are of 8. An id that the encoding
// has as it is stored, and not as it is shown, is not taken for one of the others.
func (d *Decoder) widen(ids []byte, f png.File) error {
	scale := 255 / (1<<f.BitDepth - 1)
	var wide [16]uint8
	var mistaken [16]bool
	for v := range 1 << f.BitDepth {
		_, shown := d.IDs[v*scale]
		_, stored := d.IDs[v]
		wide[v], mistaken[v] = uint8(v*scale), stored && !shown
	}
	for i, v := range ids {
		if mistaken[v] {
			return unknownValue(i, f.Width, "id %d (%d as gray of %d bits stores it, which the PNG format scales to 255: write the label with 8 bits)", wide[v], v, f.BitDepth)
		}
		ids[i] = wide[v]
	}
	return nil
}

// idsOfRGB maps ids that RGB, or gray with alpha, holds in red, in place: to the
// first third of the bytes. But for Red the other channels are to be the same.
func (d *Decoder) idsOfRGB(p *png.Decoder, buf []byte, f png.File) ([]byte, error) {
	pix, err := p.AppendRGB(buf, f, png.Rows{})
	if err != nil {
		return pix, err
	}
	n := len(pix) / 3
	for i := range n {
		c := [3]uint8(pix[3*i:])
		if d.Codec != Red && (c[1] != c[0] || c[2] != c[0]) {
			return pix, unknownValue(i, f.Width, "color %v where an id is wanted", c)
		}
		pix[i] = c[0]
	}
	return d.apply(pix[:n], f)
}

// apply maps ids in place.
func (d *Decoder) apply(ids []byte, f png.File) ([]byte, error) {
	if bad := d.bytes.apply(ids); bad >= 0 {
		return ids, unknownValue(bad, f.Width, "id %d", ids[bad])
	}
	return ids, nil
}

// ids16 maps big-endian ids in place: to the first half of the bytes.
func (d *Decoder) ids16(p *png.Decoder, buf []byte, f png.File) ([]byte, error) {
	pix, err := p.AppendGray16(buf, f, png.Rows{})
	if err != nil {
		return pix, err
	}
	last, mapped := -1, uint8(0)
	for i := range len(pix) / 2 {
		// Labels are made of runs.
		if id := int(binary.BigEndian.Uint16(pix[2*i:])); id != last {
			t, ok := d.OfID(id)
			if !ok {
				return pix, unknownValue(i, f.Width, "id %d", id)
			}
			last, mapped = id, uint8(t)
		}
		pix[i] = mapped
	}
	return pix, nil
}

// colors maps RGB in place: to the first third of the bytes.
func (d *Decoder) colors(p *png.Decoder, buf []byte, f png.File) ([]byte, error) {
	pix, err := p.AppendRGB(buf, f, png.Rows{})
	if err != nil {
		return pix, err
	}
	var last [3]uint8
	var mapped uint8
	for i := range len(pix) / 3 {
		if c := [3]uint8(pix[3*i:]); i == 0 || c != last {
			t, ok := d.OfColor(c)
			if !ok {
				return pix, unknownValue(i, f.Width, "color %v", c)
			}
			last, mapped = c, uint8(t)
		}
		pix[i] = mapped
	}
	return pix, nil
}

// paletteColors maps the indices of a palette by their colors.
func (d *Decoder) paletteColors(p *png.Decoder, buf []byte, f png.File) ([]byte, error) {
	buf, err := p.AppendIndices(buf, f, png.Rows{})
	if err != nil {
		return buf, err
	}
	palette := p.Palette()
	means := tableOf(func(index int) (raster.TrainID, bool) {
		if index >= len(palette) {
			return 0, false
		}
		return d.OfColor(palette[index])
	})
	if bad := means.apply(buf); bad >= 0 {
		if index := int(buf[bad]); index < len(palette) {
			return buf, unknownValue(bad, f.Width, "color %v", palette[index])
		}
		return buf, unknownValue(bad, f.Width, "index %d beyond its palette", buf[bad])
	}
	return buf, nil
}
