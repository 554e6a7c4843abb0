package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/train"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/faults"
	"github.com/pipa-uda/pipa/train/feed"
	"github.com/pipa-uda/pipa/train/infer"
	"github.com/pipa-uda/pipa/train/rundir"
	"github.com/pipa-uda/pipa/train/torch"
)

// TestErrorsOfTrainingsHaveAdvice: wherever such an error is wrapped, what is said
// names the flag or the command that helps.
func TestErrorsOfTrainingsHaveAdvice(t *testing.T) {
	op := &torch.OpError{Op: "conv2d", Message: "out of memory"}
	for _, c := range []struct {
		err  error
		want string
	}{
		{&config.ValueError{Field: "source.dir", Value: "", Want: "the dataset's folder"}, "--source DIR"},
		{&config.ValueError{Field: "feature_distance.weight", Value: 0.1}, "--set network.weights=FILE"},
		{&config.UnpairedError{Recipe: "hrda"}, "--source FORMAT:DIR and --target FORMAT:DIR"},
		{rundir.ErrNoDirectory, "--out RUN"},
		{&rundir.DirectoryError{Dir: "runs/pipa", Err: rundir.ErrHoldsRun}, "it already holds a run: continue it with --resume, or choose another --out"},
		{&rundir.DirectoryError{Dir: "runs/pipa", Err: rundir.ErrOccupied}, "choose another --out"},
		{&train.LostRankError{Err: op, Checkpoint: "00000040"}, "start all ranks again: with --resume"},
		{&faults.DeviceError{Op: op, Fault: faults.OutOfMemory, Run: "r"}, "has no checkpoint yet: pipa train --dry-run shows"},
		{&faults.DeviceError{Op: op, Fault: faults.OutOfMemory, Run: "r", Checkpoint: "r/checkpoints/00000040"}, "--resume --out r --set network.checkpointing=true; pipa train --dry-run"},
		{&faults.DeviceError{Op: op, Fault: faults.BadIndex, Run: "r", Checkpoint: "c"}, "pipa train --resume --out r; pipa check"},
		{&faults.DeviceError{Op: op, Fault: faults.BrokenDevice, Run: "r", Checkpoint: "c"}, "is good: pipa train --resume --out r"},
		{&train.ChangedDataError{Data: "target", Now: "b", Was: "a"}, "was begun with: or, where they were mended, with --accept-changed-data"},
		{&train.ScoreError{Split: "val", Err: errors.New("no labels")}, "cannot be scored on: no labels: choose another with --set eval.split=SPLIT, or train without a score: --set eval.every=-1"},
		{&infer.MemoryError{Height: 2048, Width: 4096, Err: op}, "an image of 4096x2048 needs more memory than there is: pass a smaller --resize, or see it in parts with --window"},
		{infer.ErrNoTarget, "--target FORMAT:DIR"},
		{&feed.VaryingError{Feed: "source"}, "crop them first: pipa augment --crop"},
	} {
		err := fmt.Errorf("iteration 3: %w", c.err)
		if got := err.Error() + ": " + advice(err); !strings.Contains(got, c.want) {
			t.Errorf("%q lacks %q", got, c.want)
		}
	}
	if a := advice(fmt.Errorf("another")); a != "" {
		t.Errorf("another error has the advice %q", a)
	}
}
