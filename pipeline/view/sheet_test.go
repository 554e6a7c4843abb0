package view

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

const classCount = 3

var testClasses = []string{"road", "sky", "a class of one's own"}

// Pictures of the test rows: a gray image, and a label of one class.
func testImage(h, w int) raster.Raster {
	r := raster.New(h, w, 3)
	for i := range r.Pix() {
		r.Pix()[i] = 90
	}
	return r
}

func testLabel(h, w int, id uint8) raster.Raster {
	r := raster.New(h, w, 1)
	for i := range r.Pix() {
		r.Pix()[i] = id
	}
	return r
}

// testMask has the source on the left half.
func testMask(h, w int) raster.Raster {
	r := raster.New(h, w, 1)
	for y := range h {
		for x := range w / 2 {
			r.Row(y)[x] = 1
		}
	}
	return r
}

func testSample(i int) pipeline.Sample {
	return pipeline.Sample{
		ID: fmt.Sprintf("gta/train/%05d", i), Dataset: "gta", Split: "train",
		Image: testImage(24, 48), Label: testLabel(24, 48, uint8(i%classCount)),
	}
}

// stream is n rows of a kind in batches of 5.
func stream(t *testing.T, kind pipeline.Kind, n int, labeled bool) pipeline.Stream {
	t.Helper()
	var pulled int
	return batched(t, kind, n, labeled, 5, &pulled)
}

// batched is n rows of a kind in batches of size rows. pulled counts the
// batches that were asked for.
func batched(t *testing.T, kind pipeline.Kind, n int, labeled bool, size int, pulled *int) pipeline.Stream {
	t.Helper()
	h := pipeline.Header{Kind: kind, Seed: 1, Classes: testClasses, Datasets: []string{"gta"}, Labeled: labeled, Size: raster.Size{Height: 24, Width: 48}}
	if kind == pipeline.KindPair {
		h.Size = raster.Size{Height: 16, Width: 16}
	}
	h, err := h.With("read", struct{ Format string }{"gta"})
	if err != nil {
		t.Fatal(err)
	}
	return pipeline.Stream{Header: h, Batches: func(yield func(*pipeline.Batch, error) bool) {
		b := pipeline.NewBuilder(h)
		defer b.Release()
		for i := 0; i < n; {
			for end := min(n, i+size); i < end; i++ {
				if err := appendRow(b, kind, i, labeled); err != nil {
					t.Error(err)
					return
				}
			}
			*pulled++
			batch, err := b.Batch()
			if !yield(batch, err) || err != nil {
				return
			}
		}
	}}
}

func appendRow(b *pipeline.Builder, kind pipeline.Kind, i int, labeled bool) error {
	s := testSample(i)
	if !labeled {
		s.Label = raster.Raster{}
	}
	switch kind {
	case pipeline.KindMix:
		return b.AppendMix(pipeline.Mix{
			Sample: s, TargetID: "cityscapes/train/aachen_000000_000019", Mask: testMask(24, 48), Classes: []raster.TrainID{0, 2}, Weight: 0.5,
		})
	case pipeline.KindPair:
		p := pipeline.Pair{
			ID: s.ID, Scale: 1.5,
			A: pipeline.Crop{Image: testImage(16, 16), Overlap: raster.Box{Y0: 4, X0: 0, Y1: 16, X1: 8}, Flip: true, Origin: [2]int{0, 8}},
			B: pipeline.Crop{Image: testImage(16, 16), Overlap: raster.Box{Y0: 0, X0: 0, Y1: 12, X1: 8}, Origin: [2]int{4, 16}},
		}
		if labeled {
			p.A.Label, p.B.Label = testLabel(16, 16, 0), testLabel(16, 16, 0)
		}
		return b.AppendPair(p)
	}
	return b.AppendSample(s)
}

// has counts the pixels of a color.
func has(m image.Image, c [3]uint8) int {
	n := 0
	want := color.NRGBA{c[0], c[1], c[2], 255}
	for y := range m.Bounds().Dy() {
		for x := range m.Bounds().Dx() {
			if color.NRGBAModel.Convert(m.At(x, y)) == want {
				n++
			}
		}
	}
	return n
}

func TestSheetShowsEveryKind(t *testing.T) {
	road := raster.Palette(testClasses, nil)[0]
	for _, c := range []struct {
		name    string
		kind    pipeline.Kind
		labeled bool
		colors  [][3]uint8 // that must cover more than a swatch
		absent  [][3]uint8
	}{
		{"labeled samples", pipeline.KindSample, true, [][3]uint8{road}, [][3]uint8{fromSource}},
		{"unlabelled samples", pipeline.KindSample, false, nil, [][3]uint8{road, fromSource}},
		{"mixes", pipeline.KindMix, true, [][3]uint8{road, fromSource, fromTarget}, nil},
		{"labeled pairs", pipeline.KindPair, true, [][3]uint8{road, {255, 221, 0}}, nil},
		{"unlabelled pairs", pipeline.KindPair, false, [][3]uint8{{255, 221, 0}}, [][3]uint8{road}},
	} {
		for _, n := range []int{1, 4, 64} {
			t.Run(fmt.Sprintf("%s/%d", c.name, n), func(t *testing.T) {
				m, err := Sheet(context.Background(), stream(t, c.kind, n, c.labeled), Options{})
				if err != nil {
					t.Fatal(err)
				}
				if size := m.Bounds().Size(); size.X > widest || size.X < minimum || size.Y > 4000 {
					t.Errorf("the sheet is %v", size)
				}
				const swatch = 12 * 12
				for _, want := range c.colors {
					if has(m, want) <= swatch {
						t.Errorf("color %v covers %d pixels", want, has(m, want))
					}
				}
				for _, not := range c.absent {
					if has(m, not) > 0 {
						t.Errorf("color %v covers %d pixels, want none", not, has(m, not))
					}
				}
			})
		}
	}
}

func TestSheetStopsAtTheLimit(t *testing.T) {
	var pulled int
	if _, err := Sheet(context.Background(), batched(t, pipeline.KindSample, 100, true, 5, &pulled), Options{Limit: 7}); err != nil {
		t.Fatal(err)
	}
	if pulled != 2 {
		t.Errorf("7 rows in batches of 5 took %d batches, want 2", pulled)
	}
}

func TestSheetErrors(t *testing.T) {
	ctx := context.Background()
	if _, err := Sheet(ctx, stream(t, pipeline.KindSample, 0, true), Options{}); !errors.Is(err, ErrEmpty) {
		t.Errorf("no rows: %v, want ErrEmpty", err)
	}
	broken := errors.New("broken pipe upstream")
	s := stream(t, pipeline.KindSample, 0, true)
	s.Batches = func(yield func(*pipeline.Batch, error) bool) { yield(nil, broken) }
	if _, err := Sheet(ctx, s, Options{}); !errors.Is(err, broken) {
		t.Errorf("a stream's error came back as %v", err)
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := Sheet(canceled, stream(t, pipeline.KindSample, 3, true), Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	for _, o := range []Options{{Limit: -1}, {Limit: 2000}, {Columns: -1}, {Width: 8}, {Width: 4000}, {Opacity: 2}, {Opacity: -1}} {
		if _, err := Sheet(ctx, stream(t, pipeline.KindSample, 1, true), o); err == nil || !strings.Contains(err.Error(), "want") {
			t.Errorf("%+v: %v, want an error that says what is allowed", o, err)
		}
	}
}

// TestSheetDoesNotDependOnBatches holds that rows look the same however they
// are batched.
func TestSheetDoesNotDependOnBatches(t *testing.T) {
	draw := func(size int) []byte {
		var pulled int
		m, err := Sheet(context.Background(), batched(t, pipeline.KindSample, 6, true, size, &pulled), Options{})
		if err != nil {
			t.Fatal(err)
		}
		return m.(*image.NRGBA).Pix
	}
	whole := draw(6)
	for _, size := range []int{1, 4} {
		if !bytes.Equal(draw(size), whole) {
			t.Errorf("in batches of %d the sheet looks different", size)
		}
	}
}

func TestFit(t *testing.T) {
	faces, err := loadTypefaces()
	if err != nil {
		t.Fatal(err)
	}
	const id = "cityscapes/train/aachen_000123_000019"
	for _, width := range []int{0, 5, 30, 80, 150, 1000} {
		got := faces.body.fit(id, width)
		if faces.body.width(got) > width {
			t.Errorf("%q is %d wide, allowed %d", got, faces.body.width(got), width)
		}
		if width >= 80 && !strings.HasSuffix(got, "19") {
			t.Errorf("%q lost its end", got)
		}
		if width == 1000 && got != id {
			t.Errorf("%q was shortened without need", got)
		}
	}
}

// TestNothingIsClipped holds the layout: tiles lie inside the sheet, and the
// legend's lines inside its width.
func TestNothingIsClipped(t *testing.T) {
	for pictures := 1; pictures <= 4; pictures++ {
		for _, n := range []int{1, 2, 3, 4, 5, 7, 16, 17, 33, 64, 200, 1024} {
			for columns := range 5 {
				l := layout{width: pictureWidth(n), height: pictureWidth(n) / 2, pictures: pictures, notes: 2, noteHeight: 17}.arrange(n, columns)
				if l.columns*l.lines < n || (l.lines-1)*l.columns >= n {
					t.Errorf("%d tiles in %d columns and %d lines", n, l.columns, l.lines)
				}
				if columns > 0 && l.columns != min(columns, n) {
					t.Errorf("asked for %d columns of %d tiles, got %d", columns, n, l.columns)
				}
				if right := margin + l.columns*l.tileWidth() + (l.columns-1)*gutter; right > l.sheetWidth()-margin {
					t.Errorf("%d tiles: the last column ends at %d of %d", n, right, l.sheetWidth())
				}
			}
		}
	}
	faces, err := loadTypefaces()
	if err != nil {
		t.Fatal(err)
	}
	s := &sheet{faces: faces, header: pipeline.Header{Kind: pipeline.KindMix, Classes: append(raster.CityscapesClasses(), strings.Repeat("very ", 60)+"long")}}
	for _, width := range []int{minimum - 2*margin, 1000} {
		for _, line := range s.legend(width) {
			used := 0
			for _, e := range line {
				used += e.width
			}
			if used-16 > width {
				t.Errorf("a line of the legend is %d wide, allowed %d", used-16, width)
			}
		}
	}
}

// TestLongNamesAreShortened: what is left out is left out of the middle, however
// long the name is.
func TestLongNamesAreShortened(t *testing.T) {
	fonts, err := loadTypefaces()
	if err != nil {
		t.Fatal(err)
	}
	name := "first" + strings.Repeat("m", 300_000) + "last"
	short := fonts.body.fit(name, 200)
	if fonts.body.width(short) > 200 || fonts.body.width(short) < 180 || !strings.HasPrefix(short, "first") || !strings.HasSuffix(short, "last") {
		t.Errorf("%d pixels of %q", fonts.body.width(short), short)
	}
	if got := fonts.body.fit("short", 200); got != "short" {
		t.Errorf("%q", got)
	}
}
