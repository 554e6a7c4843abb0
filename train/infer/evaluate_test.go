package infer_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/pipa-uda/pipa/train"
	"github.com/pipa-uda/pipa/train/infer"
	"github.com/pipa-uda/pipa/train/traintest"
)

// opened is a run's newest checkpoint.
func opened(t *testing.T, run string) infer.Trained {
	t.Helper()
	trained, err := infer.Open(run)
	if err != nil {
		t.Fatal(err)
	}
	return trained
}

func TestEvaluateScoresStudentAndTeacher(t *testing.T) {
	lib := traintest.Lib(t)
	run := filepath.Join(t.TempDir(), "run")
	want, err := train.Run(context.Background(), lib, traintest.Config(t, "iterations=3"), train.Options{Out: run})
	if err != nil {
		t.Fatal(err)
	}
	trained := opened(t, run)
	got, err := infer.Evaluate(context.Background(), lib, trained, infer.EvalOptions{Inference: trained.Config.Eval.Inference()})
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Confusion, want.Confusion) || got.Images != 3 {
		t.Errorf("evaluated again, the counts differ (%d images)", got.Images)
	}
	teacher, err := infer.Evaluate(context.Background(), lib, trained, infer.EvalOptions{Teacher: true, Inference: trained.Config.Eval.Inference()})
	if err != nil {
		t.Fatal(err)
	}
	if teacher.Network != "teacher" || reflect.DeepEqual(teacher.Confusion, got.Confusion) {
		t.Error("the teacher scores exactly as the student")
	}
	text, err := os.ReadFile(filepath.Join(run, "result.json"))
	if err != nil {
		t.Fatal(err)
	}
	var saved infer.Result
	if err := json.Unmarshal(text, &saved); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(saved.Confusion, want.Confusion) {
		t.Error("result.json differs from what Run returned")
	}
}
