package view

import (
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"

	"github.com/pipa-uda/pipa/pipeline"
)

// A Matrix is a table of how often each label was taken for each class.
type Matrix struct {
	Title   string
	Classes []string
	Colors  [][3]uint8 // of the classes; nil means raster.Palette's
	Counts  []int64    // [len(Classes)*len(Classes)] pixels, by label (rows) and prediction (columns)
}

// Validate names the matrix whose counts do not fit its classes.
func (m Matrix) Validate() error {
	n := len(m.Classes)
	if n == 0 || len(m.Counts) != n*n {
		return fmt.Errorf("draw confusion of %s: %d counts for %d classes, want %d", m.Title, len(m.Counts), n, n*n)
	}
	if m.Colors != nil && len(m.Colors) != n {
		return fmt.Errorf("draw confusion of %s: %d colors for %d classes", m.Title, len(m.Colors), n)
	}
	return nil
}

// Distances on a confusion matrix, in pixels.
const (
	matrixCell = 30
	swatchSize = 12
)

// Confusion draws matrices, several in a square. It fails without one. Each row is normalized: a cell is the
// share of the label's pixels that were predicted as the column's class, in
// percent where that is half a percent or more. A label without a pixel has no
// shares.
func Confusion(matrices ...Matrix) (image.Image, error) {
	if len(matrices) == 0 {
		return nil, errors.New("draw confusion: there is no matrix")
	}
	faces, err := loadTypefaces()
	if err != nil {
		return nil, err
	}
	var pictures []*image.NRGBA
	var tile image.Point
	for _, m := range matrices {
		if err := m.Validate(); err != nil {
			return nil, err
		}
		p := faces.matrix(m)
		pictures = append(pictures, p)
		tile.X, tile.Y = max(tile.X, p.Rect.Dx()), max(tile.Y, p.Rect.Dy())
	}
	columns := int(math.Ceil(math.Sqrt(float64(len(pictures)))))
	lines := (len(pictures) + columns - 1) / columns
	dst := image.NewNRGBA(image.Rect(0, 0, columns*tile.X, lines*tile.Y))
	fill(dst, dst.Rect, paper)
	for i, p := range pictures {
		draw.Draw(dst, p.Rect.Add(image.Pt(i%columns*tile.X, i/columns*tile.Y)), p, image.Point{}, draw.Src)
	}
	return dst, nil
}

// matrix draws one, as large as its names need.
func (f typefaces) matrix(m Matrix) *image.NRGBA {
	n, names := len(m.Classes), 0
	for _, c := range m.Classes {
		names = max(names, f.body.width(c))
	}
	const rows, columns = "label ↓", "prediction →"
	names = max(names, f.body.width(rows))
	left := margin + names + 6 + swatchSize + 8
	head := margin + f.title.height + f.body.height + 14
	top := head + names + 8 + swatchSize + 6
	note := "% of each label's pixels"
	width := max(left+n*matrixCell, margin+f.title.width(m.Title), left+f.body.width(columns+"   "+note)) + margin
	dst := image.NewNRGBA(image.Rect(0, 0, width, top+n*matrixCell+margin))
	fill(dst, dst.Rect, paper)

	f.title.draw(dst, margin, margin, m.Title, ink)
	f.body.draw(dst, left, margin+f.title.height+4, columns, ink)
	f.body.draw(dst, left+f.body.width(columns+"   "), margin+f.title.height+4, note, faint)
	f.body.draw(dst, left-8-f.body.width(rows), top-f.body.height-4, rows, ink)
	colors := pipeline.Header{Classes: m.Classes, Colors: m.Colors}.Palette()
	for i, name := range m.Classes {
		middle := i*matrixCell + matrixCell/2
		swatch := func(x, y int) {
			c := colors[i]
			r := image.Rect(x, y, x+swatchSize, y+swatchSize)
			fill(dst, r, contrast)
			fill(dst, r.Inset(1), color.NRGBA{c[0], c[1], c[2], 255})
		}
		f.body.draw(dst, left-8-swatchSize-6-f.body.width(name), top+middle-f.body.height/2, name, ink)
		swatch(left-8-swatchSize, top+middle-swatchSize/2)
		f.body.drawUp(dst, left+middle-f.body.height/2, top-8-swatchSize-6, name, ink)
		swatch(left+middle-swatchSize/2, top-8-swatchSize)
	}
	for i := range n {
		row := m.Counts[i*n : (i+1)*n]
		var total int64
		for _, v := range row {
			total += v
		}
		for j, v := range row {
			cell := image.Rect(0, 0, matrixCell-1, matrixCell-1).Add(image.Pt(left+j*matrixCell, top+i*matrixCell))
			if total == 0 {
				fill(dst, cell, empty)
				continue
			}
			f.cell(dst, cell, float64(v)/float64(total), i == j)
		}
	}
	return dst
}

// cell is a share as a shade, blue where the prediction is right and orange
// where it is not, and as a number.
func (f typefaces) cell(dst *image.NRGBA, r image.Rectangle, share float64, right bool) {
	full := color.NRGBA{194, 84, 10, 255}
	if right {
		full = color.NRGBA{24, 92, 160, 255}
	}
	// The root keeps rare confusions visible.
	k := math.Sqrt(share)
	mix := func(a, b uint8) uint8 { return uint8(math.Round(float64(a) + k*(float64(b)-float64(a)))) }
	fill(dst, r, color.NRGBA{mix(246, full.R), mix(247, full.G), mix(249, full.B), 255})
	percent := int(math.Round(100 * share))
	if percent == 0 {
		return
	}
	text, c := fmt.Sprint(percent), color.Color(ink)
	if k > 0.55 {
		c = paper
	}
	f.body.draw(dst, r.Min.X+(r.Dx()-f.body.width(text))/2, r.Min.Y+(r.Dy()-f.body.height)/2, text, c)
}

// drawUp sets s from bottom to top, beginning at y, with the left edge of its
// line at x.
func (t typeface) drawUp(dst *image.NRGBA, x, y int, s string, c color.Color) {
	line := image.NewNRGBA(image.Rect(0, 0, t.width(s), t.height))
	t.draw(line, 0, 0, s, c)
	for i := range line.Rect.Dx() {
		for j := range line.Rect.Dy() {
			ink := image.NewUniform(line.NRGBAAt(i, j))
			at := image.Rect(0, 0, 1, 1).Add(image.Pt(x+j, y-1-i))
			draw.Draw(dst, at, ink, image.Point{}, draw.Over)
		}
	}
}
