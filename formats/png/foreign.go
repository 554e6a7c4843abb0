package png

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// A SignatureError is a file that does not begin as a PNG does.
type SignatureError struct {
	Found string // what it is instead, as "a JPEG" or "empty"
}

func (e *SignatureError) Error() string { return "not a PNG file: it is " + e.Found }

// kinds are what files that are met in a PNG's place begin with.
var kinds = []struct{ magic, name string }{
	{"\xff\xd8\xff", "a JPEG"},
	{"GIF8", "a GIF"},
	{"II*\x00", "a TIFF"},
	{"MM\x00*", "a TIFF"},
	{"II+\x00", "a BigTIFF"},
	{"MM\x00+", "a BigTIFF"},
	{"\x00\x00\x00\x0cjP  ", "a JPEG 2000"},
	{"\xffO\xffQ", "a JPEG 2000"},
	{"\xff\x0a", "a JPEG XL"},
	{"\x00\x00\x00\x0cJXL ", "a JPEG XL"},
	{"8BPS", "a Photoshop document"},
	{"BM", "a BMP"},
	{"\x00\x00\x01\x00", "an icon (ICO)"},
	{"P5", "a PGM"},
	{"P6", "a PPM"},
	{"\x76\x2f\x31\x01", "an OpenEXR image"},
	{"\x93NUMPY", "a NumPy array"},
	{"\x89HDF", "an HDF5 file"},
	{"%PDF", "a PDF"},
	{"PK\x03\x04", "a ZIP archive"},
	{"\x1f\x8b", "a gzip file"},
	{"\x00\x05\x16\x07", "macOS metadata of a file (AppleDouble), not the file"},
	{"version https://git-lfs.github.com/", "a pointer of Git LFS, not the file: git lfs pull"},
	{"\x89PNG\n", "a PNG whose line ends were converted, as of a text: copy it anew"},
	{"\x89PNG\r\r", "a PNG whose line ends were converted, as of a text: copy it anew"},
}

// whatIs says what a file that is not a PNG is, by its first bytes.
func whatIs(data []byte) string {
	head := data[:min(len(data), 512)]
	if len(head) == 0 {
		return "empty"
	}
	for _, k := range kinds {
		if bytes.HasPrefix(head, []byte(k.magic)) {
			return k.name
		}
	}
	text := bytes.ToLower(bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\ufeff")), " \t\r\n"))
	switch {
	case len(head) >= 12 && string(head[:4]) == "RIFF" && string(head[8:12]) == "WEBP":
		return "a WebP"
	case len(head) >= 12 && string(head[4:8]) == "ftyp":
		if brand := string(head[8:11]); brand == "avi" {
			return "an AVIF"
		}
		return "a HEIC, or a film"
	case bytes.HasPrefix(text, []byte("<!doctype html")), bytes.HasPrefix(text, []byte("<html")), bytes.HasPrefix(text, []byte("<head")):
		return "HTML, perhaps a page that a server sent in the file's place"
	case bytes.HasPrefix(text, []byte("<svg")):
		return "an SVG"
	case bytes.HasPrefix(text, []byte("<")):
		return "XML"
	case bytes.HasPrefix(text, []byte("{")), bytes.HasPrefix(text, []byte("[")):
		return "JSON, or another text"
	case len(bytes.Trim(data, "\x00")) == 0:
		return fmt.Sprintf("%d bytes that are all 0, as a copy leaves that was cut off", len(data))
	case len(data) < len(magic) && bytes.HasPrefix([]byte(magic), data):
		return fmt.Sprintf("a PNG's first %d bytes", len(data))
	case isText(head):
		return "a text"
	}
	return "another kind of file, which begins with " + fmt.Sprintf("% x", head[:min(len(head), 8)])
}

// isText reports whether the beginning of a file is UTF-8 without control characters.
func isText(head []byte) bool {
	for len(head) > 0 {
		r, n := utf8.DecodeRune(head)
		if r == utf8.RuneError && n == 1 && len(head) >= utf8.UTFMax { // not a rune that was cut
			return false
		}
		if r < ' ' && r != '\n' && r != '\r' && r != '\t' {
			return false
		}
		head = head[n:]
	}
	return true
}
