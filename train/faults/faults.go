// Package faults says why a run ends that does not end well, and what helps: where
// the device failed, and where a loss is not a finite number.
//
//	err = faults.Explain(err, "runs/pipa")
package faults

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/train/checkpoint"
	"github.com/pipa-uda/pipa/train/method"
	"github.com/pipa-uda/pipa/train/torch"
)

// A DeviceError is an operation that failed for what the device is or has.
type DeviceError struct {
	Op         *torch.OpError
	Fault      Fault
	Run        string // its directory
	Checkpoint string // the last one, which is good; empty where there is none yet
}

func (e *DeviceError) Error() string {
	stands := "The run has no checkpoint yet"
	if e.Checkpoint != "" {
		stands = fmt.Sprintf("The last checkpoint, %s, is good", e.Checkpoint)
	}
	return fmt.Sprintf("%v\n%s. %s", e.Op, e.Fault, stands)
}
func (e *DeviceError) Unwrap() error { return e.Op }

// A Fault is why a device fails. As a text it says what helps.
type Fault int

// The faults that are told apart.
const (
	OutOfMemory Fault = iota
	BadIndex          // of a label, say
	BrokenDevice
)

func (f Fault) String() string {
	const blocking = "CUDA_LAUNCH_BLOCKING=1 in the environment names the operation itself"
	switch f {
	case OutOfMemory:
		return "a step needs more memory than there is. Resumed with network.checkpointing=true the run goes on with the same numbers and less than half of it; " +
			"in a new run network.precision=bfloat16, patch.batch or a smaller crop help too"
	case BadIndex:
		return "an index was out of range on the device, such as a label that is not a class. The device reports it late; " + blocking
	}
	return "the device failed; \"nvidia-smi\" and the system's log may say why. " + blocking
}

type sign struct {
	says  string
	fault Fault
}

// signs are what libtorch's messages say of a failure of the device
// (c10/cuda/CUDAException.cpp) that is not for too little memory.
var signs = []sign{
	{"device-side assert", BadIndex},
	{"CUDA error", BrokenDevice},
}

// Explain makes an error of a step or a score a [DeviceError] where the device
// failed, which says where the run stands.
func Explain(err error, run string) error {
	op := &torch.OpError{}
	if !errors.As(err, &op) {
		return err
	}
	failed := &DeviceError{Op: op, Fault: OutOfMemory, Run: run}
	if !op.OutOfMemory() {
		at := slices.IndexFunc(signs, func(s sign) bool { return strings.Contains(op.Message, s.says) })
		if at < 0 {
			return err
		}
		failed.Fault = signs[at].fault
	}
	if saved, listErr := checkpoint.List(run); listErr == nil && len(saved) > 0 {
		failed.Checkpoint = saved[len(saved)-1]
	}
	return failed
}

// A DivergedError ends a run by a loss that is not a finite number.
type DivergedError struct {
	method.BadLossError
	Skipping   bool   // such steps are skipped, but the student itself is not finite any more
	Checkpoint string // the last one whose network had finite losses; empty where there is none
}

func (e *DivergedError) Error() string {
	text := e.BadLossError.Error()
	if e.Skipping {
		text += ", and the student has values that are not finite, so that no step can be skipped"
	}
	if text += ". "; e.Checkpoint == "" {
		text += "There is no checkpoint of a student with finite losses: try a lower optimizer.lr"
	} else {
		text += fmt.Sprintf("%s is the last checkpoint whose losses are finite: try a lower optimizer.lr in a new run, which network.init can start from it", e.Checkpoint)
	}
	if !e.Skipping {
		text += ", or on_bad_loss=skip"
	}
	return text
}
func (e *DivergedError) Unwrap() error { return e.BadLossError }

// Diverged explains a bad loss of a run at an iteration; skipping says that such steps
// are skipped. A checkpoint of this very iteration has the network
// that gives it; those before have given finite losses.
func Diverged(bad method.BadLossError, run string, iteration int, skipping bool) error {
	e := &DivergedError{BadLossError: bad, Skipping: skipping}
	all, err := checkpoint.List(run)
	if err != nil {
		return errors.Join(e, err)
	}
	for _, dir := range all {
		if filepath.Base(dir) < checkpoint.Name(iteration) {
			e.Checkpoint = dir
		}
	}
	return e
}
