package raster

import (
	"fmt"
	"slices"
	"testing"
)

// A class of one's own gets a color of its own.
func ExamplePalette() {
	colors := Palette([]string{"road", "tram stop"}, nil)
	fmt.Println(colors[0])
	// Output: [128 64 128]
}

func TestPaletteOfCityscapesIsThePublishedOne(t *testing.T) {
	if got := Palette(CityscapesClasses(), nil); !slices.Equal(got, CityscapesColors()) {
		t.Errorf("got %v", got)
	}
	// Classes are known by name, wherever they stand.
	got := Palette([]string{"sky", "lawn", "road"}, nil)
	if got[0] != [3]uint8{70, 130, 180} || got[2] != [3]uint8{128, 64, 128} {
		t.Errorf("sky, lawn, road: got %v", got)
	}
}

func TestPaletteIsDistinct(t *testing.T) {
	for _, n := range []int{1, 11, 60, 254} {
		classes := CityscapesClasses()[:n%19]
		for i := len(classes); i < n; i++ {
			classes = append(classes, fmt.Sprintf("class %d", i))
		}
		seen := map[[3]uint8]int{}
		for i, c := range Palette(classes, nil) {
			if j, ok := seen[c]; ok {
				t.Errorf("%d classes: %d and %d are both %v", n, j, i, c)
			}
			seen[c] = i
			if c == [3]uint8{0, 0, 0} || c == [3]uint8{255, 0, 255} {
				t.Errorf("%d classes: class %d has the color %v of pixels without a class", n, i, c)
			}
		}
	}
	// A handful of classes must be easy to tell apart.
	colors := Palette([]string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"}, nil)
	for i, a := range colors {
		for j, b := range colors[:i] {
			sum := 0
			for c := range 3 {
				d := int(a[c]) - int(b[c])
				sum += d * d
			}
			if sum < 40*40 {
				t.Errorf("colors %d %v and %d %v are close", j, b, i, a)
			}
		}
	}
}

// Colors that are given stand, whatever the names would have had, and no
// other class gets one of them.
func TestPaletteTakesGivenColors(t *testing.T) {
	road, first := [3]uint8{128, 64, 128}, Palette([]string{"lawn"}, nil)[0]
	got := Palette([]string{"road", "street", "lawn", "kerb"}, map[string][3]uint8{"street": road, "kerb": first})
	if got[1] != road || got[3] != first {
		t.Errorf("given colors are %v", got)
	}
	for i, a := range got {
		for j, b := range got[:i] {
			if a == b {
				t.Errorf("classes %d and %d are both %v", j, i, a)
			}
		}
	}
}
