package train

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/train/checkpoint"
	"github.com/pipa-uda/pipa/train/feed"
	"github.com/pipa-uda/pipa/train/infer"
)

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

// readLines returns the whole lines of a run's log up to an iteration; a file
// that does not exist has none.
func readLines(run, name string, iteration int) ([][]byte, error) {
	text, err := files.ReadIn(run, name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	var kept [][]byte
	scanner := bufio.NewScanner(bytes.NewReader(text))
	scanner.Buffer(nil, len(text)+1)
	for scanner.Scan() {
		var m struct {
			Iteration int `json:"iteration"`
		}
		if json.Unmarshal(scanner.Bytes(), &m) != nil || m.Iteration > iteration {
			break
		}
		kept = append(kept, bytes.Clone(scanner.Bytes()))
	}
	return kept, scanner.Err()
}

// ReadMetrics returns a run's lines of metrics.
func ReadMetrics(run string) ([]Metrics, error) { return decodeLines[Metrics](run, metricsFile) }

// ReadScores returns the scores taken during a run and at its end.
func ReadScores(run string) ([]infer.Result, error) {
	scores, err := decodeLines[infer.Result](run, scoresFile)
	if err != nil {
		return nil, err
	}
	for i := range scores {
		if err := scores[i].Validate(); err != nil {
			return nil, fmt.Errorf("read %s line %d: %w", filepath.Join(run, scoresFile), i+1, err)
		}
	}
	return scores, nil
}

func decodeLines[T any](run, name string) ([]T, error) {
	lines, err := readLines(run, name, math.MaxInt)
	if err != nil {
		return nil, err
	}
	out := make([]T, len(lines))
	for i, line := range lines {
		if err := json.Unmarshal(line, &out[i]); err != nil {
			return nil, fmt.Errorf("read %s line %d: %w", filepath.Join(run, name), i+1, err)
		}
	}
	return out, nil
}

// readLeftOut returns what a rank has left out.
func readLeftOut(run string, rank int) ([]feed.LeftOut, error) {
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
	left, err := readLeftOut(run, 0)
	return Inputs{state.Data, state.Changes, left}, err
}
