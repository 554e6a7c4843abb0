package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam/testing/ptest"
	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/crops"
	"github.com/pipa-uda/pipa/fixtures"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/precompute"
)

func TestMain(m *testing.M) { ptest.MainWithDefault(m, "prism") }

// plans are jobs of every kind over one set of fixtures.
func plans(t *testing.T) (data string, plans map[string]*precompute.Plan) {
	t.Helper()
	data = t.TempDir()
	o := fixtures.Options{Seed: 1, Width: 96, GTA: 6, Train: 5, Val: 1, Domains: []fixtures.Domain{fixtures.GTA, fixtures.Cityscapes}}
	if err := fixtures.Write(t.Context(), data, o); err != nil {
		t.Fatal(err)
	}
	source := precompute.InputOptions{Format: "gta", Dir: filepath.Join(data, "gta"), Split: "train"}
	target := precompute.InputOptions{Format: "cityscapes", Dir: filepath.Join(data, "cityscapes"), Split: "train", Unlabelled: true}
	cut := crops.Default()
	cut.Size, cut.Base = 32, 64
	crop := augment.Options{Crop: [2]int{32, 32}, Flip: 0.5}
	plans = map[string]*precompute.Plan{}
	for name, job := range map[string]struct {
		precompute.Job
		source, mixed precompute.InputOptions
	}{
		"samples": {precompute.Job{Kind: pipeline.KindSample, Seed: 2, Epochs: 1}, source, precompute.InputOptions{}},
		"mix":     {precompute.Job{Kind: pipeline.KindMix, Seed: 3, Epochs: 2, Samples: &crop, Target: &crop}, source, target},
		"pairs":   {precompute.Job{Kind: pipeline.KindPair, Seed: 4, Epochs: 3, Pairs: &cut}, target, precompute.InputOptions{}},
	} {
		p, err := precompute.New(t.Context(), job.Job, precompute.Options{Source: job.source, Mixed: job.mixed, Shards: 4, Workers: 2})
		if err != nil {
			t.Fatal(err)
		}
		plans[name] = p
	}
	return data, plans
}

// execute runs a job on prism, Beam's own runner, in this process.
func execute(t *testing.T, p *precompute.Plan, job Job) error {
	t.Helper()
	graph, err := job.Pipeline(t.Context(), p)
	if err != nil {
		return err
	}
	return ptest.Run(graph)
}

// files are a folder's files by name, without locks.
func files(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".lock") {
			continue
		}
		if out[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestTheBytesAreThoseOfALocalRun(t *testing.T) {
	_, plans := plans(t)
	for name, p := range plans {
		t.Run(name, func(t *testing.T) {
			local, onBeam := filepath.Join(t.TempDir(), "local"), filepath.Join(t.TempDir(), "beam")
			if err := precompute.Run(t.Context(), p, local, precompute.RunOptions{Workers: 2}); err != nil {
				t.Fatal(err)
			}
			if _, err := precompute.Merge(t.Context(), p, local, nil); err != nil {
				t.Fatal(err)
			}
			if err := execute(t, p, Job{Out: onBeam, Workers: 1}); err != nil {
				t.Fatal(err)
			}
			want, got := files(t, local), files(t, onBeam)
			if len(got) != len(want) || want[pipeline.ManifestFile] == nil {
				t.Errorf("%d files, a local run makes %d", len(got), len(want))
			}
			for name, text := range want {
				if !bytes.Equal(got[name], text) {
					t.Errorf("%s has other bytes", name)
				}
			}
		})
	}
}

func TestAnotherRunOverTheSameFolderMakesNothingAgain(t *testing.T) {
	_, plans := plans(t)
	out := filepath.Join(t.TempDir(), "out")
	job := Job{Out: out, Workers: 1}
	if err := execute(t, plans["pairs"], job); err != nil {
		t.Fatal(err)
	}
	long := time.Now().Add(-time.Hour).Truncate(time.Second)
	made := files(t, out)
	for name := range made {
		if err := os.Chtimes(filepath.Join(out, name), long, long); err != nil {
			t.Fatal(err)
		}
	}
	// One shard is lost, as on a disk that was cleaned; only that is made.
	lost := pipeline.ShardFile(2)
	if err := os.Remove(filepath.Join(out, lost)); err != nil {
		t.Fatal(err)
	}
	if err := execute(t, plans["pairs"], job); err != nil {
		t.Fatal(err)
	}
	after := files(t, out)
	for name, before := range made {
		info, err := os.Stat(filepath.Join(out, name))
		if err != nil {
			t.Fatal(err)
		}
		if again := !info.ModTime().Equal(long); strings.HasSuffix(name, ".arrow") && again != (name == lost) {
			t.Errorf("%s: made again is %v", name, again)
		}
		if !bytes.Equal(after[name], before) {
			t.Errorf("%s has other bytes than before", name)
		}
	}
}

func TestAFailureNamesTheShardAndLeavesNoDataset(t *testing.T) {
	data, plans := plans(t)
	out := filepath.Join(t.TempDir(), "out")
	images, err := filepath.Glob(filepath.Join(data, "gta", "images", "*.png"))
	if err != nil || len(images) == 0 {
		t.Fatal("no images", err)
	}
	if err := os.WriteFile(images[len(images)-1], []byte("no picture"), 0o644); err != nil {
		t.Fatal(err)
	}
	err = execute(t, plans["samples"], Job{Out: out, Workers: 1})
	if err == nil || !strings.Contains(err.Error(), "shard 3 of 4") {
		t.Errorf("a changed input: %v", err)
	}
	if _, err := os.Stat(filepath.Join(out, pipeline.ManifestFile)); !os.IsNotExist(err) {
		t.Error("there is a manifest")
	}
}

func TestWhatCannotBegin(t *testing.T) {
	_, plans := plans(t)
	if err := execute(t, plans["mix"], Job{}); err == nil || !strings.Contains(err.Error(), "--out") {
		t.Errorf("no folder: %v", err)
	}
	out := filepath.Join(t.TempDir(), "out")
	if err := precompute.Claim(context.Background(), plans["mix"], out); err != nil {
		t.Fatal(err)
	}
	if err := execute(t, plans["pairs"], Job{Out: out}); err == nil || !strings.Contains(err.Error(), "another plan") {
		t.Errorf("another plan's folder: %v", err)
	}
	if err := run(t.Context(), filepath.Join(out, "missing.json"), Job{Out: out}); err == nil || !strings.Contains(err.Error(), "missing.json") {
		t.Errorf("no plan: %v", err)
	}
}
