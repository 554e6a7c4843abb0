package train

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/fixtures"
	"github.com/pipa-uda/pipa/fixtures/shared"
	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/formats/stats"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/shards"
	"github.com/pipa-uda/pipa/precompute"
	"github.com/pipa-uda/pipa/train/checkpoint"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/feed"
	"github.com/pipa-uda/pipa/train/logs"
	"github.com/pipa-uda/pipa/train/panels"
	"github.com/pipa-uda/pipa/train/traintest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(rankRun) != "" {
		os.Exit(runRank())
	}
	code := m.Run()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// deterministic reads a run's metrics without what depends on the machine's
// mood.
func deterministic(t *testing.T, run string) []logs.Metrics {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(run, logs.MetricsFile))
	if err != nil {
		t.Fatal(err)
	}
	var out []logs.Metrics
	for line := range bytes.Lines(text) {
		var m logs.Metrics
		if err := json.Unmarshal(line, &m); err != nil {
			t.Fatal(err)
		}
		m.SamplesPerSecond, m.DataWait, m.MemoryBytes = 0, 0, 0
		out = append(out, m)
	}
	return out
}

// readWeights are the bytes of a run's last student and teacher.
func readWeights(t *testing.T, run string) map[string][]byte {
	t.Helper()
	dir, _, _, err := checkpoint.Latest(run)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]byte{}
	for _, f := range []string{checkpoint.StudentFile, checkpoint.TeacherFile, checkpoint.OptimizerFile, checkpoint.BankFile} {
		if out[f], err = os.ReadFile(filepath.Join(dir, f)); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestARunCutAnywhereAndResumedEqualsOneThatRanThrough(t *testing.T) {
	lib := traintest.Lib(t)
	cfg := traintest.Config(t, "eval.every=2")
	whole := filepath.Join(t.TempDir(), "whole")
	want, err := Run(context.Background(), lib, cfg, Options{Out: whole})
	if err != nil {
		t.Fatal(err)
	}
	scores, err := os.ReadFile(filepath.Join(whole, logs.ScoresFile))
	if err != nil || bytes.Count(scores, []byte("\n")) != 4 {
		t.Fatalf("scores %s, %v", scores, err)
	}
	for cut := 1; cut < cfg.Iterations; cut++ {
		run := filepath.Join(t.TempDir(), fmt.Sprint("cut", cut))
		ctx, cancel := context.WithCancel(context.Background())
		interrupted := cfg
		interrupted.LogEvery = 1 // so that Progress sees every step; logging is not a part of the numbers
		_, err := Run(ctx, lib, interrupted, Options{Out: run, Progress: func(m logs.Metrics, _ int) {
			if m.Iteration == cut {
				cancel()
			}
		}})
		if !errors.Is(err, ErrInterrupted) {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		got, err := Run(context.Background(), lib, cfg, Options{Out: run, Resume: true, Workers: 3})
		if err != nil {
			t.Fatalf("cut at %d: %v", cut, err)
		}
		if !reflect.DeepEqual(readWeights(t, run), readWeights(t, whole)) {
			t.Errorf("cut at %d: the final weights differ", cut)
		}
		if !reflect.DeepEqual(got.Confusion, want.Confusion) {
			t.Errorf("cut at %d: the scores differ", cut)
		}
		if again, err := os.ReadFile(filepath.Join(run, logs.ScoresFile)); err != nil || !bytes.Equal(again, scores) {
			t.Errorf("cut at %d: the scores on the way differ, %v", cut, err)
		}
	}
}

// TestAKilledRunLogsTheSameMetrics throws away what a kill would lose: all
// since the last checkpoint but the log.
func TestAKilledRunLogsTheSameMetrics(t *testing.T) {
	lib := traintest.Lib(t)
	cfg := traintest.Config(t)
	whole, run := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "killed")
	if _, err := Run(context.Background(), lib, cfg, Options{Out: whole}); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(context.Background(), lib, cfg, Options{Out: run}); err != nil {
		t.Fatal(err)
	}
	all, err := checkpoint.List(run)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(all[len(all)-1]); err != nil { // back to iteration 6
		t.Fatal(err)
	}
	if _, err := Run(context.Background(), lib, cfg, Options{Out: run, Resume: true}); err != nil {
		t.Fatal(err)
	}
	if got, want := deterministic(t, run), deterministic(t, whole); !reflect.DeepEqual(got, want) {
		t.Errorf("metrics\n%+v\nwant\n%+v", got, want)
	}
	if !reflect.DeepEqual(readWeights(t, run), readWeights(t, whole)) {
		t.Error("the final weights differ")
	}
}

func TestResumeRefusesAnotherConfigurationOrData(t *testing.T) {
	lib := traintest.Lib(t)
	cfg := traintest.Config(t, "iterations=2")
	run := filepath.Join(t.TempDir(), "run")
	if _, err := Run(context.Background(), lib, cfg, Options{Out: run}); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(context.Background(), lib, cfg, Options{Out: run}); err == nil || !strings.Contains(err.Error(), "already holds a run") {
		t.Errorf("a second run into the same folder: %v", err)
	}
	other := cfg
	other.Patch.Weight = 0.7
	if _, err := Run(context.Background(), lib, other, Options{Out: run, Resume: true}); err == nil || !strings.Contains(err.Error(), "patch.weight: 0.7, was 0.1") {
		t.Errorf("another configuration: %v", err)
	}
	other = cfg
	data, err := shared.Data(fixtures.Options{Seed: 9, Width: 128, GTA: 3, Domains: []fixtures.Domain{fixtures.GTA}})
	if err != nil {
		t.Fatal(err)
	}
	other.Source.Dir = filepath.Join(data, "gta")
	if _, err := Run(context.Background(), lib, other, Options{Out: run, Resume: true}); err == nil || !strings.Contains(err.Error(), "the source data differ") {
		t.Errorf("other data: %v", err)
	}
	if _, err := Run(context.Background(), lib, cfg, Options{Out: filepath.Join(run, "none"), Resume: true}); err == nil || !strings.Contains(err.Error(), "no run to resume") {
		t.Errorf("nothing to resume: %v", err)
	}
}

// TestMemoryIsFlat compares live tensors and resident memory early and late.
func TestMemoryIsFlat(t *testing.T) {
	lib := traintest.Lib(t)
	live, resident := map[int]int{}, map[int]int64{}
	run := filepath.Join(t.TempDir(), "run")
	warm, steps := 100, 300
	if testing.Short() {
		warm, steps = 60, 120
	}
	_, err := Run(context.Background(), lib, traintest.Config(t, fmt.Sprint("iterations=", steps), "log_every=20", "checkpoint.every=1000"), Options{Out: run, Progress: func(m logs.Metrics, _ int) {
		live[m.Iteration], resident[m.Iteration] = lib.LiveTensors(), m.MemoryBytes
	}})
	if err != nil {
		t.Fatal(err)
	}
	if live[warm] != live[steps] {
		t.Errorf("%d live tensors after %d steps, %d after %d", live[warm], warm, live[steps], steps)
	}
	if grown := resident[steps] - resident[warm]; grown > 64<<20 {
		t.Errorf("resident memory grew by %d MiB from step %d to %d", grown>>20, warm, steps)
	}
	if n := lib.LiveTensors(); n != 0 {
		t.Errorf("%d tensors are left over after the run", n)
	}
	t.Logf("after %d steps %d live tensors and %d MiB resident, after %d %d and %d", warm, live[warm], resident[warm]>>20, steps, live[steps], resident[steps]>>20)
}

// TestPairsMayComeFromADataset gives the trainer the pairs that it would cut
// itself, precomputed.
func TestPairsMayComeFromADataset(t *testing.T) {
	lib := traintest.Lib(t)
	cfg := traintest.Config(t)
	live, run := filepath.Join(t.TempDir(), "live"), filepath.Join(t.TempDir(), "precomputed")
	if _, err := Run(context.Background(), lib, cfg, Options{Out: live}); err != nil {
		t.Fatal(err)
	}
	// All of epoch 0's pairs, in the dataset's order.
	pairs := filepath.Join(t.TempDir(), "pairs")
	storePairs(t, cfg, pairs)
	cfg.Patch.Pairs = pairs
	if _, err := Run(context.Background(), lib, cfg, Options{Out: run}); err != nil {
		t.Fatal(err)
	}
	// Six target images make three batches of pairs in an epoch: the patch
	// losses of iterations 2, 3 and 4 see the same pairs in both runs.
	a, b := deterministic(t, live), deterministic(t, run)
	for i := range 2 { // the lines at iterations 2 and 4
		if !maps.Equal(a[i].Losses, b[i].Losses) {
			t.Errorf("at iteration %d the losses are %v, with precomputed pairs %v", a[i].Iteration, a[i].Losses, b[i].Losses)
		}
	}
	if a[1].Losses["patch"] == 0 {
		t.Error("the patch loss is 0")
	}
}

// storePairs writes epoch 0 of the pairs that a run would cut, in the order of its
// items.
func storePairs(t *testing.T, cfg config.Config, dir string) {
	t.Helper()
	feeds, err := feed.Open(t.Context(), cfg, feed.Options{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer feeds.Close()
	rows := feeds.Pairs.(*feed.Drawn).Rows
	batches := func(yield func(*pipeline.Batch, error) bool) {
		for i := range rows.Items {
			out := pipeline.NewBuilder(rows.Header)
			if err := rows.Append(t.Context(), out, i, 0); err != nil {
				yield(nil, err)
				return
			}
			if b, err := out.Batch(); !yield(b, err) || err != nil {
				return
			}
		}
	}
	if _, err := shards.Write(t.Context(), dir, pipeline.Stream{Header: rows.Header, Batches: batches}, shards.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
}

// TestTheSamePairsGiveTheSameLoss feeds the same pairs from all three places:
// cut from the target, cut from mixed images, and precomputed. The one source
// image is also the one target image, so that mixing changes nothing.
func TestTheSamePairsGiveTheSameLoss(t *testing.T) {
	lib := traintest.Lib(t)
	dir := traintest.Data(t)
	one := filepath.Join(t.TempDir(), "cityscapes")
	for _, kind := range []struct{ folder, suffix string }{{"leftImg8bit", "_leftImg8bit.png"}, {"gtFine", "_gtFine_labelTrainIds.png"}} {
		files, err := filepath.Glob(filepath.Join(dir, "cityscapes", kind.folder, "train", "*", "*"+kind.suffix))
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		text, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(one, kind.folder, "train", "city")
		if err := os.MkdirAll(to, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, "a"+kind.suffix), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	// Whole images, which only fixed draws cut.
	whole := []string{
		"source.format=cityscapes", "source.resize=[0, 0]", "source.crop=[64, 128]", "source.flip=0", "source.cat_max_ratio=1",
		"target.resize=[0, 0]", "target.crop=[64, 128]", "target.flip=0", "adapt.ignore_top=0", "adapt.ignore_bottom=0",
		"patch.start=0", "adapt.start=0", "patch.batch=1", "iterations=1", "log_every=1", "eval.split=train",
	}
	losses := map[string]map[string]float64{}
	train := func(name string, set ...string) config.Config {
		cfg := traintest.Config(t, append(whole, set...)...)
		cfg.Source.Dir, cfg.Target.Dir = one, one
		run := filepath.Join(t.TempDir(), name)
		if _, err := Run(t.Context(), lib, cfg, Options{Out: run}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		losses[name] = deterministic(t, run)[0].Losses
		return cfg
	}
	train("target")
	cfg := train("mixed", "patch.image=mixed")
	pairs := filepath.Join(t.TempDir(), "pairs")
	storePairs(t, cfg, pairs)
	train("precomputed", "patch.pairs="+pairs)
	if losses["target"]["patch"] == 0 {
		t.Error("the patch loss is 0")
	}
	for _, other := range []string{"mixed", "precomputed"} {
		if !maps.Equal(losses["target"], losses[other]) {
			t.Errorf("with pairs from the target the losses are %v, with %s ones %v", losses["target"], other, losses[other])
		}
	}
}

// TestWindowOrderIsThatOfADataset trains from a precomputed source, read window
// by window.
func TestWindowOrderIsThatOfADataset(t *testing.T) {
	lib := traintest.Lib(t)
	cfg := traintest.Config(t, "iterations=4", "adapt.enabled=false", "patch.weight=0", "pixel.weight=0", "source.order=window")
	if _, err := Run(t.Context(), lib, cfg, Options{Out: filepath.Join(t.TempDir(), "folder")}); err == nil || !strings.Contains(err.Error(), "order window is that of a precomputed dataset") {
		t.Errorf("a folder of images: %v", err)
	}
	job := precompute.Job{Kind: pipeline.KindSample, Epochs: 1}
	plan, err := precompute.New(t.Context(), job, precompute.Options{Source: precompute.InputOptions{Format: "gta", Dir: cfg.Source.Dir}, Shards: 5, Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "source")
	if err := precompute.Run(t.Context(), plan, dir, precompute.RunOptions{Workers: 2}); err != nil {
		t.Fatal(err)
	}
	if _, err := precompute.Merge(t.Context(), plan, dir, nil); err != nil {
		t.Fatal(err)
	}
	cfg.Source.Dir = dir
	run := filepath.Join(t.TempDir(), "run")
	if _, err := Run(t.Context(), lib, cfg, Options{Out: run}); err != nil {
		t.Fatal(err)
	}
	if m := deterministic(t, run); m[len(m)-1].Losses["source"] <= 0 {
		t.Errorf("metrics %+v", m)
	}
}

func TestSourceMayBeAStream(t *testing.T) {
	lib := traintest.Lib(t)
	cfg := traintest.Config(t, "iterations=3", "adapt.enabled=false", "patch.weight=0", "pixel.weight=0")
	f, err := feed.Open(context.Background(), cfg, feed.Options{Workers: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows := func(n int) *bytes.Buffer {
		batches := func(yield func(*pipeline.Batch, error) bool) {
			i := 0
			for b, err := range f.Source.From(context.Background(), 0) {
				if i++; i > n || !yield(b, err) {
					return
				}
			}
		}
		var buf bytes.Buffer
		if err := pipeline.Write(context.Background(), &buf, pipeline.Stream{Header: f.Source.Header(), Batches: batches}); err != nil {
			t.Fatal(err)
		}
		return &buf
	}
	live, piped := filepath.Join(t.TempDir(), "live"), filepath.Join(t.TempDir(), "piped")
	if _, err := Run(context.Background(), lib, cfg, Options{Out: live}); err != nil {
		t.Fatal(err)
	}
	cfg.Source.Dir = "-"
	if _, err := Run(context.Background(), lib, cfg, Options{Out: piped, Stdin: rows(3)}); err != nil {
		t.Fatal(err)
	}
	if got, want := deterministic(t, piped), deterministic(t, live); !reflect.DeepEqual(got, want) {
		t.Errorf("from a stream\n%+v\nfrom the folder\n%+v", got, want)
	}
	if _, err := Run(context.Background(), lib, cfg, Options{Out: filepath.Join(t.TempDir(), "short"), Stdin: rows(2)}); err == nil || !strings.Contains(err.Error(), "the stream ended") {
		t.Errorf("a stream that is too short: %v", err)
	}
}

// TestEveryRecipeTrains runs a few steps, and the scoring, of what presets can
// switch on, and interrupts none: each loss is there, finite, and the teacher's
// margins count.
func TestEveryRecipeTrains(t *testing.T) {
	lib := traintest.Lib(t)
	counted := filepath.Join(t.TempDir(), "gta") // with statistics, which rare classes need
	if err := os.CopyFS(counted, os.DirFS(filepath.Join(traintest.Data(t), "gta"))); err != nil {
		t.Fatal(err)
	}
	d, err := formats.Open(formats.GTA(), counted, formats.Options{})
	if err != nil {
		t.Fatal(err)
	}
	labels, err := stats.Count(t.Context(), d, 2, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := stats.In(counted).Write(labels, false); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		set    []string
		losses []string
	}{
		"hrda": {
			[]string{"network.hrda={crop: [32, 32], detail_weight: 0.1}", "adapt.margins=[4, 8, 4, 4]", "eval.window=[64, 64]", "eval.stride=[32, 32]"},
			[]string{"source", "source_detail", "pixel", "mixed", "mixed_detail", "patch"},
		},
		"mic":             {[]string{"masked={weight: 1, block: 16, ratio: 0.7}"}, []string{"source", "pixel", "mixed", "masked", "patch"}},
		"source with mic": {[]string{"adapt.enabled=false", "patch.weight=0", "masked={weight: 1, block: 16, ratio: 0.7}"}, []string{"source", "pixel", "masked"}},
		"rare classes":    {[]string{"rare_classes={temperature: 0.1, min_pixels: 5, min_crop_ratio: 0.5}"}, []string{"source", "pixel", "mixed", "patch"}},
		"segformer":       {[]string{"network.decoder=segformer"}, []string{"source", "pixel", "mixed", "patch"}},
		"mixed pairs":     {[]string{"patch.image=mixed"}, []string{"source", "pixel", "mixed", "patch"}},
		"bfloat16":        {[]string{"network.precision=bfloat16"}, []string{"source", "pixel", "mixed", "patch"}},
		"bfloat16 hrda": {
			[]string{"network.precision=bfloat16", "network.hrda={crop: [32, 32], detail_weight: 0.1}"},
			[]string{"source", "source_detail", "pixel", "mixed", "mixed_detail", "patch"},
		},
		"plain decoder": {[]string{"network.decoder=daformer-conv1"}, []string{"source", "pixel", "mixed", "patch"}},
	} {
		t.Run(name, func(t *testing.T) {
			set := append([]string{"iterations=3", "log_every=3", "patch.start=0", "adapt.start=0"}, c.set...)
			cfg := traintest.Config(t, set...)
			cfg.Source.Dir = counted
			var last logs.Metrics
			r, err := Run(t.Context(), lib, cfg, Options{Out: filepath.Join(t.TempDir(), "run"), Progress: func(m logs.Metrics, _ int) { last = m }})
			if err != nil {
				t.Fatal(err)
			}
			if got := slices.Sorted(maps.Keys(last.Losses)); !slices.Equal(got, slices.Sorted(slices.Values(c.losses))) {
				t.Errorf("losses %v, want %v", got, c.losses)
			}
			if r.Images != 3 || math.IsNaN(float64(r.MIoU)) {
				t.Errorf("scored %d images with %v", r.Images, r.MIoU)
			}
		})
	}
}

// TestBFloat16StaysCloseToFloat32 compares the losses of a first step, which
// must differ, or nothing was cast, and only by bfloat16's 8 bits.
func TestBFloat16StaysCloseToFloat32(t *testing.T) {
	lib := traintest.Lib(t)
	first := map[string]logs.Metrics{}
	for _, precision := range []string{"float32", "bfloat16"} {
		run := filepath.Join(t.TempDir(), precision)
		if _, err := Run(t.Context(), lib, traintest.Config(t, "iterations=1", "log_every=1", "patch.start=0", "adapt.start=0", "network.precision="+precision), Options{Out: run}); err != nil {
			t.Fatal(err)
		}
		first[precision] = deterministic(t, run)[0]
	}
	for name, want := range first["float32"].Losses {
		if got := first["bfloat16"].Losses[name]; got == want || math.Abs(got-want) > 0.05*want {
			t.Errorf("loss %s is %v in bfloat16, %v in float32", name, got, want)
		}
	}
}

// TestActivationCheckpointingChangesMemoryAlone trains with activations kept
// and computed again. The one difference is allowed at two scales, where one
// parameter's gradients of the two passes are added in another order.
func TestActivationCheckpointingChangesMemoryAlone(t *testing.T) {
	lib := traintest.Lib(t)
	for name, c := range map[string]struct {
		set   []string
		exact bool
	}{
		"mit":      {nil, true},
		"probed":   {[]string{"probe_every=2"}, true},
		"bfloat16": {[]string{"network.precision=bfloat16"}, true},
		"hrda":     {[]string{"network.hrda={crop: [32, 32], detail_weight: 0.1}"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			runtime.LockOSThread() // what an operation holds is counted by thread
			defer runtime.UnlockOSThread()
			var peaks [2]int64
			var runs [2]string
			var losses [2]map[string]float64
			for i, checkpointing := range []string{"false", "true"} {
				runs[i] = filepath.Join(t.TempDir(), checkpointing)
				set := append([]string{"iterations=4", "log_every=4", "patch.start=0", "adapt.start=0", "network.drop_path=0.5", "network.depths=[2, 2, 2, 2]", "network.checkpointing=" + checkpointing}, c.set...)
				if err := lib.CountMemory(func(peak func() int64) error {
					_, err := Run(t.Context(), lib, traintest.Config(t, set...), Options{Out: runs[i]})
					peaks[i] = peak()
					return err
				}); err != nil {
					t.Fatal(err)
				}
				losses[i] = deterministic(t, runs[i])[0].Losses
			}
			if c.exact && !maps.EqualFunc(readWeights(t, runs[0]), readWeights(t, runs[1]), bytes.Equal) {
				t.Error("the weights differ")
			}
			for name, want := range losses[0] {
				if got := losses[1][name]; math.Abs(got-want) > 1e-4*want {
					t.Errorf("loss %s is %v with checkpointing, %v without", name, got, want)
				}
			}
			if peaks[1] >= peaks[0] {
				t.Errorf("the most memory held is %d bytes with checkpointing, %d without", peaks[1], peaks[0])
			}
			t.Logf("most memory held: %.1f MB, with checkpointing %.1f MB", float64(peaks[0])/1e6, float64(peaks[1])/1e6)
		})
	}
}

// TestBadLossesStopOrAreSkipped: an infinite loss is reported with the samples,
// and stops the run or leaves the student as it was.
func TestBadLossesStopOrAreSkipped(t *testing.T) {
	lib := traintest.Lib(t)
	infinite := []string{"iterations=3", "log_every=3", "pixel.weight=1e300"} // overflows float32
	_, err := Run(t.Context(), lib, traintest.Config(t, infinite...), Options{Out: filepath.Join(t.TempDir(), "run")})
	for _, want := range []string{"iteration 0", "gta/train/", "loss pixel is +Inf"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
	run := filepath.Join(t.TempDir(), "run")
	var last logs.Metrics
	if _, err := Run(t.Context(), lib, traintest.Config(t, append(infinite, "on_bad_loss=skip")...), Options{Out: run, Progress: func(m logs.Metrics, _ int) { last = m }}); err != nil {
		t.Fatal(err)
	}
	if last.Skipped != 3 || len(last.Losses) != 0 {
		t.Errorf("%d steps skipped, losses %v", last.Skipped, last.Losses)
	}
}

// TestProbedGradients: each loss's gradient norm is measured on the steps asked
// for, and the released patch loss has none to measure.
func TestProbedGradients(t *testing.T) {
	lib := traintest.Lib(t)
	for mode, reaches := range map[string]bool{"paper": true, "official": false} {
		var all []logs.Metrics
		set := []string{"iterations=4", "log_every=1", "probe_every=2", "patch.start=0", "adapt.start=0", "adapt.threshold=0", "patch.mode=" + mode}
		if _, err := Run(t.Context(), lib, traintest.Config(t, set...), Options{Out: filepath.Join(t.TempDir(), "run"), Progress: func(m logs.Metrics, _ int) { all = append(all, m) }}); err != nil {
			t.Fatal(err)
		}
		for i, m := range all {
			if probed := i%2 == 0; (len(m.Norms) > 0) != probed {
				t.Errorf("%s: step %d has norms %v", mode, i, m.Norms)
			}
		}
		for _, name := range []string{"source", "pixel", "mixed"} {
			if !(all[2].Norms[name] > 0) {
				t.Errorf("%s: norm of %s is %v", mode, name, all[2].Norms[name])
			}
		}
		if (all[2].Norms["patch"] > 0) != reaches {
			t.Errorf("%s: norm of patch is %v", mode, all[2].Norms["patch"])
		}
	}
}

// TestPanelsShowTheStep: pictures come at the steps asked for, and change no
// number.
func TestPanelsShowTheStep(t *testing.T) {
	lib := traintest.Lib(t)
	with, without := filepath.Join(t.TempDir(), "with"), filepath.Join(t.TempDir(), "without")
	set := []string{"iterations=5", "patch.start=0", "adapt.start=0"}
	if _, err := Run(t.Context(), lib, traintest.Config(t, append(set, "panels_every=2")...), Options{Out: with}); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), lib, traintest.Config(t, append(set, "panels_every=0")...), Options{Out: without}); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(with, panels.Dir, "*.png"))
	if err != nil || len(files) != 3 {
		t.Fatalf("panels %q, %v", files, err)
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		picture, err := png.Decode(f)
		f.Close()
		if err != nil || picture.Bounds().Dx() < 500 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if a, b := readWeights(t, with), readWeights(t, without); !maps.EqualFunc(a, b, bytes.Equal) {
		t.Error("drawing changed the weights")
	}
}

// TestEveryStepIsReported: also those that have no line of metrics, and those of a run
// that goes on.
func TestEveryStepIsReported(t *testing.T) {
	cfg := traintest.Config(t, "iterations=5", "log_every=100", "eval.every=-1")
	run := filepath.Join(t.TempDir(), "run")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var steps []int
	stepped := func(i int) {
		if steps = append(steps, i); i == 3 {
			stop()
		}
	}
	if _, err := Run(ctx, traintest.Lib(t), cfg, Options{Out: run, Stepped: stepped}); !errors.Is(err, ErrInterrupted) {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), traintest.Lib(t), cfg, Options{Out: run, Resume: true, Stepped: stepped}); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(steps, []int{1, 2, 3, 4, 5}) {
		t.Errorf("steps %v were reported", steps)
	}
}
