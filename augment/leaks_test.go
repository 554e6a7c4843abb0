package augment

import (
	"context"
	"testing"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/pipelinetest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestNothingLeaks(t *testing.T) {
	input := func() pipeline.Stream { return pipelinetest.Samples(5, 2, 16, 24, true) }
	pipelinetest.Leaks(t, input, func(s pipeline.Stream) (pipeline.Stream, error) {
		stage, err := New(Options{Crop: [2]int{8, 8}, Flip: 0.5}, 1, 0)
		if err != nil {
			return s, err
		}
		return pipeline.Run(context.Background(), s, stage, 2)
	})
}
