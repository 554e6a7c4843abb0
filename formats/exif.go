package formats

import (
	"bytes"
	"encoding/binary"

	"github.com/pipa-uda/pipa/pipeline/raster"
)

// An orientation is how an image is to be turned to be shown (Exif 2.3, tag 0x0112): 1
// is as it lies in the file. From 5 on its sides change places.
type orientation uint8

// turned reports whether height and width change places.
func (o orientation) turned() bool { return o >= 5 }

// orientationOf is the orientation that a file says, or 1.
func orientationOf(data []byte) orientation {
	var exif []byte
	if isJPEG(data) {
		exif = exifOfJPEG(data)
	} else {
		exif = exifOfPNG(data)
	}
	return orientationIn(exif)
}

// exifOfJPEG is the TIFF structure in the APP1 segment before the first scan.
func exifOfJPEG(data []byte) []byte {
	for at := 2; at+4 <= len(data) && data[at] == 0xFF; {
		marker := data[at+1]
		switch {
		case marker == 0xFF: // fill
			at++
			continue
		case marker == 0xDA || marker == 0xD9: // SOS, EOI
			return nil
		}
		size := int(binary.BigEndian.Uint16(data[at+2:]))
		if size < 2 || at+2+size > len(data) {
			return nil
		}
		if body, ok := bytes.CutPrefix(data[at+4:at+2+size], []byte("Exif\x00\x00")); ok && marker == 0xE1 {
			return body
		}
		at += 2 + size
	}
	return nil
}

// exifOfPNG is the TIFF structure in the chunk eXIf.
func exifOfPNG(data []byte) []byte {
	const signature = 8
	for at := signature; at+12 <= len(data); {
		size := binary.BigEndian.Uint32(data[at:])
		if uint64(size) > uint64(len(data)-at-12) {
			return nil
		}
		body := data[at+8 : at+8+int(size)]
		if string(data[at+4:at+8]) == "eXIf" {
			return bytes.TrimPrefix(body, []byte("Exif\x00\x00"))
		}
		at += 12 + int(size)
	}
	return nil
}

// orientationIn reads tag 0x0112 of the first directory of a TIFF structure.
func orientationIn(tiff []byte) orientation {
	if len(tiff) < 8 {
		return 1
	}
	var order binary.ByteOrder
	switch string(tiff[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return 1
	}
	at := uint64(order.Uint32(tiff[4:]))
	if at+2 > uint64(len(tiff)) {
		return 1
	}
	entries := tiff[at+2:]
	for range order.Uint16(tiff[at:]) {
		if len(entries) < 12 {
			break
		}
		if order.Uint16(entries) == 0x0112 {
			const short, long = 3, 4 // some writers' type, which others read too
			var v uint32
			switch order.Uint16(entries[2:]) {
			case short:
				v = uint32(order.Uint16(entries[8:]))
			case long:
				v = order.Uint32(entries[8:])
			}
			if v >= 1 && v <= 8 {
				return orientation(v)
			}
		}
		entries = entries[12:]
	}
	return 1
}

// shown is an image turned by its orientation, in memory of its own.
func shown(m raster.Raster, o orientation) raster.Raster {
	h, w := m.Height(), m.Width()
	out := raster.New(h, w, 3)
	if o.turned() {
		out = raster.New(w, h, 3)
	}
	for y := range out.Height() {
		row := out.Row(y)
		for x := range out.Width() {
			fromY, fromX := y, x
			if o.turned() {
				fromY, fromX = x, y
			}
			switch o { // mirrored or turned, after the sides have changed places
			case 2:
				fromX = w - 1 - fromX
			case 3:
				fromY, fromX = h-1-fromY, w-1-fromX
			case 4:
				fromY = h - 1 - fromY
			case 6:
				fromY = h - 1 - fromY
			case 7:
				fromY, fromX = h-1-fromY, w-1-fromX
			case 8:
				fromX = w - 1 - fromX
			}
			copy(row[3*x:3*x+3], m.Row(fromY)[3*fromX:])
		}
	}
	return out
}
