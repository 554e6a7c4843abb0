package train

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/train/checkpoint"
	"github.com/pipa-uda/pipa/train/infer"
	"github.com/pipa-uda/pipa/train/logs"
	"github.com/pipa-uda/pipa/train/traintest"
	"github.com/pipa-uda/pipa/train/weights/safetensors"
)

// TestARunFromElsewhereIsRefusedBeforeItIsChanged: what the files of a run say is
// bounded, and compared, before its logs are cut or a network is made of it.
func TestARunFromElsewhereIsRefusedBeforeItIsChanged(t *testing.T) {
	lib, cfg := traintest.Lib(t), traintest.Config(t, "iterations=2", "checkpoint.every=1", "eval.every=-1", "patch.weight=0", "pixel.weight=0")
	base := filepath.Join(t.TempDir(), "run")
	if _, err := Run(context.Background(), lib, cfg, Options{Out: base}); err != nil {
		t.Fatal(err)
	}
	state := func(key string, value any) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			edit(t, filepath.Join(dir, checkpoint.StateFile), func(s map[string]any) { s[key] = value })
		}
	}
	tensors := func(change func(*safetensors.Tensor)) func(*testing.T, string) {
		return func(t *testing.T, dir string) { reseal(t, dir, checkpoint.StudentFile, change) }
	}
	nan := binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(math.NaN())))
	for name, c := range map[string]struct {
		edit func(t *testing.T, checkpoint string)
		want string
		used bool // it is refused where it is used, too
	}{
		"before its beginning": {state("iteration", -5), "-5 steps done", true},
		"never to be reached":  {state("iteration", int64(1)<<62), "steps done", true},
		"beyond its end":       {state("iteration", 9), "9 steps done, and the run has 2", false},
		"steps of nothing":     {state("window", map[string]any{"steps": -1 << 62}), "steps since the last line", true},
		"another recipe's":     {state("config", "0123456789abcdef"), "it was edited", true},
		"without classes":      {state("classes", []string{}), "classes", true},
		"without a student":    {state("files", map[string]any{}), "does not list student.safetensors", true},
		"not finite":           {tensors(func(x *safetensors.Tensor) { copy(x.Data, nan) }), "not finite", true},
		"integers": {tensors(func(x *safetensors.Tensor) {
			if x.DType == "F32" {
				x.DType = "I32"
			}
		}), "is I32", true},
	} {
		t.Run(name, func(t *testing.T) {
			run := filepath.Join(t.TempDir(), "run")
			if err := os.CopyFS(run, os.DirFS(base)); err != nil {
				t.Fatal(err)
			}
			if err := os.RemoveAll(filepath.Join(run, checkpoint.Dir, checkpoint.Name(1))); err != nil {
				t.Fatal(err)
			}
			c.edit(t, filepath.Join(run, checkpoint.Dir, checkpoint.Name(2)))
			before := read(t, filepath.Join(run, logs.MetricsFile))
			if _, err := Run(context.Background(), lib, cfg, Options{Out: run, Resume: true}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("resumed with %v, want %q", err, c.want)
			}
			if after := read(t, filepath.Join(run, logs.MetricsFile)); !bytes.Equal(after, before) {
				t.Errorf("the metrics have become %q", after)
			}
			trained, err := infer.Open(run)
			if err == nil {
				_, err = infer.Evaluate(context.Background(), lib, trained, infer.EvalOptions{Inference: trained.Config.Eval.Inference()})
			}
			if c.used && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("evaluated with %v, want %q", err, c.want)
			}
		})
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// edit changes a JSON file.
func edit(t *testing.T, path string, change func(map[string]any)) {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal(read(t, path), &all); err != nil {
		t.Fatal(err)
	}
	change(all)
	text, err := json.Marshal(all)
	if err == nil {
		err = os.WriteFile(path, text, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// reseal changes the tensors of a checkpoint's file, which is whole then.
func reseal(t *testing.T, dir, file string, change func(*safetensors.Tensor)) {
	t.Helper()
	path := filepath.Join(dir, file)
	f, err := safetensors.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	var all []safetensors.Tensor
	for _, name := range f.Names() {
		x, err := f.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		x.Data = bytes.Clone(x.Data)
		change(&x)
		all = append(all, x)
	}
	if err := safetensors.WriteFile(path, nil, all); err != nil {
		t.Fatal(err)
	}
	seal, err := checkpoint.SealOf(path)
	if err != nil {
		t.Fatal(err)
	}
	edit(t, filepath.Join(dir, checkpoint.StateFile), func(s map[string]any) {
		s["files"].(map[string]any)[file] = map[string]any{"bytes": seal.Bytes, "xxh3": seal.XXH3}
	})
}
