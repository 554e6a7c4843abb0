package png

import (
	"errors"
	"strings"
	"testing"
)

// TestForeign: what is not a PNG is said to be what it is.
func TestForeign(t *testing.T) {
	for _, c := range []struct{ data, want string }{
		{"", "empty"},
		{"\xff\xd8\xff\xe0\x00\x10JFIF\x00", "a JPEG"},
		{"RIFF\x24\x00\x00\x00WEBPVP8 ", "a WebP"},
		{"RIFF\x24\x00\x00\x00WAVEfmt ", "another kind of file, which begins with 52 49 46 46"},
		{"II*\x00\x08\x00\x00\x00", "a TIFF"},
		{"MM\x00*\x00\x00\x00\x08", "a TIFF"},
		{"GIF89a......", "a GIF"},
		{"BM\x36\x00", "a BMP"},
		{"\x00\x00\x01\x00\x03\x00\x10\x10", "an icon"},
		{"\x00\x00\x00\x20ftypavif\x00\x00\x00\x00", "an AVIF"},
		{"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00", "a HEIC"},
		{"<!DOCTYPE html>\n<html>", "HTML"},
		{"\ufeff\r\n<HTML lang=en>", "HTML"},
		{"<?xml version=\"1.0\"?><Error/>", "XML"},
		{"{\"message\": \"Not Found\"}", "JSON"},
		{"version https://git-lfs.github.com/spec/v1\noid sha256:0", "a pointer of Git LFS"},
		{strings.Repeat("\x00", 4096), "4096 bytes that are all 0"},
		{"\x89PNG\n\x1a\n\x00\x00", "line ends were converted"},
		{"\x89PNG\r\r\n\x1a\r\n", "line ends were converted"},
		{"\x89PN", "a PNG's first 3 bytes"},
		{"no such key", "a text"},
		{"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X", "AppleDouble"},
		{"PK\x03\x04\x14\x00", "a ZIP archive"},
		{"\x01\x02\x03", "another kind of file, which begins with 01 02 03"},
	} {
		_, err := Open([]byte(c.data))
		var foreign *SignatureError
		if !errors.As(err, &foreign) || !strings.Contains(foreign.Found, c.want) {
			t.Errorf("%.20q: %v, want %q", c.data, err, c.want)
		}
	}
}
