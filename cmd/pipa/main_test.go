package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/classmix"
	"github.com/pipa-uda/pipa/crops"
	"github.com/pipa-uda/pipa/fixtures/checkout"
	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/formats/open"
	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"pipa": main})
}

// TestScripts runs the command lines of testdata/script. Beyond testscript's
// own commands they have
//
//	status CODE PROGRAM ARGUMENTS…   the program's exit code
//	inprocess GTA CITYSCAPES DIR     what the shell pipes do, by the library
//	flip FILE OFFSET                 changes one byte
//	camvid DIR                       small scenes in CamVid's layout
//	score LABELS CITYSCAPES JSON     label files of the split val have the confusion of eval's JSON
//	weights FILE WEIGHT              every mix has this weight
//	[tmpfs]                          a file system may be mounted
func TestScripts(t *testing.T) {
	backend, err := checkout.Backend()
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	// Some containers do not let a test mount the small disk that it fills.
	mayMount := exec.Command("unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", t.TempDir()).Run() == nil
	if !mayMount {
		t.Log("no mounts here: the test of a full disk is left out")
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("PIPA_TORCH", backend)
			e.Setenv("SRC", root)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"status": status, "inprocess": inProcess, "flip": flip, "camvid": camvid, "score": score, "weights": mixWeights, "samepixels": samePixels,
		},
		Condition: func(name string) (bool, error) {
			if name == "tmpfs" {
				return mayMount, nil
			}
			return false, fmt.Errorf("no condition %q", name)
		},
	})
}

func status(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%v ended with %d, want %d", args[1:], got, want)
	}
}

func flip(ts *testscript.TestScript, _ bool, args []string) {
	offset, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	data, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	if offset < 0 {
		offset += int64(len(data))
	}
	data[offset] ^= 0x10
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o644))
}

// inProcess writes mix.arrow and pairs.arrow, as library users make them, with
// the parameters of pipes.txtar.
func inProcess(ts *testscript.TestScript, _ bool, args []string) {
	const seed = 5
	ctx := context.Background()
	read := func(format, dir string, unlabeled bool) pipeline.Stream {
		l, err := formats.Named(format)
		ts.Check(err)
		d, err := formats.Open(l, ts.MkAbs(dir), formats.Options{Unlabeled: unlabeled})
		ts.Check(err)
		header := d.Header()
		header.Seed = seed
		header, err = header.With("read", readParams{Format: format, Split: "train", Unlabeled: unlabeled})
		ts.Check(err)
		return pipeline.Generate(ctx, header, d.Len(), 4, 2, d.Read, nil)
	}
	crop := func(s pipeline.Stream) pipeline.Stream {
		stage, err := augment.New(augment.Options{Crop: [2]int{64, 64}, Flip: 0.5, Jitter: augment.ColorJitter{Chance: 0.8}}, seed, 0)
		ts.Check(err)
		out, err := pipeline.Run(ctx, s, stage, 3)
		ts.Check(err)
		return out
	}
	save := func(name string, s pipeline.Stream) {
		ts.Check(files.Write(ts.MkAbs(name), true, func(w io.Writer) error { return pipeline.Write(ctx, w, s) }))
	}
	mixed, err := classmix.Streams(ctx, crop(read("gta", args[0], false)), crop(read("cityscapes", args[1], true)), classmix.Options{Weight: 1}, 3)
	ts.Check(err)
	save(filepath.Join(args[2], "mix.arrow"), mixed)

	o := crops.Default()
	o.Size, o.Base = 64, 128
	stage, err := crops.New(o, seed, 0)
	ts.Check(err)
	pairs, err := pipeline.Run(ctx, read("cityscapes", args[1], true), stage, 3)
	ts.Check(err)
	save(filepath.Join(args[2], "pairs.arrow"), pairs)
}

// score counts the confusion of predicted label files with a dataset's labels
// and compares it with what pipa eval --json printed.
func score(ts *testscript.TestScript, _ bool, args []string) {
	d, err := formats.Open(formats.Cityscapes(), ts.MkAbs(args[1]), formats.Options{Split: "val"})
	ts.Check(err)
	got := make([]int64, 19*19)
	for i, e := range d.Entries {
		sample, err := d.Read(context.Background(), i)
		ts.Check(err)
		f, err := os.Open(filepath.Join(ts.MkAbs(args[0]), filepath.Base(e.Image)))
		ts.Check(err)
		m, err := png.Decode(f)
		ts.Check(errors.Join(err, f.Close()))
		predicted := m.(*image.Paletted).Pix
		for k, label := range sample.Label.Pix() {
			if label != byte(raster.Ignore) {
				got[int(label)*19+int(predicted[k])]++
			}
		}
	}
	text, err := os.ReadFile(ts.MkAbs(args[2]))
	ts.Check(err)
	var want []struct{ Confusion []int64 }
	ts.Check(json.Unmarshal(text, &want))
	if !slices.Equal(got, want[0].Confusion) {
		ts.Fatalf("the label files' confusion is not that of %s", args[2])
	}
}

// samePixels wants two streams of samples to have the same images and labels.
func samePixels(ts *testscript.TestScript, _ bool, args []string) {
	var rows [2][]pipeline.Sample
	for i := range rows {
		s, err := open.Open(context.Background(), ts.MkAbs(args[i]), open.Options{})
		ts.Check(err)
		for row, err := range pipeline.Rows(s.Stream) {
			ts.Check(err)
			rows[i] = append(rows[i], row)
		}
		ts.Check(s.Close())
	}
	if len(rows[0]) == 0 || !slices.EqualFunc(rows[0], rows[1], func(a, b pipeline.Sample) bool {
		return a.ID == b.ID && bytes.Equal(a.Image.Pix(), b.Image.Pix()) && bytes.Equal(a.Label.Pix(), b.Label.Pix())
	}) {
		ts.Fatalf("the pixels of %s are not those of %s", args[0], args[1])
	}
}

// mixWeights compares every mix's weight.
func mixWeights(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.ParseFloat(args[1], 32)
	ts.Check(err)
	s, err := open.Open(context.Background(), ts.MkAbs(args[0]), open.Options{})
	ts.Check(err)
	rows := 0
	for b, err := range s.Batches {
		ts.Check(err)
		for i := range b.Len() {
			m, err := b.Mix(i)
			ts.Check(err)
			if rows++; m.Weight != float32(want) {
				ts.Fatalf("mix %s has weight %v, want %v", m.ID, m.Weight, want)
			}
		}
		b.Release()
	}
	ts.Check(s.Close())
	if rows == 0 {
		ts.Fatalf("%s has no mixes", args[0])
	}
}
