package parquet

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/pipelinetest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestNothingLeaks(t *testing.T) {
	input := func() pipeline.Stream { return pipelinetest.Samples(5, 2, 16, 24, true) }
	pipelinetest.Leaks(t, input, func(s pipeline.Stream) (pipeline.Stream, error) {
		_, err := Write(context.Background(), filepath.Join(t.TempDir(), "set"), s, Options{})
		return pipeline.Stream{}, err
	})
}
