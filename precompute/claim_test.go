package precompute

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/fixtures"
	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/loader"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/shards"
	"github.com/pipa-uda/pipa/pipeline/storage"
)

// contested is a folder that another process claims after it was found empty,
// before it is listed.
type contested struct {
	storage.Folder
	other *Plan
}

func (c contested) ReadDir(name string) ([]fs.DirEntry, error) {
	if err := c.Put(PlanFile, c.other.Write); err != nil {
		return nil, err
	}
	return c.Folder.ReadDir(name)
}

// testPlan is a plan of one sample.
func testPlan(t *testing.T, seed uint64, id string) *Plan {
	t.Helper()
	p := &Plan{Format: planFormat, Rules: loader.Rules, Job: Job{Kind: pipeline.KindSample, Seed: seed, Epochs: 1}, Shards: 1, Batch: 1}
	p.Source.Items = []Item{{ID: id}}
	sealPlan(t, p)
	return p
}

// sealPlan makes a plan's digest right.
func sealPlan(t *testing.T, p *Plan) {
	t.Helper()
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if p.Digest, err = digestOf(text); err != nil {
		t.Fatal(err)
	}
}

func TestTwoProcessesClaimAtOnce(t *testing.T) {
	plan := func(seed uint64) *Plan { return testPlan(t, seed, "gta/train/00001") }
	for name, c := range map[string]struct {
		other uint64
		want  string
	}{
		"the same plan": {1, ""},
		"another plan":  {2, "another plan"},
	} {
		t.Run(name, func(t *testing.T) {
			folder, err := storage.Open(t.Context(), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			err = claim(plan(1), contested{folder, plan(c.other)})
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestARefusedFolderIsAsItWas: not even a lock is left in a folder that holds
// something else.
func TestARefusedFolderIsAsItWas(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "precious"), []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	p := testPlan(t, 1, "gta/train/00001")
	if err := Run(t.Context(), p, dir, RunOptions{}); err == nil || !strings.Contains(err.Error(), "it holds precious, and no plan: choose another folder") {
		t.Errorf("run with %v", err)
	}
	if _, err := Merge(t.Context(), p, dir, nil); err == nil || !strings.Contains(err.Error(), "it has no plan.json") {
		t.Errorf("merged with %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
}

// TestAPlansNamesAreOnlyLookedUp: a plan from elsewhere, whose digest is made
// right, may name what it likes. Only what the dataset lists is read.
func TestAPlansNamesAreOnlyLookedUp(t *testing.T) {
	parent := t.TempDir()
	if err := fixtures.Write(t.Context(), parent, fixtures.Options{Seed: 3, Width: 64, GTA: 2, Domains: []fixtures.Domain{fixtures.GTA}}); err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(parent, "outside.png")
	image, err := os.ReadFile(filepath.Join(parent, "gta", "images", "00001.png"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(outside, image, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../outside", "gta/train/../../outside", "gta/train/../../../outside.png", outside, "/etc/passwd", "gta/train/00001/../00001", "gta/train/00001.png", "00001", ".", ""} {
		t.Run(name, func(t *testing.T) {
			p := testPlan(t, 1, name)
			p.Source.Format, p.Source.Dir, p.Source.Split = "gta", filepath.Join(parent, "gta"), "train"
			sealPlan(t, p)
			out := filepath.Join(t.TempDir(), "out")
			if err := Run(t.Context(), p, out, RunOptions{}); !errors.Is(err, ErrInput) || !strings.Contains(err.Error(), "has no sample "+name) {
				t.Errorf("run with %v", err)
			}
			if _, err := os.Stat(filepath.Join(out, shards.File(0))); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("a shard is there: %v", err)
			}
		})
	}
}

// TestSweepSparesWhoIsAtWork: a lock, and the files that are written under it, are
// those of killed processes only where nobody holds it.
func TestSweepSparesWhoIsAtWork(t *testing.T) {
	for name, c := range map[string]struct {
		held string
		want []string
	}{
		"all were killed":   {"", []string{"part-00000.arrow"}},
		"a share runs":      {".lock-1-of-2", []string{".lock-1-of-2", "part-00000.arrow"}},
		"a shard is made":   {".lock-part-00001", []string{".lock-part-00001", ".tmp-part-00001.arrow-1", "part-00000.arrow"}},
		"the caller merges": {mergeLock, []string{"part-00000.arrow"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for _, file := range []string{".lock-0-of-2", mergeLock, ".tmp-manifest.json-1", ".tmp-part-00001.arrow-1", "part-00000.arrow"} {
				if err := os.WriteFile(filepath.Join(dir, file), nil, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if c.held != "" {
				unlock, err := files.Lock(dir, c.held)
				if err != nil {
					t.Fatal(err)
				}
				defer unlock()
			}
			folder, err := storage.Open(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := sweep(folder); err != nil {
				t.Fatal(err)
			}
			entries, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range entries {
				got = append(got, e.Name())
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("it leaves %q, want %q", got, c.want)
			}
		})
	}
}
