package layout

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// Types of data elements of a MAT-file of level 5 (MATLAB's "MAT-File Format", table
// 1-1), and the class of the arrays that have numbers.
const (
	matInt8       = 1
	matUint8      = 2
	matInt16      = 3
	matUint16     = 4
	matInt32      = 5
	matUint32     = 6
	matSingle     = 7
	matDouble     = 9
	matMatrix     = 14
	matCompressed = 15

	matHeader = 128
	maxMAT    = 16 << 20 // bytes of a variable, unpacked: GTA5's have 100 thousand
)

var errShortMAT = errors.New("it ends early")

// matNumbers reads a variable of a MATLAB file, an array of whole numbers.
func matNumbers(data []byte, variable string) ([]int, error) {
	if len(data) < matHeader || string(data[126:128]) != "IM" {
		return nil, errors.New("it is not a MAT-file of level 5, of a little-endian machine")
	}
	for data = data[matHeader:]; len(data) >= 8; {
		kind, content, rest, err := matElement(data)
		if err != nil {
			return nil, err
		}
		data = rest
		if kind == matCompressed {
			z, err := zlib.NewReader(bytes.NewReader(content))
			if err != nil {
				return nil, err
			}
			unpacked, err := io.ReadAll(io.LimitReader(z, maxMAT))
			if err != nil {
				return nil, err
			}
			if kind, content, _, err = matElement(unpacked); err != nil {
				return nil, err
			}
		}
		if kind != matMatrix {
			continue
		}
		// Flags, dimensions, name, numbers.
		var parts [4][]byte
		var kinds [4]uint32
		for i := range parts {
			if kinds[i], parts[i], content, err = matElement(content); err != nil {
				return nil, err
			}
		}
		if string(parts[2]) == variable {
			return matArray(kinds[3], parts[3])
		}
	}
	return nil, fmt.Errorf("it has no variable %s", variable)
}

// matElement is the first of data's elements, and what comes after.
func matElement(data []byte) (kind uint32, content, rest []byte, err error) {
	if len(data) < 8 {
		return 0, nil, nil, errShortMAT
	}
	kind, size := binary.LittleEndian.Uint32(data), int64(binary.LittleEndian.Uint32(data[4:]))
	if small := kind >> 16; small != 0 { // up to 4 bytes, in the tag
		if small > 4 {
			return 0, nil, nil, errShortMAT
		}
		return kind & 0xffff, data[4 : 4+small], data[8:], nil
	}
	if size > int64(len(data)-8) {
		return 0, nil, nil, errShortMAT
	}
	end := 8 + size
	if kind != matCompressed {
		end = min((end+7)&^7, int64(len(data)))
	}
	return kind, data[8 : 8+size], data[end:], nil
}

// matArray is an array of numbers, which MATLAB stores as small as they are.
func matArray(kind uint32, data []byte) ([]int, error) {
	size := map[uint32]int{matInt8: 1, matUint8: 1, matInt16: 2, matUint16: 2, matInt32: 4, matUint32: 4, matSingle: 4, matDouble: 8}[kind]
	if size == 0 {
		return nil, fmt.Errorf("its numbers are of type %d", kind)
	}
	var out []int
	for ; len(data) >= size; data = data[size:] {
		v := 0.0
		switch kind {
		case matInt8:
			v = float64(int8(data[0]))
		case matUint8:
			v = float64(data[0])
		case matInt16:
			v = float64(int16(binary.LittleEndian.Uint16(data)))
		case matUint16:
			v = float64(binary.LittleEndian.Uint16(data))
		case matInt32:
			v = float64(int32(binary.LittleEndian.Uint32(data)))
		case matUint32:
			v = float64(binary.LittleEndian.Uint32(data))
		case matSingle:
			v = float64(math.Float32frombits(binary.LittleEndian.Uint32(data)))
		case matDouble:
			v = math.Float64frombits(binary.LittleEndian.Uint64(data))
		}
		if v != math.Trunc(v) || math.Abs(v) > 1<<31 {
			return nil, fmt.Errorf("%v is not a frame's number", v)
		}
		out = append(out, int(v))
	}
	return out, nil
}
