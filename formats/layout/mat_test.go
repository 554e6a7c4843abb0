package layout

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// element is a MAT-file's data element, padded as the format wants it.
func element(kind uint32, content []byte) []byte {
	out := binary.LittleEndian.AppendUint32(nil, kind)
	out = append(binary.LittleEndian.AppendUint32(out, uint32(len(content))), content...)
	if kind != matCompressed {
		out = append(out, make([]byte, -len(out)&7)...)
	}
	return out
}

// matrix is a variable of numbers, stored as the kind says.
func matrix(name string, kind uint32, numbers []byte) []byte {
	return element(matMatrix, slices.Concat(element(matUint32, make([]byte, 8)), element(matInt32, make([]byte, 8)), element(matInt8, []byte(name)), element(kind, numbers)))
}

// deflated is an element as MATLAB stores it since version 7.
func deflated(content []byte) []byte {
	var b bytes.Buffer
	z := zlib.NewWriter(&b)
	z.Write(content)
	z.Close()
	return element(matCompressed, b.Bytes())
}

func matFile(elements ...[]byte) []byte {
	header := bytes.Repeat([]byte(" "), matHeader)
	copy(header[124:], "\x00\x01IM")
	return append(header, slices.Concat(elements...)...)
}

func doubles(values ...float64) (out []byte) {
	for _, v := range values {
		out = binary.LittleEndian.AppendUint64(out, math.Float64bits(v))
	}
	return out
}

func TestMATNumbers(t *testing.T) {
	small := []byte{matUint8, 0, 2, 0, 7, 9, 0, 0} // two bytes in the tag
	file := matFile(
		matrix("plain", matDouble, doubles(1, 24966)),
		deflated(matrix("trainIds", matUint16, []byte{1, 0, 0x86, 0x61})),
		element(matMatrix, slices.Concat(element(matUint32, make([]byte, 8)), element(matInt32, make([]byte, 8)), element(matInt8, []byte("tagged")), small)),
		matrix("half", matDouble, doubles(0.5)),
	)
	for _, c := range []struct {
		name  string
		data  []byte
		want  []int
		fails string
	}{
		{"plain", file, []int{1, 24966}, ""},
		{"trainIds", file, []int{1, 24966}, ""},
		{"tagged", file, []int{7, 9}, ""},
		{"half", file, nil, "0.5 is not a frame's number"},
		{"valIds", file, nil, "it has no variable valIds"},
		{"plain", file[:matHeader+40], nil, "it ends early"},
		{"plain", []byte("00001\n00002\n"), nil, "it is not a MAT-file of level 5"},
	} {
		got, err := matNumbers(c.data, c.name)
		if !slices.Equal(got, c.want) || (err == nil) != (c.fails == "") || err != nil && !strings.Contains(err.Error(), c.fails) {
			t.Errorf("%s: %v, %v, want %v, %q", c.name, got, err, c.want, c.fails)
		}
	}
}

// TestAListMayBeAVariable of a MATLAB file, whose numbers are frames' names.
func TestAListMayBeAVariable(t *testing.T) {
	l := of("img/*.png", "gt/{1}.png")
	l.Splits[0].Sample, l.Splits[0].Lists = "{1}", []string{"split.mat#trainIds"}
	files := mapFiles("img/00001.png", "img/00002.png", "img/00003.png", "gt/00001.png", "gt/00002.png", "gt/00003.png")
	if _, err := l.List(files, "train", false); err == nil || !strings.Contains(err.Error(), "there is no split.mat#trainIds") {
		t.Errorf("without the file: %v", err)
	}
	files["split.mat"] = &fstest.MapFile{Data: matFile(matrix("trainIds", matUint8, []byte{3, 1}))}
	listing, err := l.List(files, "train", false)
	if err != nil || len(listing.Pairs) != 2 || listing.Pairs[0].Sample != "00001" || listing.Pairs[1].Sample != "00003" {
		t.Errorf("%+v, %v", listing, err)
	}
	files["split.mat"].Data = []byte("no")
	if _, err := l.List(files, "train", false); err == nil || !strings.Contains(err.Error(), "list split.mat#trainIds: it is not a MAT-file") {
		t.Errorf("another file: %v", err)
	}
}

// FuzzMATNumbers: damaged files are errors, or have fewer numbers.
func FuzzMATNumbers(f *testing.F) {
	f.Add(matFile(matrix("a", matDouble, doubles(1, 2)), deflated(matrix("a", matUint16, []byte{1, 0}))))
	f.Fuzz(func(t *testing.T, data []byte) {
		if numbers, err := matNumbers(data, "a"); err != nil && numbers != nil {
			t.Errorf("%v with %v", numbers, err)
		}
	})
}
