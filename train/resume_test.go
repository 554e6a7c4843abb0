package train

import (
	"context"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/pipa-uda/pipa/train/checkpoint"
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
	for i, dir := range []string{checkpoint.Dir, panelsDir, "."} {
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
