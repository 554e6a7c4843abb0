package files

import (
	"bytes"
	"encoding/binary"
	"errors"
	"unicode/utf16"
	"unicode/utf8"
)

// Text is a text file's content as UTF-8: without the byte order mark that editors on
// Windows put before it, and converted from the UTF-16 that PowerShell writes.
func Text(data []byte) (string, error) {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		order = binary.LittleEndian
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		order = binary.BigEndian
	default:
		data = bytes.TrimPrefix(data, []byte("\ufeff"))
		if bytes.IndexByte(data, 0) >= 0 {
			return "", errors.New("it is not a text in UTF-8: it has bytes that are 0, as UTF-16 has")
		}
		return string(data), nil
	}
	if data = data[2:]; len(data)%2 != 0 {
		return "", errors.New("it is cut off: it is UTF-16 with an odd number of bytes")
	}
	units := make([]uint16, len(data)/2)
	for i := range units {
		units[i] = order.Uint16(data[2*i:])
	}
	out := make([]byte, 0, len(units))
	for _, r := range utf16.Decode(units) {
		out = utf8.AppendRune(out, r)
	}
	return string(out), nil
}
