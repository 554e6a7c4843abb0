package train

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/pipa-uda/pipa/train/torch"
)

// A deviceFailure is an operation that failed for what the device is or has,
// with what can be done about it.
type deviceFailure struct {
	op     *torch.OpError
	advice string
}

func (e deviceFailure) Error() string { return e.op.Error() + "\n" + e.advice }
func (e deviceFailure) Unwrap() error { return e.op }

// signs are what libtorch's messages say of a failure of the device (c10/core/
// impl/alloc_cpu.cpp, c10/cuda/CUDACachingAllocator.cpp, c10/cuda/
// CUDAException.cpp), and what helps. cuBLAS and cuDNN have words of their own for
// too little memory.
var signs = []struct {
	says   string
	advice string
}{
	{"out of memory", memoryAdvice},
	{"can't allocate memory", memoryAdvice},
	{"not enough memory", memoryAdvice},
	{"_STATUS_ALLOC_FAILED", memoryAdvice},
	{"nable to find an engine to execute", memoryAdvice},
	{"device-side assert", "an index was out of range on the device, such as a label that is no class: \"pipa check\" reads every label. " +
		"The device reports it late; CUDA_LAUNCH_BLOCKING=1 in the environment names the operation itself"},
	{"CUDA error", "the device failed; \"nvidia-smi\" and the system's log may say why. CUDA_LAUNCH_BLOCKING=1 in the environment names the operation itself"},
}

const memoryAdvice = "a step needs more memory than there is (pipa train --dry-run shows how much). Resumed with --set network.checkpointing=true the run " +
	"goes on with the same numbers and less than half of it; in a new run network.precision=bfloat16, patch.batch or a smaller crop help too"

// explain adds to an error of a step or a score what helps, where the device failed, and says
// where the run stands.
func (t *trainer) explain(err error) error {
	op := &torch.OpError{}
	if !errors.As(err, &op) {
		return err
	}
	for _, s := range signs {
		if !strings.Contains(op.Message, s.says) {
			continue
		}
		saved, listErr := checkpoints(filepath.Join(t.options.Out, checkpointsDir))
		switch {
		case listErr == nil && len(saved) > 0:
			return deviceFailure{op, fmt.Sprintf("%s. The last checkpoint, %s, is good: pipa train --resume --out %s", s.advice, saved[len(saved)-1], t.options.Out)}
		default:
			return deviceFailure{op, s.advice + ". The run has no checkpoint yet"}
		}
	}
	return err
}
