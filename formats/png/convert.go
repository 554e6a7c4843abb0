package png

import (
	"encoding/binary"
	"fmt"
)

// output is what is made of an image's rows.
type output struct {
	channels int  // bytes a pixel
	lane     bool // only the 16-bit channel at offset is unfiltered
	offset   int  // bytes
	// convert makes len(dst)/channels pixels of an unfiltered row; nil when
	// the row is what is wanted.
	convert func(dst, row []byte, f *parts)
}

func rgbOutput(h Header) output {
	o := output{channels: 3}
	switch {
	case h.Color == Palette:
		o.convert = paletteToRGB
	case h.BitDepth < 8:
		o.convert = lowGrayToRGB
	case h.Color.channels() <= 2:
		o.convert = grayToRGB
	case h.Color == RGB && h.BitDepth == 8:
	default:
		o.convert = colorToRGB
	}
	return o
}

func indexOutput(h Header) (output, error) {
	o := output{channels: 1}
	if h.Color.channels() != 1 || h.BitDepth > 8 {
		return o, fmt.Errorf("its pixels are %v, not indices or gray of at most 8 bits", h)
	}
	if h.BitDepth < 8 {
		o.convert = unpack
	}
	return o, nil
}

func channelOutput(h Header, channel int) (output, error) {
	if h.BitDepth != 16 || channel < 0 || channel >= h.Color.channels() {
		return output{}, fmt.Errorf("its pixels are %v, without a 16-bit channel %d", h, channel)
	}
	return output{channels: 1, lane: true, offset: 2 * channel, convert: lowBytes}, nil
}

func gray16Output(h Header) (output, error) {
	if h.Color != Gray || h.BitDepth != 16 {
		return output{}, fmt.Errorf("its pixels are %v, not 16-bit gray", h)
	}
	return output{channels: 2}, nil
}

// colorToRGB takes the high byte of red, green and blue from pixels of 4, 6 or
// 8 bytes.
func colorToRGB(dst, row []byte, f *parts) {
	pixel, sample := f.filterUnit(), f.BitDepth/8
	for len(dst) >= 3 && len(row) >= pixel {
		dst[0], dst[1], dst[2] = row[0], row[sample], row[2*sample]
		dst, row = dst[3:], row[pixel:]
	}
}

// grayToRGB repeats the high byte of gray from pixels of 1, 2 or 4 bytes.
func grayToRGB(dst, row []byte, f *parts) {
	pixel := f.filterUnit()
	for len(dst) >= 3 && len(row) >= pixel {
		dst[0], dst[1], dst[2] = row[0], row[0], row[0]
		dst, row = dst[3:], row[pixel:]
	}
}

// lowGrayToRGB scales and repeats gray of 1, 2 or 4 bits.
func lowGrayToRGB(dst, row []byte, f *parts) {
	scale := byte(255 / (1<<f.BitDepth - 1))
	for x := 0; 3*x+2 < len(dst); x++ {
		v := sampleAt(row, x, f.BitDepth) * scale
		dst[3*x], dst[3*x+1], dst[3*x+2] = v, v, v
	}
}

func paletteToRGB(dst, row []byte, f *parts) {
	if f.BitDepth < 8 {
		for x := 0; 3*x+2 < len(dst); x++ {
			i := 3 * int(sampleAt(row, x, f.BitDepth))
			copy(dst[3*x:3*x+3], f.palette[i:i+3])
		}
		return
	}
	for _, v := range row {
		i := 3 * int(v)
		copy(dst[:3], f.palette[i:i+3])
		dst = dst[3:]
	}
}

// unpack gives every sample of 1, 2 or 4 bits a byte.
func unpack(dst, row []byte, f *parts) {
	for x := range dst {
		dst[x] = sampleAt(row, x, f.BitDepth)
	}
}

// sampleAt is sample x of a row with depth bits each, the leftmost highest.
func sampleAt(row []byte, x, depth int) byte {
	at := x * depth
	return row[at>>3] >> (8 - depth - at&7) & (1<<depth - 1)
}

// lowBytes takes the low byte of big-endian 16-bit samples.
func lowBytes(dst, row []byte, _ *parts) {
	for len(dst) >= 4 && len(row) >= 8 {
		v := binary.LittleEndian.Uint64(row) >> 8 & 0x00ff00ff00ff00ff
		v = (v | v>>8) & 0x0000ffff0000ffff
		binary.LittleEndian.PutUint32(dst, uint32(v|v>>16))
		dst, row = dst[4:], row[8:]
	}
	for x := range dst {
		dst[x] = row[2*x+1]
	}
}
