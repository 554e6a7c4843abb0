package logs

import (
	"fmt"
	"path/filepath"

	"github.com/pipa-uda/pipa/train/checkpoint"
	"github.com/pipa-uda/pipa/train/feed"
	"github.com/pipa-uda/pipa/train/infer"
)

// The files of a run that are logs.
const (
	MetricsFile = "metrics.jsonl"
	ScoresFile  = "scores.jsonl" // of the student during the run and at its end
	LeftOutFile = "bad.jsonl"    // samples that were left out, by rank 0
)

// leftOutFile lists what a rank has left out.
func leftOutFile(rank int) string {
	if rank == 0 {
		return LeftOutFile
	}
	return fmt.Sprintf("bad-%d.jsonl", rank)
}

// Metrics is one line of metrics.jsonl: what a run logs every log_every
// iterations. Losses are in nats, averaged over the iterations since the line
// before; a loss that is switched off is absent.
type Metrics struct {
	Iteration int                `json:"iteration"` // steps done
	LR        float64            `json:"lr"`        // of the encoder's group, at the last step
	Losses    map[string]float64 `json:"losses"`
	// Confident is the share of target pixels at or above the threshold, which
	// is the weight of the pseudo-labels.
	Confident float64 `json:"confident"`
	// Norms are of each loss's gradient in the encoder, as last probed since the
	// line before (probe_every); Skipped counts the steps left out since then.
	Norms   map[string]float64 `json:"norms,omitempty"`
	Skipped int                `json:"skipped,omitempty"`
	// Timings differ from run to run; the fields above do not.
	SamplesPerSecond float64 `json:"samples_per_second"` // source and target images
	DataWait         float64 `json:"data_wait"`          // share of the time spent waiting for batches
	MemoryBytes      int64   `json:"memory_bytes"`       // resident size of the process
}

// ReadMetrics returns a run's lines of metrics.
func ReadMetrics(run string) ([]Metrics, error) { return decodeLines[Metrics](run, MetricsFile) }

// ReadScores returns the scores taken during a run and at its end.
func ReadScores(run string) ([]infer.Result, error) {
	scores, err := decodeLines[infer.Result](run, ScoresFile)
	if err != nil {
		return nil, err
	}
	for i := range scores {
		if err := scores[i].Validate(); err != nil {
			return nil, fmt.Errorf("read %s line %d: %w", filepath.Join(run, ScoresFile), i+1, err)
		}
	}
	return scores, nil
}

// ReadLeftOut returns what a rank has left out.
func ReadLeftOut(run string, rank int) ([]feed.LeftOut, error) {
	return decodeLines[feed.LeftOut](run, leftOutFile(rank))
}

// Inputs are what a run says of its data.
type Inputs struct {
	Digests map[string]string   // what identifies them, by feed; none without a checkpoint
	Changes []checkpoint.Change // that were accepted
	LeftOut []feed.LeftOut      // by rank 0
}

// ReadInputs returns what a run says of its data.
func ReadInputs(run string) (Inputs, error) {
	_, state, _, err := checkpoint.Latest(run)
	if err != nil {
		return Inputs{}, err
	}
	left, err := ReadLeftOut(run, 0)
	return Inputs{state.Data, state.Changes, left}, err
}
