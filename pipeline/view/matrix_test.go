package view

import (
	"image"
	"image/color"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/pipeline/raster"
)

// square is a matrix in which every label is predicted right three times in
// four, and else as the next class.
func square(classes []string) Matrix {
	n := len(classes)
	m := Matrix{Title: "run", Classes: classes, Counts: make([]int64, n*n)}
	for i := range n {
		m.Counts[i*n+i] = 3
		m.Counts[i*n+(i+1)%n]++
	}
	return m
}

// TestConfusionClipsNothing: however long names and title are, the picture's
// margin stays blank.
func TestConfusionClipsNothing(t *testing.T) {
	long := strings.Repeat("wide name ", 9)
	for name, m := range map[string]Matrix{
		"Cityscapes": square(raster.CityscapesClasses()),
		"long names": square([]string{long, "b", long + "c"}),
		"long title": {Title: long + long, Classes: []string{"a"}, Counts: []int64{7}},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Confusion(m)
			if err != nil {
				t.Fatal(err)
			}
			m, b := p.(*image.NRGBA), p.Bounds()
			blank := func(r image.Rectangle) {
				for y := r.Min.Y; y < r.Max.Y; y++ {
					for x := r.Min.X; x < r.Max.X; x++ {
						if m.NRGBAAt(x, y) != paper {
							t.Fatalf("the margin is painted at %d,%d of %v", x, y, b)
						}
					}
				}
			}
			const edge = margin - 1
			blank(image.Rect(0, 0, b.Max.X, edge))
			blank(image.Rect(0, b.Max.Y-edge, b.Max.X, b.Max.Y))
			blank(image.Rect(0, 0, edge, b.Max.Y))
			blank(image.Rect(b.Max.X-edge, 0, b.Max.X, b.Max.Y))
		})
	}
}

// TestConfusionShadesShares: right predictions are blue, wrong ones orange, the
// more the darker, and a label without a pixel is blank.
func TestConfusionShadesShares(t *testing.T) {
	faces, err := loadTypefaces()
	if err != nil {
		t.Fatal(err)
	}
	p := faces.matrix(Matrix{Title: "run", Classes: []string{"a", "b", "c"}, Counts: []int64{3, 1, 0, 1, 3, 0, 0, 0, 0}})
	left, top := 0, p.Rect.Dy()-margin-3*matrixCell
	for x := range p.Rect.Dx() { // the blank row finds the left edge
		if p.NRGBAAt(x, top+2*matrixCell+1) == empty {
			left = x
			break
		}
	}
	// The corner of cell (i, j), beside its number.
	corner := func(i, j int) color.NRGBA { return p.NRGBAAt(left+j*matrixCell+1, top+i*matrixCell+1) }
	right, wrong, none := corner(0, 0), corner(0, 1), corner(0, 2)
	if right.B <= right.R || wrong.R <= wrong.B {
		t.Errorf("right is %v, wrong is %v", right, wrong)
	}
	if none.R < 240 || none.B < 240 {
		t.Errorf("no confusion is %v", none)
	}
	if corner(1, 1) != right || corner(1, 0) != wrong {
		t.Error("equal shares have different shades")
	}
	for j := range 3 {
		if corner(2, j) != empty {
			t.Errorf("a label without a pixel has shade %v", corner(2, j))
		}
	}
}

func TestConfusionRefusesCountsThatDoNotFit(t *testing.T) {
	if _, err := Confusion(Matrix{Title: "run", Classes: []string{"a", "b"}, Counts: []int64{1}}); err == nil || !strings.Contains(err.Error(), "1 counts for 2 classes") {
		t.Errorf("error %v", err)
	}
	if _, err := Confusion(); err == nil {
		t.Error("drew no matrix at all")
	}
}
