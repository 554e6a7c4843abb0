package formats

import (
	"encoding/binary"
	"fmt"

	"github.com/pipa-uda/pipa/formats/folder"
	"github.com/pipa-uda/pipa/formats/png"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// ownLabels decodes labels by a class map.
type ownLabels struct {
	*folder.Map
	bytes *labelMap // of ids that fit in a byte
}

func newOwnLabels(m *folder.Map) *ownLabels {
	return &ownLabels{m, tableOf(m.OfID)}
}

// tableOf is what a function says of every byte.
func tableOf(means func(int) (raster.TrainID, bool)) *labelMap {
	m := &labelMap{}
	for v := range m {
		m[v] = unknown
		if t, ok := means(v); ok {
			m[v] = int16(t)
		}
	}
	return m
}

// decode decodes a label as train IDs, [H,W,1], into buf, which grows where it
// is too small.
func (o *ownLabels) decode(d *png.Decoder, buf []byte, path string, data []byte, maxPixels int) (raster.Raster, error) {
	if isJPEG(data) {
		return raster.Raster{}, fmt.Errorf("decode %s: it is a JPEG, whose compression changes labels: want a PNG", path)
	}
	height, width, err := imageSize(path, data, maxPixels)
	if err != nil {
		return raster.Raster{}, err
	}
	h, err := png.ReadHeader(data)
	if err != nil {
		return raster.Raster{}, fmt.Errorf("decode %s: %w", path, err)
	}
	colours := o.Labels == folder.LabelColours
	single := h.Color == png.Gray || h.Color == png.Palette
	if colours && h.BitDepth > 8 || !colours && !single {
		want := map[bool]string{true: "of at most 8 bits", false: "grey of at most 16 bits, or a palette's"}[colours]
		return raster.Raster{}, fmt.Errorf("decode %s: its pixels are %v; where labels is %s in the class map they are to be %s", path, h, o.Labels, want)
	}
	d.MaxPixels = maxPixels
	n := height * width
	switch {
	case colours && h.Color == png.Palette:
		buf, err = o.paletteColours(d, buf, data)
	case colours:
		if buf, err = d.AppendRGB(room(buf, 3*n), data, png.Rows{}); err == nil {
			err = o.colours(buf, width)
		}
	case h.BitDepth == 16:
		if buf, err = d.AppendGray16(room(buf, 2*n), data, png.Rows{}); err == nil {
			err = o.ids16(buf, width)
		}
	default:
		if buf, err = d.AppendIndices(room(buf, n), data, png.Rows{}); err == nil {
			if bad := o.bytes.apply(buf); bad >= 0 {
				err = o.unknownValue(bad, width, fmt.Sprintf("id %d", buf[bad]))
			}
		}
	}
	if err != nil {
		return raster.Raster{}, fmt.Errorf("decode %s: %w", path, err)
	}
	return raster.Wrap(height, width, 1, buf[:n])
}

// room is buf without its content, of at least n bytes.
func room(buf []byte, n int) []byte {
	if cap(buf) < n {
		return make([]byte, 0, n)
	}
	return buf[:0]
}

// unknownValue is the error of a pixel whose value the map does not have.
func (o *ownLabels) unknownValue(i, width int, value string) error {
	return fmt.Errorf("pixel x %d y %d has %s, which the class map %s does not have: add it to a class or to ignore", i%width, i/width, value, o.Name)
}

// ids16 maps big-endian ids to train IDs, in place: the first half of pix.
func (o *ownLabels) ids16(pix []byte, width int) error {
	last, mapped := -1, uint8(0)
	for i := range len(pix) / 2 {
		// Labels are made of runs.
		if id := int(binary.BigEndian.Uint16(pix[2*i:])); id != last {
			t, ok := o.OfID(id)
			if !ok {
				return o.unknownValue(i, width, fmt.Sprintf("id %d", id))
			}
			last, mapped = id, uint8(t)
		}
		pix[i] = mapped
	}
	return nil
}

// colours maps RGB to train IDs, in place: the first third of pix.
func (o *ownLabels) colours(pix []byte, width int) error {
	var last [3]uint8
	var mapped uint8
	for i := range len(pix) / 3 {
		if c := [3]uint8(pix[3*i:]); i == 0 || c != last {
			t, ok := o.OfColor(c)
			if !ok {
				return o.unknownValue(i, width, fmt.Sprintf("colour %v", c))
			}
			last, mapped = c, uint8(t)
		}
		pix[i] = mapped
	}
	return nil
}

// paletteColours maps the indices of a palette by their colours.
func (o *ownLabels) paletteColours(d *png.Decoder, buf, data []byte) ([]byte, error) {
	palette, err := png.ReadPalette(data)
	if err != nil {
		return buf, err
	}
	h, err := png.ReadHeader(data)
	if err != nil {
		return buf, err
	}
	table := tableOf(func(index int) (raster.TrainID, bool) {
		if index >= len(palette) {
			return 0, false
		}
		return o.OfColor(palette[index])
	})
	if buf, err = d.AppendIndices(room(buf, h.Height*h.Width), data, png.Rows{}); err != nil {
		return buf, err
	}
	if bad := table.apply(buf); bad >= 0 {
		value := fmt.Sprintf("index %d beyond its palette", buf[bad])
		if int(buf[bad]) < len(palette) {
			value = fmt.Sprintf("colour %v", palette[buf[bad]])
		}
		return buf, o.unknownValue(bad, h.Width, value)
	}
	return buf, nil
}
