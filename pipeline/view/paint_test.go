package view

import (
	"slices"
	"testing"

	"github.com/pipa-uda/pipa/pipeline/raster"
)

func plane(t *testing.T, h, w, c int, pix ...byte) raster.Raster {
	t.Helper()
	r, err := raster.Wrap(h, w, c, pix)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestColorize(t *testing.T) {
	colors := [][3]uint8{{1, 2, 3}, {4, 5, 6}}
	got, err := Colorize(plane(t, 1, 4, 1, 1, 0, 255, 7), colors)
	if err != nil {
		t.Fatal(err)
	}
	want := []byte{4, 5, 6, 1, 2, 3, 0, 0, 0, 255, 0, 255}
	if got.Height() != 1 || got.Width() != 4 || !slices.Equal(got.Pix(), want) {
		t.Errorf("got %v, want %v", got.Pix(), want)
	}
	if _, err := Colorize(plane(t, 1, 1, 3, 1, 2, 3), colors); err == nil {
		t.Error("an image passed for a label")
	}
	if _, err := Colorize(raster.Raster{}, colors); err == nil {
		t.Error("no raster passed for a label")
	}
}

func TestOverlay(t *testing.T) {
	image := plane(t, 1, 2, 3, 100, 100, 100, 40, 50, 60)
	label := plane(t, 1, 2, 1, 0, 255)
	colors := [][3]uint8{{200, 0, 100}}
	for _, c := range []struct {
		opacity float64
		want    []byte
	}{
		{0, []byte{100, 100, 100, 40, 50, 60}},
		{0.5, []byte{150, 50, 100, 40, 50, 60}},
		{1, []byte{200, 0, 100, 40, 50, 60}},
	} {
		got, err := Overlay(image, label, colors, c.opacity)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.Pix(), c.want) {
			t.Errorf("opacity %v: got %v, want %v", c.opacity, got.Pix(), c.want)
		}
	}
	if image.Pix()[0] != 100 {
		t.Error("the image itself was painted over")
	}
	for name, f := range map[string]func() (raster.Raster, error){
		"size":    func() (raster.Raster, error) { return Overlay(image, plane(t, 2, 1, 1, 0, 0), colors, 0.5) },
		"image":   func() (raster.Raster, error) { return Overlay(label, label, colors, 0.5) },
		"label":   func() (raster.Raster, error) { return Overlay(image, image, colors, 0.5) },
		"opacity": func() (raster.Raster, error) { return Overlay(image, label, colors, 1.5) },
	} {
		if _, err := f(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
