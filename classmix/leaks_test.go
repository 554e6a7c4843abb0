package classmix

import (
	"context"
	"testing"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/pipelinetest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestNothingLeaks(t *testing.T) {
	source := func() pipeline.Stream { return pipelinetest.Samples(5, 2, 16, 24, true) }
	// In batches of other sizes, so that some are used by two rows of mixes.
	target := func() pipeline.Stream { return pipelinetest.Samples(4, 3, 16, 24, false) }
	o := Options{Weight: 1}
	t.Run("source", func(t *testing.T) {
		pipelinetest.Leaks(t, source, func(s pipeline.Stream) (pipeline.Stream, error) {
			return Streams(context.Background(), s, target(), o, 2)
		})
	})
	t.Run("target", func(t *testing.T) {
		pipelinetest.Leaks(t, target, func(s pipeline.Stream) (pipeline.Stream, error) {
			return Streams(context.Background(), source(), s, o, 2)
		})
	})
}
