package feed

import (
	"context"
	"testing"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/pipelinetest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestNothingLeaks: a feed of a stream passes over the first batches, regroups
// the others, and drops the rest that fills none.
func TestNothingLeaks(t *testing.T) {
	input := func() pipeline.Stream { return pipelinetest.Samples(5, 3, 16, 24, true) }
	pipelinetest.Leaks(t, input, func(s pipeline.Stream) (pipeline.Stream, error) {
		f, err := NewStreamed("source", s, 2)
		if err != nil {
			return s, err
		}
		return pipeline.Stream{Header: f.Header(), Batches: f.From(context.Background(), 1)}, nil
	})
}
