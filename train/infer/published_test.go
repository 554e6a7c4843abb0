package infer_test

import (
	"context"
	"encoding/binary"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/train"
	"github.com/pipa-uda/pipa/train/infer"
	"github.com/pipa-uda/pipa/train/traintest"
	"github.com/pipa-uda/pipa/train/weights/safetensors"
)

// publish writes a run's networks as one file, with the names that the method's
// authors give them: the student's below model, the teacher's below ema_model.
func publish(t *testing.T, trained infer.Trained, path string, change func(*safetensors.Tensor)) {
	t.Helper()
	var all []safetensors.Tensor
	for _, of := range []struct {
		prefix  string
		teacher bool
	}{{"model.", false}, {"ema_model.", true}} {
		f, err := trained.Weights(of.teacher)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range f.Names() {
			tensor, err := f.Tensor(name)
			if err != nil {
				t.Fatal(err)
			}
			tensor.Name, tensor.Data = of.prefix+name, slices.Clone(tensor.Data)
			change(&tensor)
			if tensor.Name != "" {
				all = append(all, tensor)
			}
		}
	}
	if err := safetensors.WriteFile(path, nil, all); err != nil {
		t.Fatal(err)
	}
}

func TestPublishedNetworksScoreAsTheirRunDoes(t *testing.T) {
	lib := traintest.Lib(t)
	for name, set := range map[string][]string{
		"one scale": nil,
		// A file does not say the size of the detail: it is the recipe's, and windows
		// of that size are seen as wholes are.
		"two scales": {"network.hrda={crop: [64, 64], detail_weight: 0.1}"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			run := filepath.Join(dir, "run")
			if _, err := train.Run(context.Background(), lib, traintest.Config(t, append(set, "iterations=2")...), train.Options{Out: run}); err != nil {
				t.Fatal(err)
			}
			trained := opened(t, run)
			file := filepath.Join(dir, "published.safetensors")
			publish(t, trained, file, func(*safetensors.Tensor) {})
			one, err := infer.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			if (one.Config.Eval.Window != [2]int{}) != (set != nil) || one.Config.Network.HRDA.Enabled() != (set != nil) {
				t.Errorf("it is seen as %+v", one.Config.Eval)
			}
			one.Config.Network.HRDA.Crop = trained.Config.Network.HRDA.Crop
			for _, teacher := range []bool{false, true} {
				o := infer.EvalOptions{Teacher: teacher, Inference: trained.Config.Eval.Inference()}
				want, err := infer.Evaluate(context.Background(), lib, trained, o)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := infer.Evaluate(context.Background(), lib, one, o); err == nil || !strings.Contains(err.Error(), infer.ErrNoTarget.Error()) {
					t.Errorf("without a target: %v", err)
				}
				o.Dir = trained.Config.Target.Dir
				got, err := infer.Evaluate(context.Background(), lib, one, o)
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(got.Confusion, want.Confusion) || got.Network != want.Network {
					t.Errorf("teacher %t: the file's network counts other pixels than its run's", teacher)
				}
			}
		})
	}
}

func TestPublishedFilesThatCannotBeUsedSayWhy(t *testing.T) {
	lib := traintest.Lib(t)
	trained := shortRun(t)
	file := filepath.Join(t.TempDir(), "published.safetensors")
	evaluate := func(teacher bool) error {
		one, err := infer.Open(file)
		if err != nil {
			return err
		}
		_, err = infer.Evaluate(context.Background(), lib, one, infer.EvalOptions{Teacher: teacher, Dir: trained.Config.Target.Dir, Inference: trained.Config.Eval.Inference()})
		return err
	}
	for _, c := range []struct {
		name    string
		teacher bool
		change  func(*safetensors.Tensor)
		want    string
	}{
		{"a student that is not a number", false, func(t *safetensors.Tensor) {
			if t.Name == "model.backbone.norm1.weight" {
				binary.LittleEndian.PutUint32(t.Data, math.Float32bits(float32(math.NaN())))
			}
		}, "values that are not finite in 1 tensor, such as backbone.norm1.weight (1 of 8 values)"},
		{"no teacher", true, func(t *safetensors.Tensor) {
			if strings.HasPrefix(t.Name, "ema_model.") {
				t.Name = ""
			}
		}, "the file has one network alone"},
		{"an encoder alone", false, func(t *safetensors.Tensor) {
			if strings.Contains(t.Name, "decode_head.") {
				t.Name = ""
			}
		}, "what is wanted is a whole network"},
		{"a tensor missing", false, func(t *safetensors.Tensor) {
			if t.Name == "model.decode_head.conv_seg.bias" {
				t.Name = ""
			}
		}, "decode_head.conv_seg.bias is missing"},
	} {
		publish(t, trained, file, c.change)
		if err := evaluate(c.teacher); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
