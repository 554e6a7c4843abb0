package pipeline_test

import (
	"context"
	"io"
	"testing"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/pipelinetest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestNothingLeaks: what takes a stream releases its batches and ends its
// goroutines, however the stream ends.
func TestNothingLeaks(t *testing.T) {
	ctx := context.Background()
	input := func() pipeline.Stream { return pipelinetest.Samples(5, 2, 16, 24, true) }
	for name, stage := range map[string]func(pipeline.Stream) (pipeline.Stream, error){
		"counted": func(s pipeline.Stream) (pipeline.Stream, error) { return pipeline.Counted(s, func(int) {}), nil },
		"limit":   func(s pipeline.Stream) (pipeline.Stream, error) { return pipeline.Limit(s, 7), nil },
		"rebatch": func(s pipeline.Stream) (pipeline.Stream, error) { return pipeline.Rebatch(s, 3), nil },
		"concat":  func(s pipeline.Stream) (pipeline.Stream, error) { return pipeline.Concat(s, input()) },
		"rows, collected": func(s pipeline.Stream) (pipeline.Stream, error) {
			return pipeline.Collect(s.Header, 3, pipeline.Rows(s)), nil
		},
		"write": func(s pipeline.Stream) (pipeline.Stream, error) {
			return pipeline.Stream{}, pipeline.Write(ctx, io.Discard, s)
		},
		"summarize": func(s pipeline.Stream) (pipeline.Stream, error) {
			_, err := pipeline.Summarize(s)
			return pipeline.Stream{}, err
		},
	} {
		t.Run(name, func(t *testing.T) { pipelinetest.Leaks(t, input, stage) })
	}
}
