package faults

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/train/checkpoint"
	"github.com/pipa-uda/pipa/train/method"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/traintest"
)

// TestAFailureOfTheDeviceSaysWhatHelps provokes an allocation that no machine
// can serve, and takes the other messages as libtorch words them.
func TestAFailureOfTheDeviceSaysWhatHelps(t *testing.T) {
	tooMuch := traintest.Lib(t).Run(torch.CPU, func(s *torch.Scope) error {
		s.Call("repeat", s.Zeros(torch.Float32, 2, 2), []int{1 << 20, 1 << 24})
		return nil
	})
	run := filepath.Join(t.TempDir(), "run")
	for _, c := range []struct {
		name  string
		err   error
		fault Fault
		want  string
	}{
		{"too much memory", tooMuch, OutOfMemory, "network.checkpointing=true"},
		{"the same on a GPU", &torch.OpError{Op: "conv2d", Message: "CUDA out of memory. Tried to allocate 2.00 GiB"}, OutOfMemory, "network.checkpointing=true"},
		{"in cuBLAS", &torch.OpError{Op: "linear", Message: "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"}, OutOfMemory, "network.checkpointing=true"},
		{"in cuDNN", &torch.OpError{Op: "conv2d", Message: "GET was unable to find an engine to execute this computation"}, OutOfMemory, "network.checkpointing=true"},
		{"an assertion", &torch.OpError{Op: "nll_loss2d", Message: "CUDA error: device-side assert triggered"}, BadIndex, "CUDA_LAUNCH_BLOCKING=1"},
		{"another failure", &torch.OpError{Op: "matmul", Message: "CUDA error: unspecified launch failure"}, BrokenDevice, "nvidia-smi"},
	} {
		var op *torch.OpError
		var failed *DeviceError
		if got := Explain(c.err, run); !errors.As(got, &op) || !errors.As(got, &failed) || failed.Fault != c.fault || !strings.Contains(got.Error(), c.want) || !strings.Contains(got.Error(), "no checkpoint yet") {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if err := os.MkdirAll(filepath.Join(run, checkpoint.Dir, "00000040"), 0o755); err != nil {
		t.Fatal(err)
	}
	if got := Explain(tooMuch, run); !strings.Contains(got.Error(), "00000040, is good") || !strings.Contains(got.Error(), "repeat[") {
		t.Errorf("with a checkpoint: %v", got)
	}
	mistake := &torch.OpError{Op: "matmul", Message: "mat1 and mat2 shapes cannot be multiplied"}
	if got := Explain(mistake, run); got != error(mistake) {
		t.Errorf("a mistake of ours became %v", got)
	}
}

// TestABadLossAdvisesWhatHelps: a checkpoint of the step that fails is what fails,
// and what is set already is not advised.
func TestABadLossAdvisesWhatHelps(t *testing.T) {
	run := t.TempDir()
	skipping := false
	says := func(want string, not ...string) {
		t.Helper()
		text := Diverged(method.BadLossError{Loss: "source", Value: math.Inf(1)}, run, 8, skipping).Error()
		if !strings.Contains(text, want) {
			t.Errorf("%q lacks %q", text, want)
		}
		for _, n := range not {
			if strings.Contains(text, n) {
				t.Errorf("%q has %q", text, n)
			}
		}
	}
	says("loss source is +Inf. There is no checkpoint of a student with finite losses: try a lower optimizer.lr, or on_bad_loss=skip")
	for _, iteration := range []int{4, 8} {
		if err := os.MkdirAll(filepath.Join(run, checkpoint.Dir, checkpoint.Name(iteration)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	says("00000004 is the last checkpoint whose losses are finite", "00000008")
	skipping = true
	says("the student has values that are not finite, so that no step can be skipped", "on_bad_loss=skip")
}
