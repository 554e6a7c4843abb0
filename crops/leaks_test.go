package crops

import (
	"context"
	"testing"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/pipelinetest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestNothingLeaks(t *testing.T) {
	input := func() pipeline.Stream { return pipelinetest.Samples(5, 2, 32, 48, true) }
	pipelinetest.Leaks(t, input, func(s pipeline.Stream) (pipeline.Stream, error) {
		o := Default()
		o.Size, o.Base = 16, 48
		stage, err := New(o, 1, 0)
		if err != nil {
			return s, err
		}
		return pipeline.Run(context.Background(), s, stage, 2)
	})
}
