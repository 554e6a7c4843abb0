package view

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
)

// The colors of a sheet.
var (
	paper    = color.NRGBA{255, 255, 255, 255}
	ink      = color.NRGBA{30, 32, 36, 255}
	faint    = color.NRGBA{104, 108, 116, 255}
	empty    = color.NRGBA{236, 237, 240, 255}
	overlap  = color.NRGBA{255, 221, 0, 255}
	contrast = color.NRGBA{20, 20, 20, 255}
)

// A typeface is one size of a font.
type typeface struct {
	face   font.Face
	height int // of a line, pixels
	ascent int
}

// typefaces are what a sheet is set in.
type typefaces struct{ title, body typeface }

func loadTypefaces() (typefaces, error) {
	var t typefaces
	for _, f := range []struct {
		to   *typeface
		data []byte
		size float64
	}{{&t.title, gobold.TTF, 15}, {&t.body, goregular.TTF, 13}} {
		parsed, err := opentype.Parse(f.data)
		if err != nil {
			return t, fmt.Errorf("load the sheet's font: %w", err)
		}
		face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: f.size, DPI: 72, Hinting: font.HintingFull})
		if err != nil {
			return t, fmt.Errorf("load the sheet's font: %w", err)
		}
		m := face.Metrics()
		*f.to = typeface{face, m.Height.Ceil() + 2, m.Ascent.Ceil()}
	}
	return t, nil
}

func (t typeface) width(s string) int { return font.MeasureString(t.face, s).Ceil() }

// draw sets s with the upper left corner of its line at (x, y).
func (t typeface) draw(dst draw.Image, x, y int, s string, c color.Color) {
	d := font.Drawer{Dst: dst, Src: image.NewUniform(c), Face: t.face, Dot: fixed.P(x, y+t.ascent)}
	d.DrawString(s)
}

// fit shortens s to width pixels. Names of a data set differ at their ends,
// so what is left out is left out of the middle.
func (t typeface) fit(s string, width int) string {
	if t.width(s) <= width {
		return s
	}
	r := []rune(s)
	for keep := min(len(r)-1, width); keep > 0; keep-- { // hardly a letter is narrower than a pixel
		head := keep / 2
		short := string(r[:head]) + "…" + string(r[len(r)-(keep-head):])
		if t.width(short) <= width {
			return short
		}
	}
	return ""
}
