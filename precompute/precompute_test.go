package precompute_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/crops"
	"github.com/pipa-uda/pipa/fixtures"
	"github.com/pipa-uda/pipa/fixtures/shared"
	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/loader"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/shards"
	"github.com/pipa-uda/pipa/pipeline/storage"
	"github.com/pipa-uda/pipa/pipeline/storage/storagetest"
	"github.com/pipa-uda/pipa/precompute"
	"go.uber.org/goleak"
)

// dataDir holds one small set of fixtures for all tests of the package.
var dataDir = sync.OnceValues(func() (string, error) {
	return shared.Data(fixtures.Options{Seed: 3, Width: 96, GTA: 7, Train: 5, Val: -1, Domains: []fixtures.Domain{fixtures.GTA, fixtures.Cityscapes}})
})

func TestMain(m *testing.M) {
	// As a child of TestAKilledRun…, the test binary is the run.
	if dir := os.Getenv("PRECOMPUTE_INTO"); dir != "" {
		p, err := precompute.ReadPlan(context.Background(), os.Getenv("PRECOMPUTE_PLAN"))
		if err == nil {
			err = precompute.Run(context.Background(), p, dir, precompute.RunOptions{Workers: 2})
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func data(t testing.TB) string {
	t.Helper()
	dir, err := dataDir()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// jobs are one of each kind.
func jobs(t testing.TB) map[string]func() (*precompute.Plan, error) {
	dir := data(t)
	gta := precompute.InputOptions{Format: "gta", Dir: filepath.Join(dir, "gta")}
	city := precompute.InputOptions{Format: "cityscapes", Dir: filepath.Join(dir, "cityscapes"), Unlabelled: true}
	crop := &augment.Options{Resize: [2]int{54, 96}, Crop: [2]int{32, 48}, CatMaxRatio: 0.75, Flip: 0.5}
	pairs := crops.Default()
	pairs.Size, pairs.Base = 32, 96
	make := func(job precompute.Job, o precompute.Options) func() (*precompute.Plan, error) {
		job.Seed, job.Epochs, o.Shards, o.Workers = 11, 3, 4, 2
		return func() (*precompute.Plan, error) { return precompute.New(context.Background(), job, o) }
	}
	return map[string]func() (*precompute.Plan, error){
		"samples":        make(precompute.Job{Kind: pipeline.KindSample}, precompute.Options{Source: gta}),
		"crops":          make(precompute.Job{Kind: pipeline.KindSample, Samples: crop}, precompute.Options{Source: gta}),
		"mix":            make(precompute.Job{Kind: pipeline.KindMix, Samples: crop, Target: crop}, precompute.Options{Source: gta, Mixed: city}),
		"pairs":          make(precompute.Job{Kind: pipeline.KindPair, Pairs: &pairs}, precompute.Options{Source: city}),
		"pairs of mixes": make(precompute.Job{Kind: pipeline.KindPair, Samples: crop, Target: crop, Pairs: &pairs}, precompute.Options{Source: gta, Mixed: city}),
	}
}

// build runs a plan in shares and merges it.
func build(t *testing.T, p *precompute.Plan, dir string, of, workers int) shards.Manifest {
	t.Helper()
	for i := range of {
		if err := precompute.Run(t.Context(), p, dir, precompute.RunOptions{Index: i, Of: of, Workers: workers}); err != nil {
			t.Fatal(err)
		}
	}
	m, err := precompute.Merge(t.Context(), p, dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func verify(t *testing.T, dir string) error {
	t.Helper()
	f, err := storage.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return storage.Verify(t.Context(), f, nil)
}

// contents are all files of a folder.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		files[filepath.Base(path)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestBytesDependOnThePlanAlone(t *testing.T) {
	for name, plan := range jobs(t) {
		t.Run(name, func(t *testing.T) {
			p, err := plan()
			if err != nil {
				t.Fatal(err)
			}
			whole := filepath.Join(t.TempDir(), "whole")
			m := build(t, p, whole, 1, 1)
			if m.Rows != p.Rows() || len(m.Shards) != p.Shards {
				t.Errorf("%d rows in %d shards, want %d in %d", m.Rows, len(m.Shards), p.Rows(), p.Shards)
			}
			if err := verify(t, whole); err != nil {
				t.Error(err)
			}
			want := contents(t, whole)
			for _, c := range []struct{ of, workers int }{{2, 1}, {5, 4}} {
				again, err := plan()
				if err != nil {
					t.Fatal(err)
				}
				dir := filepath.Join(t.TempDir(), "shared")
				build(t, again, dir, c.of, c.workers)
				if got := contents(t, dir); !maps.Equal(got, want) {
					t.Errorf("%d shares with %d workers: the files differ", c.of, c.workers)
				}
			}
		})
	}
}

// TestRowsAreThoseOfTheStages compares with crops cut from a stream.
func TestRowsAreThoseOfTheStages(t *testing.T) {
	p, err := jobs(t)["pairs"]()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "pairs")
	build(t, p, dir, 1, 2)
	d, err := shards.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	set, err := formats.Open(formats.Cityscapes(), p.Source.Dir, formats.Options{Unlabelled: true})
	if err != nil {
		t.Fatal(err)
	}
	for row := range d.Len() {
		s, err := set.Read(t.Context(), row%set.Len())
		if err != nil {
			t.Fatal(err)
		}
		stage, err := crops.New(*p.Pairs, p.Seed, uint64(row/set.Len()))
		if err != nil {
			t.Fatal(err)
		}
		want := stage.Pair(s)
		number, at := d.Find(row)
		b, err := d.Batch(number)
		if err != nil {
			t.Fatal(err)
		}
		got, err := b.Pair(at)
		if err != nil {
			t.Fatal(err)
		}
		if got.ID != want.ID || !bytes.Equal(got.A.Image.Pix(), want.A.Image.Pix()) || got.B.Overlap != want.B.Overlap {
			t.Errorf("row %d is not the pair of %s in epoch %d", row, s.ID, row/set.Len())
		}
		b.Release()
	}
}

// TestMixedPairsAreThoseOfTraining: pairs of mixed images are the same bytes
// precomputed and cut while training goes.
func TestMixedPairsAreThoseOfTraining(t *testing.T) {
	p, err := jobs(t)["pairs of mixes"]()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "pairs")
	build(t, p, dir, 2, 2)
	d, err := shards.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	side := func(in precompute.Input, o *augment.Options) loader.Side {
		l, err := formats.Named(in.Format)
		if err != nil {
			t.Fatal(err)
		}
		set, err := formats.Open(l, in.Dir, formats.Options{Unlabelled: in.Unlabelled})
		if err != nil {
			t.Fatal(err)
		}
		images, err := loader.Folder(set)
		if err != nil {
			t.Fatal(err)
		}
		return loader.Side{Images: images, Options: *o}
	}
	rows, err := loader.MixedPairs(side(p.Source, p.Samples), side(*p.Mixed, p.Target), loader.Draws{Seed: p.Seed}, *p.Pairs)
	if err != nil {
		t.Fatal(err)
	}
	if d.Len() != 3*rows.Items {
		t.Fatalf("%d rows for %d images in 3 epochs", d.Len(), rows.Items)
	}
	for row := range d.Len() {
		live, stored := pipeline.NewBuilder(rows.Header), pipeline.NewBuilder(rows.Header)
		if err := rows.Append(t.Context(), live, row%rows.Items, uint64(row/rows.Items)); err != nil {
			t.Fatal(err)
		}
		if err := d.AppendRow(stored, row); err != nil {
			t.Fatal(err)
		}
		var digests [2]uint64
		for i, b := range []*pipeline.Builder{live, stored} {
			batch, err := b.Batch()
			if err != nil {
				t.Fatal(err)
			}
			pair, err := batch.Pair(0)
			if err != nil {
				t.Fatal(err)
			}
			digests[i] = pair.Digest()
		}
		if digests[0] != digests[1] {
			t.Errorf("row %d has digest %016x while training goes, precomputed %016x", row, digests[0], digests[1])
		}
	}
}

// TestOldRulesAreNotContinued: a plan by other rules for pixels and pairing adds no
// rows to a dataset, and what is finished stays.
func TestOldRulesAreNotContinued(t *testing.T) {
	p, err := jobs(t)["mix"]()
	if err != nil {
		t.Fatal(err)
	}
	old := oldPlan(t, p)
	dir := filepath.Join(t.TempDir(), "mixes")
	var refused *precompute.OldRulesError
	if err := precompute.Run(t.Context(), old, dir, precompute.RunOptions{}); !errors.As(err, &refused) || !strings.Contains(err.Error(), "plan anew") {
		t.Errorf("an old plan is begun with %v", err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its folder was made: %v", err)
	}
	if _, err := precompute.NewMaker(t.Context(), old, dir, precompute.MakerOptions{}); !errors.As(err, &refused) {
		t.Errorf("single shards of an old plan: %v", err)
	}
}

// oldPlan is a plan as pipa wrote it before plans had rules.
func oldPlan(t *testing.T, p *precompute.Plan) *precompute.Plan {
	t.Helper()
	var text bytes.Buffer
	if err := p.Write(&text); err != nil {
		t.Fatal(err)
	}
	edit := strings.NewReplacer(`"pipa-plan/2"`, `"pipa-plan/1"`, fmt.Sprintf("\n \"rules\": %d,", loader.Rules), "").Replace(text.String())
	path := filepath.Join(t.TempDir(), "plan.json")
	for range 2 {
		if err := os.WriteFile(path, []byte(edit), 0o644); err != nil {
			t.Fatal(err)
		}
		old, err := precompute.ReadPlan(t.Context(), path)
		if err == nil {
			return old
		}
		found := regexp.MustCompile(`its digest is ([0-9a-f]{16})`).FindStringSubmatch(err.Error())
		if found == nil {
			t.Fatal(err)
		}
		edit = strings.Replace(edit, p.Digest, found[1], 1)
	}
	t.Fatal("the plan has no digest")
	return nil
}

// TestAKilledRunIsContinued kills the run at random moments until it is done.
func TestAKilledRunIsContinued(t *testing.T) {
	p, err := jobs(t)["pairs"]()
	if err != nil {
		t.Fatal(err)
	}
	whole, killed := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "killed")
	build(t, p, whole, 1, 2)
	plan := filepath.Join(t.TempDir(), "plan.json")
	f, err := os.Create(plan)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(p.Write(f), f.Close()); err != nil {
		t.Fatal(err)
	}
	// However slow the machine is, a run is at last left alone for long enough.
	after, kills := 10*time.Millisecond, 0
	for {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), "PRECOMPUTE_INTO="+killed, "PRECOMPUTE_PLAN="+plan)
		var said bytes.Buffer
		c.Stderr = &said
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- c.Wait() }()
		select {
		case err := <-done:
			if err != nil {
				t.Fatalf("after %d kills: %v: %s", kills, err, said.String())
			}
			if _, err := precompute.Merge(t.Context(), p, killed, nil); err != nil {
				t.Fatal(err)
			}
			if got, want := contents(t, killed), contents(t, whole); !maps.Equal(got, want) {
				t.Errorf("after %d kills the files differ: %v, want %v", kills, slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
			}
			t.Logf("killed %d times", kills)
			return
		case <-time.After(after/2 + rand.N(after)):
			kills++
			after += after / 8
			if err := c.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
				t.Fatal(err)
			}
			<-done
		}
	}
}

// TestInputsAndOutputsMayLieInAnObjectStore runs a plan whose images come from
// one bucket into another, and compares with the local run.
func TestInputsAndOutputsMayLieInAnObjectStore(t *testing.T) {
	storagetest.Server(t, "images", "out")
	put := func(folder storage.Folder, root string) {
		err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			return folder.Put(name, func(w io.Writer) error {
				text, err := os.ReadFile(filepath.Join(root, name))
				if err == nil {
					_, err = w.Write(text)
				}
				return err
			})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	open := func(name string) storage.Folder {
		f, err := storage.Open(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	put(open("s3://images/city"), filepath.Join(data(t), "cityscapes"))
	put(open("s3://images/gta"), filepath.Join(data(t), "gta"))
	local, err := jobs(t)["mix"]()
	if err != nil {
		t.Fatal(err)
	}
	here := filepath.Join(t.TempDir(), "mix")
	build(t, local, here, 1, 2)

	p, err := precompute.New(t.Context(), local.Job, precompute.Options{
		Source: precompute.InputOptions{Format: "gta", Dir: "s3://images/gta"},
		Mixed:  precompute.InputOptions{Format: "cityscapes", Dir: "s3://images/city", Unlabelled: true},
		Shards: 4, Workers: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	if p.Digest != local.Digest {
		t.Errorf("the plan's digest is %s, of the local one %s", p.Digest, local.Digest)
	}
	if err := open("s3://out").Put("plans/mix.json", p.Write); err != nil {
		t.Fatal(err)
	}
	if p, err = precompute.ReadPlan(t.Context(), "s3://out/plans/mix.json"); err != nil {
		t.Fatal(err)
	}
	there := "s3://out/sets/mix"
	m := build(t, p, there, 3, 2)
	if err := verify(t, there); err != nil {
		t.Error(err)
	}
	for _, shard := range m.Shards {
		got, err := fs.ReadFile(open(there), shard.File)
		if err != nil || string(got) != contents(t, here)[shard.File] {
			t.Errorf("%s differs from the local one, %v", shard.File, err)
		}
	}
}

// TestOwnDataMayLieInAnObjectStore reads own data from a bucket by a map that
// lies here, and once the plan is made needs the map no more.
func TestOwnDataMayLieInAnObjectStore(t *testing.T) {
	storagetest.Server(t, "images")
	mapFile := filepath.Join(t.TempDir(), "yard.yaml")
	text := `{name: yard, labels: ids, classes: [{name: road, ids: [6, 7, 8]}], ignore: others, splits: {train: {images: "a/images/*.png", labels: "a/labels/{stem}.png"}}}`
	if err := os.WriteFile(mapFile, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	folder, err := storage.Open(t.Context(), "s3://images/yard")
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"images", "labels"} {
		files, err := filepath.Glob(filepath.Join(data(t), "gta", kind, "*.png"))
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for _, file := range files {
			if err := folder.Put("a/"+kind+"/"+filepath.Base(file), func(w io.Writer) error {
				content, err := os.ReadFile(file)
				if err == nil {
					_, err = w.Write(content)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	p, err := precompute.New(t.Context(), precompute.Job{Kind: pipeline.KindSample, Epochs: 1}, precompute.Options{
		Source: precompute.InputOptions{Format: "folder:" + mapFile, Dir: "s3://images/yard"}, Shards: 2, Workers: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	if p.Source.Map != text || p.Source.Format != "folder" || p.Source.Dir != "s3://images/yard" {
		t.Errorf("the plan's source is %s at %s with the map %q", p.Source.Format, p.Source.Dir, p.Source.Map)
	}
	if err := os.Remove(mapFile); err != nil {
		t.Fatal(err)
	}
	there := filepath.Join(t.TempDir(), "yard")
	build(t, p, there, 1, 2)
	d, err := shards.Open(there)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if h := d.Header(); !slices.Equal(h.Classes, []string{"road"}) || len(h.Colors) != 1 || d.Len() != len(p.Source.Items) {
		t.Errorf("%d rows of classes %q in %v", d.Len(), h.Classes, h.Colors)
	}
}

func TestASecondProcessIsRefused(t *testing.T) {
	p, err := jobs(t)["pairs"]()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	unlock, err := files.Lock(dir, ".lock-0-of-1")
	if err != nil {
		t.Fatal(err)
	}
	err = precompute.Run(t.Context(), p, dir, precompute.RunOptions{})
	if err == nil || !strings.Contains(err.Error(), "in use by process "+strconv.Itoa(os.Getpid())) {
		t.Errorf("second process: %v", err)
	}
	unlock()
	if err := precompute.Run(t.Context(), p, dir, precompute.RunOptions{}); err != nil {
		t.Error(err)
	}
}

// TestAShardMayBeMadeTwiceAtOnce: an engine may hand out a shard again while it
// is being made, to this process or another.
func TestAShardMayBeMadeTwiceAtOnce(t *testing.T) {
	p, err := jobs(t)["mix"]()
	if err != nil {
		t.Fatal(err)
	}
	whole, twice := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "twice")
	build(t, p, whole, 1, 2)
	var wait sync.WaitGroup
	for range 3 {
		wait.Go(func() {
			m, err := precompute.NewMaker(t.Context(), p, twice, precompute.MakerOptions{Workers: 2})
			if err != nil {
				t.Error(err)
				return
			}
			for s := range p.Shards {
				wait.Go(func() {
					shard, err := m.Make(t.Context(), s)
					if err != nil || shard.File != shards.File(s) || shard.Rows == 0 {
						t.Errorf("shard %d: %+v, %v", s, shard, err)
					}
				})
			}
		})
	}
	wait.Wait()
	if _, err := precompute.Merge(t.Context(), p, twice, nil); err != nil {
		t.Fatal(err)
	}
	if got, want := contents(t, twice), contents(t, whole); !maps.Equal(got, want) {
		t.Errorf("the files differ: %v, want %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
}

// TestAShardWaitsForItsOwner: where someone else makes a shard, the next caller
// waits, as long as it may.
func TestAShardWaitsForItsOwner(t *testing.T) {
	p, err := jobs(t)["pairs"]()
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		m, err := precompute.NewMaker(t.Context(), p, dir, precompute.MakerOptions{})
		if err != nil {
			t.Fatal(err)
		}
		unlock, err := files.Lock(dir, ".lock-part-00001")
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := m.Make(ctx, 1); !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, files.ErrInUse) || !strings.Contains(err.Error(), "shard 1 of 4") {
			t.Errorf("while it is locked: %v", err)
		}
		var made atomic.Bool
		var wait sync.WaitGroup
		wait.Go(func() {
			if _, err := m.Make(t.Context(), 1); err != nil {
				t.Error(err)
			}
			made.Store(true)
		})
		time.Sleep(time.Hour)
		if made.Load() {
			t.Error("it is made while someone else has the lock")
		}
		unlock()
		wait.Wait()
		for _, s := range []int{-1, p.Shards} {
			if _, err := m.Make(t.Context(), s); err == nil || !strings.Contains(err.Error(), "does not exist") {
				t.Errorf("shard %d: %v", s, err)
			}
		}
	})
}

// TestDamageIsFoundAndHealed flips a byte in a finished shard.
func TestDamageIsFoundAndHealed(t *testing.T) {
	p, err := jobs(t)["crops"]()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "crops")
	build(t, p, dir, 1, 2)
	want := contents(t, dir)
	file := filepath.Join(dir, shards.File(2))
	text := []byte(want[shards.File(2)])
	text[len(text)/2] ^= 1
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := verify(t, dir); err == nil || !strings.Contains(err.Error(), "part-00002.arrow") || !strings.Contains(err.Error(), "row") {
		t.Errorf("verify: %v", err)
	}
	if _, err := precompute.Merge(t.Context(), p, dir, nil); err == nil || !strings.Contains(err.Error(), "part-00002.arrow") {
		t.Errorf("merge: %v", err)
	}
	build(t, p, dir, 1, 2)
	if !maps.Equal(contents(t, dir), want) {
		t.Error("the dataset is not as it was")
	}
}

func TestInputsMustBeThoseOfThePlan(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(file string) error
		want  string
		input bool
	}{
		"changed":  {func(f string) error { return os.WriteFile(f, []byte("another picture"), 0o644) }, "the plan says", true},
		"vanished": {os.Remove, "has no sample", true},
	} {
		t.Run(name, func(t *testing.T) {
			copied := filepath.Join(t.TempDir(), "gta")
			if err := os.CopyFS(copied, os.DirFS(filepath.Join(data(t), "gta"))); err != nil {
				t.Fatal(err)
			}
			p, err := precompute.New(t.Context(), precompute.Job{Kind: pipeline.KindSample, Epochs: 1}, precompute.Options{Source: precompute.InputOptions{Format: "gta", Dir: copied}, Shards: 3, Workers: 2})
			if err != nil {
				t.Fatal(err)
			}
			if err := c.spoil(filepath.Join(copied, "images", filepath.Base(p.Source.Items[1].ID)+".png")); err != nil {
				t.Fatal(err)
			}
			err = precompute.Run(t.Context(), p, filepath.Join(t.TempDir(), "out"), precompute.RunOptions{Workers: 1})
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), filepath.Base(p.Source.Items[1].ID)) || errors.Is(err, precompute.ErrInput) != c.input {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestBadSamplesAreSettledInThePlan: they are left out once, with their reason.
func TestBadSamplesAreSettledInThePlan(t *testing.T) {
	copied := filepath.Join(t.TempDir(), "gta")
	if err := os.CopyFS(copied, os.DirFS(filepath.Join(data(t), "gta"))); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(copied, "images", "*.png"))
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	if err := os.Truncate(files[1], 500); err != nil {
		t.Fatal(err)
	}
	job := precompute.Job{Kind: pipeline.KindSample, Epochs: 1}
	o := precompute.Options{Source: precompute.InputOptions{Format: "gta", Dir: copied}, Workers: 2}
	var bad *precompute.TooManyBad
	if _, err := precompute.New(t.Context(), job, o); !errors.As(err, &bad) || len(bad.Bad) != 1 {
		t.Errorf("no bad sample allowed: %v", err)
	}
	o.MaxBad = 1
	p, err := precompute.New(t.Context(), job, o)
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Source.Quarantined) != 1 || p.Source.Quarantined[0].File != files[1] || len(p.Source.Items) != len(files)-1 {
		t.Errorf("quarantined %+v", p.Source.Quarantined)
	}
	o.Source.Report = p.Source.Quarantined
	trusting, err := precompute.New(t.Context(), job, o)
	if err != nil || trusting.Digest != p.Digest {
		t.Errorf("a plan by the report differs: %v", err)
	}
}

// TestTheLimitOnPixelsHoldsForShardsToo: the plan carries the limit that it was
// made with.
func TestTheLimitOnPixelsHoldsForShardsToo(t *testing.T) {
	source := precompute.InputOptions{Format: "gta", Dir: filepath.Join(data(t), "gta")}
	p, err := precompute.New(t.Context(), precompute.Job{Kind: pipeline.KindSample, Epochs: 1}, precompute.Options{Source: source, MaxPixels: 1 << 20})
	if err != nil || p.MaxPixels != 1<<20 {
		t.Fatalf("the plan has the limit %d, %v", p.MaxPixels, err)
	}
	p.MaxPixels = 10
	err = precompute.Run(t.Context(), p, filepath.Join(t.TempDir(), "out"), precompute.RunOptions{})
	if err == nil || !strings.Contains(err.Error(), "the limit is 10") {
		t.Errorf("images of more than 10 pixels: %v", err)
	}
}

// TestAPlansLimitOnPixelsIsNotTrusted: a plan that names more pixels than whoever
// runs it does is refused before anything is made.
func TestAPlansLimitOnPixelsIsNotTrusted(t *testing.T) {
	source := precompute.InputOptions{Format: "gta", Dir: filepath.Join(data(t), "gta")}
	p, err := precompute.New(t.Context(), precompute.Job{Kind: pipeline.KindSample, Epochs: 1}, precompute.Options{Source: source, MaxPixels: 9_000_000_000})
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	refused := func(err error) bool {
		var limit *precompute.PixelLimitError
		return errors.As(err, &limit) && *limit == precompute.PixelLimitError{Plan: 9_000_000_000, Limit: 100_000_000}
	}
	if err := precompute.Run(t.Context(), p, out, precompute.RunOptions{}); !refused(err) {
		t.Errorf("run with %v", err)
	}
	if _, err := precompute.NewMaker(t.Context(), p, out, precompute.MakerOptions{}); !refused(err) {
		t.Errorf("a maker with %v", err)
	}
	if _, err := os.Stat(out); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the output is there: %v", err)
	}
	if err := precompute.Run(t.Context(), p, out, precompute.RunOptions{MaxPixels: 9_000_000_000}); err != nil {
		t.Error(err)
	}
}

func TestAPlanIsNotEdited(t *testing.T) {
	p, err := jobs(t)["samples"]()
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if err := p.Write(&text); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "plan.json")
	for name, c := range map[string]struct{ from, to, want string }{
		"whole":   {"", "", ""},
		"seed":    {`"seed": 11`, `"seed": 12`, "is not edited but made anew"},
		"unknown": {`"seed": 11`, `"sed": 11`, "unknown field"},
		"format":  {"pipa-plan/2", "pipa-plan/9", "this pipa reads"},
	} {
		if err := os.WriteFile(path, []byte(strings.Replace(text.String(), c.from, c.to, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := precompute.ReadPlan(t.Context(), path)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	other, err := jobs(t)["crops"]()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "out")
	if err := precompute.Run(t.Context(), p, dir, precompute.RunOptions{Workers: 2}); err != nil {
		t.Fatal(err)
	}
	if err := precompute.Run(t.Context(), other, dir, precompute.RunOptions{}); err == nil || !strings.Contains(err.Error(), "another plan") {
		t.Errorf("another plan in the same folder: %v", err)
	}
}

func FuzzReadPlan(f *testing.F) {
	p, err := jobs(f)["mix"]()
	if err != nil {
		f.Fatal(err)
	}
	var text bytes.Buffer
	if err := p.Write(&text); err != nil {
		f.Fatal(err)
	}
	f.Add(text.Bytes())
	f.Add([]byte(`{"format":"pipa-plan/1","digest":"","epochs":1,"shards":-3}`))
	path := filepath.Join(f.TempDir(), "plan.json")
	digest := regexp.MustCompile(`its digest is ([0-9a-f]{16})`)
	f.Fuzz(func(t *testing.T, text []byte) {
		read := func(text []byte) (*precompute.Plan, error) {
			if err := os.WriteFile(path, text, 0o644); err != nil {
				t.Fatal(err)
			}
			return precompute.ReadPlan(t.Context(), path)
		}
		p, err := read(text)
		var fields map[string]json.RawMessage
		for range 2 { // the first time, the members are put into another order
			found := digest.FindStringSubmatch(fmt.Sprint(err))
			if found == nil || json.Unmarshal(text, &fields) != nil {
				break
			}
			fields["digest"] = json.RawMessage(`"` + found[1] + `"`) // or hardly a change would get past it
			var failed error
			if text, failed = json.Marshal(fields); failed != nil {
				t.Fatal(failed)
			}
			p, err = read(text)
		}
		if err == nil && (p.Rows() < p.Shards || p.Shards < 1) {
			t.Errorf("a plan of %d rows in %d shards was accepted", p.Rows(), p.Shards)
		}
	})
}
