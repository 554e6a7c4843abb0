package main

import (
	"errors"
	"fmt"

	"github.com/pipa-uda/pipa/train"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/faults"
	"github.com/pipa-uda/pipa/train/feed"
	"github.com/pipa-uda/pipa/train/infer"
	"github.com/pipa-uda/pipa/train/rundir"
)

// trainAdvice is what the user may do about an error of a training, with the flags
// and commands that do it.
func trainAdvice(err error) string {
	var (
		value    *config.ValueError
		unpaired *config.UnpairedError
		lost     *train.LostRankError
		device   *faults.DeviceError
		varying  *feed.VaryingError
		large    *infer.MemoryError
		seen     *infer.SizeError
		changed  *train.ChangedDataError
		score    *train.ScoreError
	)
	switch {
	case errors.As(err, &value):
		return map[string]string{
			"source.dir":               "give it as --source DIR",
			"target.dir":               "give it as --target DIR",
			"feature_distance.weight":  "such as nvidia/mit-b5 from huggingface.co, given with --set network.weights=FILE",
			"feature_distance.classes": "say them with --set feature_distance.classes=[…]",
		}[value.Field]
	case errors.As(err, &changed):
		return "or, where they were mended, with --accept-changed-data, which the run's checkpoints will say"
	case errors.As(err, &score):
		return "choose another with --set eval.split=SPLIT, or train without a score: --set eval.every=-1"
	case errors.As(err, &unpaired):
		return "say them with --source FORMAT:DIR and --target FORMAT:DIR"
	case errors.Is(err, rundir.ErrNoDirectory):
		return "--out RUN"
	case errors.Is(err, rundir.ErrHoldsRun):
		return "continue it with --resume, or choose another --out"
	case errors.Is(err, rundir.ErrOccupied):
		return "choose another --out"
	case errors.As(err, &lost):
		return "with --resume"
	case errors.As(err, &device):
		return deviceAdvice(device)
	case errors.As(err, &seen) && seen.Windows:
		return "pass a smaller --resize, or smaller --scales"
	case errors.As(err, &large), errors.As(err, &seen):
		return "pass a smaller --resize, or see it in parts with --window HEIGHTxWIDTH"
	case errors.Is(err, infer.ErrNoTarget):
		return "give one (--target FORMAT:DIR)"
	case errors.As(err, &varying):
		return "pipa augment --crop HEIGHTxWIDTH"
	}
	return ""
}

// deviceAdvice is how a run goes on whose device failed.
func deviceAdvice(e *faults.DeviceError) string {
	resume, more := "", ""
	if e.Checkpoint != "" {
		resume = "pipa train --resume --out " + e.Run
	}
	switch e.Fault {
	case faults.OutOfMemory:
		more = "pipa train --dry-run shows how much a step needs"
		if resume != "" {
			resume += " --set network.checkpointing=true"
		}
	case faults.BadIndex:
		more = "pipa check reads every label"
	}
	if resume == "" || more == "" {
		return resume + more
	}
	return fmt.Sprintf("%s; %s", resume, more)
}
