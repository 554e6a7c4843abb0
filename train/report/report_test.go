package report_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/fixtures"
	"github.com/pipa-uda/pipa/fixtures/shared"
	"github.com/pipa-uda/pipa/train"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/logs"
	"github.com/pipa-uda/pipa/train/report"
	"github.com/pipa-uda/pipa/train/torch/torchtest"
)

// run trains a few steps and returns the run's directory.
func run(t *testing.T) string {
	t.Helper()
	lib := torchtest.Load(t)
	data, err := shared.Data(fixtures.Options{Seed: 1, Width: 128, GTA: 4, Train: 4, Val: 2, Domains: []fixtures.Domain{fixtures.GTA, fixtures.Cityscapes}})
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Resolve("fixture-pipa", "", []string{
		"iterations=6", "log_every=2", "eval.every=2", "panels_every=2", "probe_every=2", "adapt.start=0", "patch.start=0", "patch.crop=64", "patch.base=128",
		"source.resize=[64, 128]", "source.crop=[64, 64]", "target.resize=[64, 128]", "target.crop=[64, 64]", "eval.resize=[64, 128]",
		"network.dims=[8, 16, 20, 32]", "network.depths=[1, 1, 1, 1]", "network.channels=16", "patch.negatives=40",
	})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Source.Dir, cfg.Target.Dir = filepath.Join(data, "gta"), filepath.Join(data, "cityscapes")
	out := filepath.Join(t.TempDir(), "a <run>")
	if _, err := train.Run(t.Context(), lib, cfg, train.Options{Out: out}); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestARun trains once for all that is asked of a run.
func TestARun(t *testing.T) {
	dir := run(t)
	for name, ask := range map[string]func(t *testing.T, dir string){
		"the page holds all it shows":          pageHoldsAllItShows,
		"what is not a run is refused":         refusesOthers,
		"scores keep classes that are nowhere": keepsAbsentClasses,
	} {
		t.Run(name, func(t *testing.T) { ask(t, dir) })
	}
}

func pageHoldsAllItShows(t *testing.T, dir string) {
	var page bytes.Buffer
	if err := report.Write(&page, dir); err != nil {
		t.Fatal(err)
	}
	text := page.String()
	for _, want := range []string{
		"a &lt;run&gt;", "6 of 6 iterations", "mIoU on the target", "loss: patch", "gradient: mixed", "learning rate", "motorcycle", "sidewalk taken for road",
		"data:image/png;base64,", "iterations: 6", "cityscapes",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if at := regexp.MustCompile(`(src|href)="[^d#][^"]*"|url\(|https?://`).FindString(text); at != "" {
		t.Errorf("the page refers to %q", at)
	}
	for i, svg := range regexp.MustCompile(`(?s)<svg.*?</svg>`).FindAllString(text, -1) {
		decoder := xml.NewDecoder(strings.NewReader(svg))
		for {
			if _, err := decoder.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Errorf("picture %d: %v", i, err)
				break
			}
		}
		if strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") {
			t.Errorf("picture %d has a number that is none", i)
		}
	}
}

func refusesOthers(t *testing.T, run string) {
	err := report.Write(io.Discard, t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "is not a run") {
		t.Errorf("an empty folder: %v", err)
	}
	dir := filepath.Join(t.TempDir(), "run")
	if err := os.CopyFS(dir, os.DirFS(run)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "metrics.jsonl"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := report.Write(io.Discard, dir); err == nil || !strings.Contains(err.Error(), "logged nothing") {
		t.Errorf("a run without metrics: %v", err)
	}
}

func keepsAbsentClasses(t *testing.T, dir string) {
	scores, err := logs.ReadScores(dir)
	if err != nil || len(scores) != 3 {
		t.Fatalf("%d scores, %v", len(scores), err)
	}
	absent := 0
	for _, iou := range scores[2].IoU {
		if math.IsNaN(float64(iou)) {
			absent++
		}
	}
	if len(scores[2].IoU) != 19 || absent == 19 {
		t.Errorf("IoU %v", scores[2].IoU)
	}
}
