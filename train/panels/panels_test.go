package panels

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/feed"
)

// TestAStepsPictureIsDrawnToItsEnd: a signal that comes while it is drawn ends the
// run after the step, as any other does.
func TestAStepsPictureIsDrawnToItsEnd(t *testing.T) {
	run, header := t.TempDir(), pipeline.Header{Classes: []string{"road", "sky"}}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	row := pipeline.Sample{ID: "one", Image: raster.New(16, 32, 3), Label: raster.New(16, 32, 1)}
	if err := Draw(ctx, run, 0, header, []pipeline.Sample{row}, feed.Batch{}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(run, Dir, "00000000.png")); err != nil {
		t.Error(err)
	}
}
