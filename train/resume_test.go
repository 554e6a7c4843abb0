package train

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/train/checkpoint"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/panels"
	"github.com/pipa-uda/pipa/train/rundir"
	"github.com/pipa-uda/pipa/train/traintest"
	"google.golang.org/protobuf/encoding/protowire"
)

// TestTensorBoardHasEachStepOnce reads a resumed run's events as TensorBoard does:
// a START drops what came before it of its step and of later ones.
func TestTensorBoardHasEachStepOnce(t *testing.T) {
	lib := traintest.Lib(t)
	run := filepath.Join(t.TempDir(), "run")
	cfg := traintest.Config(t, "iterations=8", "eval.every=3", "log_every=1", "checkpoint.keep=9")
	if _, err := Run(context.Background(), lib, cfg, Options{Out: run}); err != nil {
		t.Fatal(err)
	}
	// A kill while the last checkpoint was written: it goes on from iteration 6.
	for i, dir := range []string{checkpoint.Dir, panels.Dir, "."} {
		if err := os.MkdirAll(filepath.Join(run, dir, ".tmp-killed", string(rune('a'+i))), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.RemoveAll(filepath.Join(run, checkpoint.Dir, "00000008")); err != nil {
		t.Fatal(err)
	}
	if _, err := Run(context.Background(), lib, cfg, Options{Out: run, Resume: true}); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(filepath.Join(run, "*", ".tmp-*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	if left, err := filepath.Glob(filepath.Join(run, ".tmp-*")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	for tag, want := range map[string][]int{"train/lr": {1, 2, 3, 4, 5, 6, 7, 8}, "eval/miou": {3, 6, 8}} {
		if got := plotted(t, run, tag); !slices.Equal(got, want) {
			t.Errorf("%s is plotted at %v, want %v", tag, got, want)
		}
	}
}

// plotted is the steps of a tag in a run's event files.
func plotted(t *testing.T, run, tag string) (steps []int) {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(run, "events.out.tfevents.*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range logs {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for len(data) > 0 {
			n := binary.LittleEndian.Uint64(data)
			var step int
			var tagged, start bool
			each(t, data[12:12+n], func(field protowire.Number, number uint64, message []byte) {
				switch field {
				case 2:
					step = int(number)
				case 5:
					each(t, message, func(_ protowire.Number, _ uint64, value []byte) {
						each(t, value, func(field protowire.Number, _ uint64, text []byte) {
							tagged = tagged || field == 1 && string(text) == tag
						})
					})
				case 7:
					start = true
				}
			})
			if start {
				steps = slices.DeleteFunc(steps, func(s int) bool { return s >= step })
			}
			if tagged {
				steps = append(steps, step)
			}
			data = data[16+n:]
		}
	}
	return steps
}

// each calls f for the fields of a message, which are numbers or bytes.
func each(t *testing.T, message []byte, f func(field protowire.Number, number uint64, bytes []byte)) {
	t.Helper()
	for len(message) > 0 {
		field, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			t.Fatal("bad tag")
		}
		message = message[n:]
		if n = protowire.ConsumeFieldValue(field, kind, message); n < 0 {
			t.Fatal("bad field")
		}
		value, number := message[:n], uint64(math.MaxUint64)
		switch kind {
		case protowire.BytesType:
			value, _ = protowire.ConsumeBytes(value)
		case protowire.VarintType:
			number, _ = protowire.ConsumeVarint(value)
		}
		f(field, number, value)
		message = message[n:]
	}
}

// A run whose data's broken file is mended goes on where that is accepted, and its
// checkpoints say so.
func TestChangedDataAreAccepted(t *testing.T) {
	lib := traintest.Lib(t)
	data := t.TempDir()
	if err := os.CopyFS(data, os.DirFS(traintest.Data(t))); err != nil {
		t.Fatal(err)
	}
	run := filepath.Join(t.TempDir(), "run")
	cfg := traintest.Config(t, "iterations=2", "eval.every=-1", "patch.weight=0")
	cfg.Source.Dir, cfg.Target.Dir = filepath.Join(data, "gta"), filepath.Join(data, "cityscapes")
	if _, err := Run(context.Background(), lib, cfg, Options{Out: run}); err != nil {
		t.Fatal(err)
	}
	dir, before, _, err := checkpoint.Latest(run)
	if err != nil {
		t.Fatal(err)
	}
	// Back to iteration 0, so that there are steps to go on with.
	state := filepath.Join(dir, checkpoint.StateFile)
	text, err := os.ReadFile(state)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(state, bytes.Replace(text, []byte(`"iteration": 2,`), []byte(`"iteration": 1,`), 1), 0o644),
		os.Rename(dir, filepath.Join(filepath.Dir(dir), "00000001"))); err != nil {
		t.Fatal(err)
	}
	images, err := filepath.Glob(filepath.Join(data, "cityscapes/leftImg8bit/train/*/*.png"))
	if err != nil || len(images) == 0 {
		t.Fatal(images, err)
	}
	if err := os.Remove(images[0]); err != nil {
		t.Fatal(err)
	}
	changed := (*ChangedDataError)(nil)
	if _, err := Run(context.Background(), lib, cfg, Options{Out: run, Resume: true}); !errors.As(err, &changed) || changed.Data != "target" {
		t.Fatalf("without a word: %v", err)
	}
	if _, err := Run(context.Background(), lib, cfg, Options{Out: run, Resume: true, AcceptChangedData: true}); err != nil {
		t.Fatal(err)
	}
	_, after, _, err := checkpoint.Latest(run)
	if err != nil {
		t.Fatal(err)
	}
	want := []checkpoint.Change{{Iteration: 1, Data: "target", Was: before.Data["target"], Now: after.Data["target"]}}
	if !slices.Equal(after.Changes, want) || after.Iteration != 2 || want[0].Was == want[0].Now {
		t.Errorf("iteration %d says %+v, want %+v", after.Iteration, after.Changes, want)
	}
	if _, err := Run(context.Background(), lib, cfg, Options{Out: run, Resume: true}); err != nil {
		t.Errorf("resumed once more: %v", err)
	}
}

// What can be known to be wrong before the first step leaves no folder, and what is
// right then can be begun in its place.
func TestAStartThatCannotWorkLeavesNothing(t *testing.T) {
	lib := traintest.Lib(t)
	out := filepath.Join(t.TempDir(), "run")
	unlabeled := t.TempDir()
	if err := os.CopyFS(unlabeled, os.DirFS(filepath.Join(traintest.Data(t), "cityscapes"))); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(unlabeled, "gtFine")); err != nil {
		t.Fatal(err)
	}
	start := func(set ...string) error {
		cfg := traintest.Config(t, append(set, "iterations=1")...)
		if len(set) > 0 && set[0] == "patch.steps=1" {
			cfg.Target.Dir = unlabeled
		}
		_, err := Run(context.Background(), lib, cfg, Options{Out: out})
		return err
	}
	for _, c := range []struct{ set, want string }{
		{"network.weights=" + filepath.Join(out, "none"), "network.weights: "},
		{"network.init=" + filepath.Join(out, "none"), "network.init: "},
		{"eval.split=vla", `"vla", eval.split, cannot be scored on: `},
		{"patch.steps=1", `"val", eval.split, cannot be scored on: `},
		{"target.split=vla", "target: "},
		{"rare_classes.temperature=1e-9", "source: "},
	} {
		err := start(c.set)
		if setup := (*SetupError)(nil); !errors.As(err, &setup) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.set, err, c.want)
		}
		if _, err := os.Stat(out); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("%s leaves a folder: %v", c.set, err)
		}
	}
	if err := start("patch.steps=1", "eval.every=-1"); err != nil {
		t.Errorf("without a score: %v", err)
	}
	if _, err := os.Stat(filepath.Join(out, rundir.ResultFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a result of no score: %v", err)
	}
}

func TestAnEditedConfigurationIsNotResumed(t *testing.T) {
	lib := traintest.Lib(t)
	run := filepath.Join(t.TempDir(), "run")
	cfg := traintest.Config(t, "iterations=1", "eval.every=-1")
	if _, err := Run(context.Background(), lib, cfg, Options{Out: run}); err != nil {
		t.Fatal(err)
	}
	cfg.Optimizer.LR = 0.5
	text, err := cfg.YAML()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(run, config.File), text, 0o644); err != nil {
		t.Fatal(err)
	}
	edited := (*checkpoint.EditedError)(nil)
	if _, err := Run(context.Background(), lib, cfg, Options{Out: run, Resume: true}); !errors.As(err, &edited) || !strings.Contains(err.Error(), "its configuration is not the one that 00000001 was made with") {
		t.Errorf("resumed with %v", err)
	}
}
