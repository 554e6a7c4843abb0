package shards_test

import (
	"path/filepath"
	"testing"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/pipelinetest"
	"github.com/pipa-uda/pipa/pipeline/shards"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestNothingLeaks: a dataset that is written releases its stream's batches,
// however the stream ends.
func TestNothingLeaks(t *testing.T) {
	input := func() pipeline.Stream { return pipelinetest.Samples(5, 2, 16, 24, true) }
	pipelinetest.Leaks(t, input, func(s pipeline.Stream) (pipeline.Stream, error) {
		_, err := shards.Write(t.Context(), filepath.Join(t.TempDir(), "set"), s, shards.WriteOptions{ShardBytes: 1000})
		return pipeline.Stream{}, err
	})
}
