package formats

import (
	"context"
	"encoding/json"
	"fmt"
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
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// TestRareClassesMatchThePublishedProbabilities reads the official statistics
// file and compares order and probabilities at both temperatures in use.
func TestRareClassesMatchThePublishedProbabilities(t *testing.T) {
	for _, path := range golden.Files(t, "rcs") {
		c := golden.Load(t, path)
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, StatsFile), c.Text("stats_file"), 0o644); err != nil {
			t.Fatal(err)
		}
		stats, err := ReadClassStats(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, temperature := range golden.Param[[]float64](c, "temperatures") {
			name := fmt.Sprintf("T%v", temperature)
			r, err := NewRareClasses(stats, temperature, 3000)
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
	stats := []ClassStats{
		{"labels/00001_labelTrainIds.png", map[raster.TrainID]int64{0: 5000, 13: 20}},
		{"labels/00002_labelTrainIds.png", map[raster.TrainID]int64{}},
		{"labels/00003_labelTrainIds.png", map[raster.TrainID]int64{18: 1}},
	}
	dir := t.TempDir()
	if err := WriteClassStats(dir, stats, false); err != nil {
		t.Fatal(err)
	}
	back, err := ReadClassStats(dir)
	if err != nil || !reflect.DeepEqual(back, stats) {
		t.Errorf("read back %v, %v", back, err)
	}
	// The layout that Python's json.dump(indent=2) of DAFormer's lists has.
	text, err := os.ReadFile(filepath.Join(dir, samplesByClass))
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
		t.Errorf("%s:\n%s", samplesByClass, text)
	}
}

func TestDamagedClassStatsAreNamed(t *testing.T) {
	for text, reason := range map[string]string{
		`[]`:                            "lists no files",
		`{`:                             "unexpected end",
		`[{"0": 3}]`:                    "row 0 names no file",
		`[{"file": "a.png", "255": 3}]`: `"255" is no train ID`,
		`[{"file": "a.png", "x": 3}]`:   `"x" is no train ID`,
		`[{"file": "a.png", "3": -1}]`:  "class 3 has -1 pixels",
		`[{"file": 4}]`:                 "row 0: file",
	} {
		if _, err := parseClassStats([]byte(text)); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: %v, want %q", text, err, reason)
		}
	}
}

func FuzzClassStats(f *testing.F) {
	f.Add([]byte(`[{"0": 404853, "file": "labels/00000_labelTrainIds.png"}]`))
	f.Add([]byte(`[{"file": "a", "254": 1}, {"file": "b"}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		stats, err := parseClassStats(text)
		if err != nil {
			return
		}
		dir := t.TempDir()
		if err := WriteClassStats(dir, stats, false); err != nil {
			t.Fatal(err)
		}
		back, err := ReadClassStats(dir)
		if err != nil || len(back) != len(stats) {
			t.Fatalf("%d rows became %d, %v", len(stats), len(back), err)
		}
	})
}

// TestDrawFollowsTheProbabilities: frequencies of drawn classes, and only
// samples that have enough of theirs.
func TestDrawFollowsTheProbabilities(t *testing.T) {
	stats := []ClassStats{
		{"a", map[raster.TrainID]int64{0: 9000, 5: 10}},
		{"b", map[raster.TrainID]int64{0: 4000, 5: 400}},
		{"c", map[raster.TrainID]int64{0: 100, 7: 1500}},
	}
	r, err := NewRareClasses(stats, 0.5, 200)
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
		if stats[i].Pixels[c] <= 200 {
			t.Fatalf("class %d from %s, which has %d pixels of it", c, stats[i].File, stats[i].Pixels[c])
		}
	}
	for i, c := range r.Classes {
		if got := float64(seen[c]) / draws; math.Abs(got-r.Probabilities[i]) > 0.015 {
			t.Errorf("class %d drawn with frequency %.3f, want %.3f", c, got, r.Probabilities[i])
		}
	}
	if strict, err := NewRareClasses(stats, 0.5, 2000); err != nil || strict.Validate(2000) == nil {
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
	d, err := Open("cityscapes", filepath.Join(dir, "cityscapes"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	stats, err := d.ClassStats(context.Background(), 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range stats {
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
	slices.Reverse(stats)
	aligned, err := d.AlignStats(stats)
	if err != nil {
		t.Fatal(err)
	}
	if len(stats) > 1 && aligned[0].File != stats[len(stats)-1].File {
		t.Errorf("aligned %s first", aligned[0].File)
	}
	if _, err := d.AlignStats(stats[1:]); err == nil || !strings.Contains(err.Error(), "stale") {
		t.Errorf("statistics that lack a file: %v", err)
	}
}
