package stats

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/fixtures"
	"github.com/pipa-uda/pipa/fixtures/golden"
	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// TestRareClassesMatchThePublishedProbabilities reads the official statistics
// file and compares order and probabilities at both temperatures in use.
func TestRareClassesMatchThePublishedProbabilities(t *testing.T) {
	for _, path := range golden.Files(t, "rcs") {
		c := golden.Load(t, path)
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, File), c.Text("stats_file"), 0o644); err != nil {
			t.Fatal(err)
		}
		labels, err := In(dir).Read()
		if err != nil {
			t.Fatal(err)
		}
		for _, temperature := range golden.Param[[]float64](c, "temperatures") {
			name := fmt.Sprintf("T%v", temperature)
			r, err := NewRareClasses(labels, temperature, 3000)
			if err != nil {
				t.Fatal(err)
			}
			var classes []int64
			var probabilities []float32
			for i := range r.Classes {
				classes, probabilities = append(classes, int64(r.Classes[i])), append(probabilities, float32(r.Probabilities[i]))
			}
			if want := c.Ints("classes." + name); !slices.Equal(classes, want) {
				t.Errorf("%s: classes %v, want %v", name, classes, want)
			}
			golden.Near(t, "prob."+name, probabilities, c.Floats("prob."+name), 3e-6) // the official softmax is in float32
			var exact []string
			if err := json.Unmarshal([]byte(c.Metadata["p64."+name]), &exact); err != nil {
				t.Fatal(err)
			}
			for i, text := range exact {
				p, err := strconv.ParseFloat(text, 64)
				if err != nil || math.Abs(r.Probabilities[i]-p) > 1e-12 {
					t.Errorf("%s: P(%d) is %v, want %v, %v", name, r.Classes[i], r.Probabilities[i], p, err)
				}
			}
		}
	}
}

func TestClassStatsRoundTrip(t *testing.T) {
	labels := []Label{
		{"labels/00001_labelTrainIds.png", map[raster.TrainID]int64{0: 5000, 13: 20}},
		{"labels/00002_labelTrainIds.png", map[raster.TrainID]int64{}},
		{"labels/00003_labelTrainIds.png", map[raster.TrainID]int64{18: 1}},
	}
	dir := t.TempDir()
	if err := In(dir).Write(labels, false); err != nil {
		t.Fatal(err)
	}
	back, err := In(dir).Read()
	if err != nil || !reflect.DeepEqual(back, labels) {
		t.Errorf("read back %v, %v", back, err)
	}
	// The layout that Python's json.dump(indent=2) of DAFormer's lists has.
	text, err := os.ReadFile(filepath.Join(dir, byClassFile))
	if err != nil {
		t.Fatal(err)
	}
	want := `{
  "0": [
    [
      "labels/00001_labelTrainIds.png",
      5000
    ]
  ],
  "13": [
    [
      "labels/00001_labelTrainIds.png",
      20
    ]
  ],
  "18": [
    [
      "labels/00003_labelTrainIds.png",
      1
    ]
  ]
}`
	if string(text) != want {
		t.Errorf("%s:\n%s", byClassFile, text)
	}
}

func TestDamagedClassStatsAreNamed(t *testing.T) {
	for text, reason := range map[string]string{
		`[]`:                            "lists no files",
		`{`:                             "unexpected end",
		`[{"0": 3}]`:                    "row 0 names no file",
		`[{"file": "a.png", "255": 3}]`: `"255" is not a train ID`,
		`[{"file": "a.png", "x": 3}]`:   `"x" is not a train ID`,
		`[{"file": "a.png", "3": -1}]`:  "class 3 has -1 pixels",
		`[{"file": 4}]`:                 "row 0: file",
	} {
		if _, err := parse([]byte(text)); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: %v, want %q", text, err, reason)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`[{"0": 404853, "file": "labels/00000_labelTrainIds.png"}]`))
	f.Add([]byte(`[{"file": "a", "254": 1}, {"file": "b"}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		labels, err := parse(text)
		if err != nil {
			return
		}
		dir := t.TempDir()
		if err := In(dir).Write(labels, false); err != nil {
			t.Fatal(err)
		}
		back, err := In(dir).Read()
		if err != nil || len(back) != len(labels) {
			t.Fatalf("%d rows became %d, %v", len(labels), len(back), err)
		}
	})
}

// TestDrawFollowsTheProbabilities: frequencies of drawn classes, and only
// samples that have enough of theirs.
func TestDrawFollowsTheProbabilities(t *testing.T) {
	labels := []Label{
		{"a", map[raster.TrainID]int64{0: 9000, 5: 10}},
		{"b", map[raster.TrainID]int64{0: 4000, 5: 400}},
		{"c", map[raster.TrainID]int64{0: 100, 7: 1500}},
	}
	r, err := NewRareClasses(labels, 0.5, 200)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Validate(200); err != nil {
		t.Fatal(err)
	}
	const draws = 20000
	seen := map[raster.TrainID]int{}
	rng := rand.New(rand.NewPCG(1, 1))
	for range draws {
		c, i := r.Draw(rng)
		seen[c]++
		if labels[i].Pixels[c] <= 200 {
			t.Fatalf("class %d from %s, which has %d pixels of it", c, labels[i].File, labels[i].Pixels[c])
		}
	}
	for i, c := range r.Classes {
		if got := float64(seen[c]) / draws; math.Abs(got-r.Probabilities[i]) > 0.015 {
			t.Errorf("class %d drawn with frequency %.3f, want %.3f", c, got, r.Probabilities[i])
		}
	}
	if strict, err := NewRareClasses(labels, 0.5, 2000); err != nil || strict.Validate(2000) == nil {
		t.Errorf("classes without an eligible sample pass: %v", err)
	}
}

// TestClassStatsOfADataset: counts by train ID, official names, and the check
// that they belong to the data.
func TestClassStatsOfADataset(t *testing.T) {
	dir := t.TempDir()
	if err := fixtures.Write(t.Context(), dir, fixtures.Options{Domains: []fixtures.Domain{fixtures.Cityscapes}, Train: 3, Val: -1, Width: 128}); err != nil {
		t.Fatal(err)
	}
	d, err := formats.Open(formats.Cityscapes(), filepath.Join(dir, "cityscapes"), formats.Options{})
	if err != nil {
		t.Fatal(err)
	}
	labels, err := Count(context.Background(), d, 2, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range labels {
		row, err := d.Read(context.Background(), i)
		if err != nil {
			t.Fatal(err)
		}
		want := map[raster.TrainID]int64{}
		for _, id := range row.Label.Pix() {
			if id := raster.TrainID(id); id != raster.Ignore {
				want[id]++
			}
		}
		if !reflect.DeepEqual(s.Pixels, want) || !strings.HasSuffix(s.File, "_gtFine_labelTrainIds.png") {
			t.Errorf("%s: %v, want %v", s.File, s.Pixels, want)
		}
	}
	slices.Reverse(labels)
	aligned, err := Align(d, labels)
	if err != nil {
		t.Fatal(err)
	}
	if len(labels) > 1 && aligned[0].File != labels[len(labels)-1].File {
		t.Errorf("aligned %s first", aligned[0].File)
	}
	var stale *StaleError
	if _, err := Align(d, labels[1:]); !errors.As(err, &stale) || stale.Dir != d.Dir() || stale.Layout.Name != "cityscapes" {
		t.Errorf("statistics that lack a file: %v", err)
	}
}

// TestErrorsAreTyped: callers know what can be made anew or replaced.
func TestErrorsAreTyped(t *testing.T) {
	dir := t.TempDir()
	var read *ReadError
	if _, err := In(dir).Read(); !errors.As(err, &read) || !errors.Is(err, fs.ErrNotExist) || read.File != filepath.Join(dir, File) {
		t.Errorf("statistics that are not there: %v", err)
	}
	for _, force := range []bool{false, true} {
		if err := In(dir).Write([]Label{{"a.png", map[raster.TrainID]int64{0: 3}}}, force); err != nil {
			t.Fatal(err)
		}
	}
	var exists *ExistsError
	if err := In(dir).Write([]Label{{"a.png", map[raster.TrainID]int64{0: 4}}}, false); !errors.As(err, &exists) || !errors.Is(err, fs.ErrExist) || filepath.Dir(exists.File) != dir {
		t.Errorf("other statistics in the same folder: %v", err)
	}
}
