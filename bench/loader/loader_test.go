package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/bench/measure"
	"github.com/pipa-uda/pipa/bench/python"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

func TestFlags(t *testing.T) {
	o, err := parse(nil)
	if want := (options{data: "build/bench", python: python.Interpreter, rounds: 7}); err != nil || o != want {
		t.Errorf("without flags: %+v, %v, want %+v", o, err, want)
	}
	o, err = parse([]string{"-sample", "cityscapes", "-rounds", "2", "-only", "PNG"})
	if err != nil || o.sample != "cityscapes" || o.rounds != 2 || o.only != "PNG" {
		t.Errorf("%+v, %v", o, err)
	}
	for _, args := range [][]string{{"-rounds", "0"}, {"-rounds", "many"}, {"cityscapes"}} {
		if _, err := parse(args); err == nil {
			t.Errorf("%v were taken", args)
		}
	}
}

// small are images of 1/16 of the full size in each direction.
func small(t *testing.T, cache string) *images {
	t.Helper()
	all, err := drawn(context.Background(), cache, 2, widths{gta: 119, cityscapes: 128})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestFixturesAreDrawnOnce(t *testing.T) {
	cache := t.TempDir()
	all := small(t, cache)
	if all.gta.Len() != 2 || all.cityscapes.Len() != 2 {
		t.Fatalf("%d and %d images, want 2 of each", all.gta.Len(), all.cityscapes.Len())
	}
	for _, want := range []string{"fixtures", "2 of 119x65 (0.", "2 of 128x64 (0."} {
		if !strings.Contains(all.what, want) {
			t.Errorf("described as %q, which lacks %q", all.what, want)
		}
	}
	before, err := os.Stat(all.gta.Entries[0].Image)
	if err != nil {
		t.Fatal(err)
	}
	again, err := os.Stat(small(t, cache).gta.Entries[0].Image)
	if err != nil || !os.SameFile(before, again) {
		t.Errorf("drawn again: %v", err)
	}
	other, err := drawn(context.Background(), cache, 1, widths{gta: 119, cityscapes: 128})
	if err != nil || other.dir == all.dir || other.gta.Len() != 1 {
		t.Errorf("another number of images lies in %s, as the first: %v", all.dir, err)
	}
}

// A sample's images are taken as they are, and GTA5's made of them: of their
// relative size, alike in content, with noise.
func TestASampleIsTakenAsItIs(t *testing.T) {
	ctx, cache := context.Background(), t.TempDir()
	source := small(t, cache)
	all, err := sampled(ctx, cache, source.cityscapes.Dir())
	if err != nil {
		t.Fatal(err)
	}
	if all.cityscapes.Dir() != source.cityscapes.Dir() || !strings.Contains(all.what, "real, 2 of 128x64 (") || !strings.Contains(all.what, ", from "+source.cityscapes.Dir()+", and made of them, with noise, 2 of 119x65 (") {
		t.Errorf("%s: described as %q", all.cityscapes.Dir(), all.what)
	}
	made, err := all.gta.Read(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	from, err := source.cityscapes.Read(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	// The middle stays the middle.
	if a, b := center(made.Label), center(from.Label); a != b {
		t.Errorf("the middle's class is %v, in the sample %v", a, b)
	}
	classes := func(r raster.Raster) []byte { return slices.Compact(slices.Sorted(slices.Values(r.Pix()))) }
	for _, class := range classes(made.Label) {
		if !slices.Contains(classes(from.Label), class) {
			t.Errorf("train ID %d is not in the sample", class)
		}
	}
	twice, err := sampled(ctx, cache, source.cityscapes.Dir())
	if err != nil || twice.dir != all.dir {
		t.Errorf("the second time: %v", err)
	}
}

func center(r raster.Raster) byte { return r.Row(r.Height() / 2)[r.Width()/2*r.Channels()] }

// Every row runs on both of its sides, or on ours alone, and is printed.
func TestATableWithoutTheOtherSide(t *testing.T) {
	fixed := func(v float64) func() (float64, error) { return func() (float64, error) { return v, nil } }
	rows := []row{
		{"PNG", fixed(0.010), fixed(0.045), "OpenCV", false, 2.8},
		{"sample", fixed(80), fixed(20), "usual loader", true, 4},
		{"crop pair", fixed(67), nil, "usual loader", true, 5},
	}
	times, err := measured(rows, 3)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range rows {
		if len(times[i][0]) != 3 || len(times[i][1]) != map[bool]int{true: 0, false: 3}[r.theirs == nil] {
			t.Errorf("%s has %d and %d values", r.name, len(times[i][0]), len(times[i][1]))
		}
	}
	text := table(rows, times)
	var got [][]string
	for line := range strings.Lines(text) {
		got = append(got, strings.Fields(line))
	}
	want := [][]string{
		{"pipa", "other", "times", "aim", "other"},
		{"PNG", "10.00", "ms", "45.00", "ms", "4.50", "2.80", "OpenCV"},
		{"sample", "80.0/s", "20.0/s", "4.00", "4.00", "usual", "loader"},
		{"crop", "pair", "67.0/s", "-", "-", "5.00", "usual", "loader:", "left", "out"},
	}
	if !slices.EqualFunc(got, want, slices.Equal[[]string]) {
		t.Errorf("the table is\n%s", text)
	}
}

// A whole run without Python: the first line says what was measured on what, the
// last that one side is missing.
func TestARunWithoutPython(t *testing.T) {
	cache := t.TempDir()
	sample := small(t, cache).cityscapes
	var out bytes.Buffer
	o := options{data: cache, sample: sample.Dir(), python: filepath.Join(cache, "no-python3"), rounds: 1, only: "PNG"}
	if err := run(context.Background(), o, &out); err != nil {
		t.Fatal(err)
	}
	first, rest, _ := strings.Cut(out.String(), "\n")
	for _, want := range []string{"real, 2 of 128x64 (", "from " + sample.Dir(), measure.Machine(), "rounds: 1", "Other side: none"} {
		if !strings.Contains(first, want) {
			t.Errorf("the first line %q lacks %q", first, want)
		}
	}
	for _, want := range []string{"PNG cs, RGB (standard)", "OpenCV: left out", "no-python3", "scripts/bench-python"} {
		if !strings.Contains(rest, want) {
			t.Errorf("the table lacks %q:\n%s", want, rest)
		}
	}
}
