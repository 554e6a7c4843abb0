package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/crops"
	"github.com/pipa-uda/pipa/fixtures"
	"github.com/pipa-uda/pipa/fixtures/shared"
	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/shards"
	"github.com/pipa-uda/pipa/pipeline/storage"
	"github.com/pipa-uda/pipa/pipeline/storage/storagetest"
	"github.com/pipa-uda/pipa/precompute"
)

// dataDir holds one small set of fixtures for all tests.
var dataDir string

func TestMain(m *testing.M) {
	beam.Init()
	var err error
	dataDir, err = shared.Data(fixtures.Options{Seed: 3, Width: 96, GTA: 7, Train: 5, Val: -1, Domains: []fixtures.Domain{fixtures.GTA, fixtures.Cityscapes}})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// planFile writes a plan of four shards.
func planFile(t *testing.T, job precompute.Job, o precompute.Options) (string, *precompute.Plan) {
	t.Helper()
	job.Seed, job.Epochs, o.Shards, o.Workers = 11, 3, 4, 2
	p, err := precompute.New(t.Context(), job, o)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "plan.json")
	if err := files.Write(file, false, p.Write); err != nil {
		t.Fatal(err)
	}
	return file, p
}

func gta() precompute.InputOptions {
	return precompute.InputOptions{Format: "gta", Dir: filepath.Join(dataDir, "gta")}
}

func cityscapes() precompute.InputOptions {
	return precompute.InputOptions{Format: "cityscapes", Dir: filepath.Join(dataDir, "cityscapes"), Unlabelled: true}
}

// local is the dataset that one process makes of a plan.
func local(t *testing.T, p *precompute.Plan) map[string]string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "local")
	err := precompute.Run(t.Context(), p, dir, precompute.RunOptions{Workers: 2})
	if err == nil {
		_, err = precompute.Merge(t.Context(), p, dir, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return contents(t, dir)
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		files[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func same(t *testing.T, got, want map[string]string) {
	t.Helper()
	if !maps.Equal(got, want) {
		t.Errorf("the files differ: %v, want %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
}

// TestBytesAreThoseOfTheLocalRun: on prism, for a plan of each kind, to a path
// and to a URL.
func TestBytesAreThoseOfTheLocalRun(t *testing.T) {
	crop := &augment.Options{Resize: [2]int{54, 96}, Crop: [2]int{32, 48}, CatMaxRatio: 0.75, Flip: 0.5}
	pairs := crops.Default()
	pairs.Size, pairs.Base = 32, 96
	for name, c := range map[string]struct {
		job     precompute.Job
		options precompute.Options
		scheme  string
		workers int
	}{
		"samples": {precompute.Job{Kind: pipeline.KindSample}, precompute.Options{Source: gta()}, "", 1},
		"mix":     {precompute.Job{Kind: pipeline.KindMix, Samples: crop, Target: crop}, precompute.Options{Source: gta(), Mixed: cityscapes()}, "file://", 2},
		"pairs":   {precompute.Job{Kind: pipeline.KindPair, Pairs: &pairs}, precompute.Options{Source: cityscapes()}, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			file, p := planFile(t, c.job, c.options)
			out := filepath.Join(t.TempDir(), "beam")
			if err := run(t.Context(), file, Job{Out: c.scheme + out, Workers: c.workers}); err != nil {
				t.Fatal(err)
			}
			same(t, contents(t, out), local(t, p))
		})
	}
}

// TestAnObjectStoreTakesPlanAndOutput: the plan, and what is made of it, lie in a
// bucket.
func TestAnObjectStoreTakesPlanAndOutput(t *testing.T) {
	storagetest.Server(t, "bucket")
	_, p := planFile(t, precompute.Job{Kind: pipeline.KindSample}, precompute.Options{Source: gta()})
	bucket, err := storage.Open(t.Context(), "s3://bucket")
	if err == nil {
		err = bucket.Put("plans/samples.json", p.Write)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), "s3://bucket/plans/samples.json", Job{Out: "s3://bucket/sets/samples", Workers: 1}); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	want := local(t, p)
	for name := range want {
		text, err := fs.ReadFile(bucket, "sets/samples/"+name)
		if err != nil {
			t.Fatal(err)
		}
		got[name] = string(text)
	}
	same(t, got, want)
}

// TestAFinishedOutputIsLeftAlone runs the same job again: no shard is written
// anew, but for the one that has gone missing.
func TestAFinishedOutputIsLeftAlone(t *testing.T) {
	file, p := planFile(t, precompute.Job{Kind: pipeline.KindSample}, precompute.Options{Source: gta()})
	out := filepath.Join(t.TempDir(), "beam")
	again := func() []fs.FileInfo {
		t.Helper()
		if err := run(t.Context(), file, Job{Out: out, Workers: 1}); err != nil {
			t.Fatal(err)
		}
		var infos []fs.FileInfo
		for s := range p.Shards {
			info, err := os.Stat(filepath.Join(out, shards.File(s)))
			if err != nil {
				t.Fatal(err)
			}
			infos = append(infos, info)
		}
		return infos
	}
	first, second := again(), again()
	if err := os.Remove(filepath.Join(out, shards.File(2))); err != nil {
		t.Fatal(err)
	}
	third := again()
	for s := range p.Shards {
		if !os.SameFile(first[s], second[s]) {
			t.Errorf("shard %d was written again", s)
		}
		if s != 2 && !os.SameFile(second[s], third[s]) {
			t.Errorf("shard %d was written again, where shard 2 was missing", s)
		}
	}
	same(t, contents(t, out), local(t, p))
}

// TestAFailureNamesTheShard: prism does not try a failed bundle again. The job
// ends with the shard and the reason, nothing is committed, and the same
// command goes on once the reason is gone.
func TestAFailureNamesTheShard(t *testing.T) {
	moved := filepath.Join(t.TempDir(), "gta")
	if err := os.CopyFS(moved, os.DirFS(filepath.Join(dataDir, "gta"))); err != nil {
		t.Fatal(err)
	}
	file, p := planFile(t, precompute.Job{Kind: pipeline.KindSample}, precompute.Options{Source: gta()})
	out := filepath.Join(t.TempDir(), "beam")
	image := filepath.Join(moved, "images", filepath.Base(p.Source.Items[1].ID)+".png")
	good, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(image, []byte("another picture"), 0o644); err != nil {
		t.Fatal(err)
	}
	job := Job{Out: out, Source: moved, Workers: 1}
	err = run(t.Context(), file, job)
	if err == nil || !strings.Contains(err.Error(), "shard 0 of 4") || !strings.Contains(err.Error(), image) || !strings.Contains(err.Error(), "the plan says") {
		t.Errorf("with a changed input: %v", err)
	}
	if _, err := os.Stat(filepath.Join(out, shards.ManifestFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the dataset was committed: %v", err)
	}
	if err := os.WriteFile(image, good, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := run(t.Context(), file, job); err != nil {
		t.Fatal(err)
	}
	same(t, contents(t, out), local(t, p))
}

// TestAnInterruptedJobIsContinued.
func TestAnInterruptedJobIsContinued(t *testing.T) {
	file, p := planFile(t, precompute.Job{Kind: pipeline.KindSample}, precompute.Options{Source: gta()})
	out := filepath.Join(t.TempDir(), "beam")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := run(ctx, file, Job{Out: out, Workers: 1}); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "continued by the same command") {
		t.Errorf("interrupted: %v", err)
	}
	if err := run(t.Context(), file, Job{Out: out, Workers: 1}); err != nil {
		t.Fatal(err)
	}
	same(t, contents(t, out), local(t, p))
}

// TestBadJobsAreRefusedBeforeTheyAreSubmitted.
func TestBadJobsAreRefusedBeforeTheyAreSubmitted(t *testing.T) {
	good, p := planFile(t, precompute.Job{Kind: pipeline.KindSample}, precompute.Options{Source: gta()})
	text, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	edited := filepath.Join(t.TempDir(), "edited.json")
	if err := os.WriteFile(edited, []byte(strings.Replace(string(text), `"seed": 11`, `"seed": 12`, 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	foreign, other := t.TempDir(), filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(filepath.Join(foreign, "thesis.tex"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	crop := &augment.Options{Crop: [2]int{32, 48}, CatMaxRatio: 1}
	_, another := planFile(t, precompute.Job{Kind: pipeline.KindSample, Samples: crop}, precompute.Options{Source: gta()})
	if err := precompute.Claim(t.Context(), another, other); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ plan, out, want string }{
		"no plan":             {"", t.TempDir(), "--plan and --out are needed"},
		"no output":           {good, "", "--plan and --out are needed"},
		"a plan that is gone": {filepath.Join(foreign, "plan.json"), t.TempDir(), "no such file"},
		"a plan at a URL":     {"file://" + foreign + "/plan.json", t.TempDir(), "no such file"},
		"an edited plan":      {edited, t.TempDir(), "is not edited but made anew"},
		"a folder in use":     {good, foreign, "it holds thesis.tex"},
		"another plan's":      {good, other, "another plan, " + another.Digest + ", this one is " + p.Digest},
	} {
		t.Run(name, func(t *testing.T) {
			if err := run(t.Context(), c.plan, Job{Out: c.out, Workers: 1}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

// TestAWorkerSeesTheOutputOfItsJob: a worker that does not reach the folder, or
// finds another plan in it, says so.
func TestAWorkerSeesTheOutputOfItsJob(t *testing.T) {
	_, p := planFile(t, precompute.Job{Kind: pipeline.KindSample}, precompute.Options{Source: gta()})
	claimedDir := t.TempDir()
	if err := precompute.Claim(t.Context(), p, claimedDir); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ out, digest, want string }{
		"no folder":    {filepath.Join(t.TempDir(), "none"), p.Digest, "the worker must reach the same --out"},
		"another plan": {claimedDir, "0123456789abcdef", "the job was submitted with 0123456789abcdef"},
	} {
		t.Run(name, func(t *testing.T) {
			f := &makeShard{Job: Job{Out: c.out, Workers: 1}, Plan: c.digest}
			if err := f.Setup(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}
