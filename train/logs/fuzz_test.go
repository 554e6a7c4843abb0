package logs

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/pipa-uda/pipa/train/checkpoint"
)

// FuzzRunFiles reads a run's damaged state, metrics and scores.
func FuzzRunFiles(f *testing.F) {
	f.Add(fmt.Appendf(nil, `{"version":%d,"iteration":3,"seed":1,"classes":["road"],"files":{"state.json":{"bytes":1,"xxh3":"00"}}}`, checkpoint.Version))
	f.Add(fmt.Appendf(nil, `{"version":%d,"iteration":3,"seed":1,"classes":["road"],"files":{"../x":{"bytes":1,"xxh3":"00"}}}`, checkpoint.Version))
	f.Add([]byte(`{"iteration":1,"lr":1e-5,"losses":{"source":1.5},"data_wait":0.1}` + "\n"))
	f.Add([]byte(`{"iteration":1,"classes":["road"],"iou":[null]}` + "\n{"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, name := range []string{checkpoint.StateFile, MetricsFile, ScoresFile} {
			if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if state, err := checkpoint.Read(dir); err == nil && len(state.Files) > 0 {
			for file := range state.Files {
				if !filepath.IsLocal(file) {
					t.Errorf("a checkpoint with the file %q was accepted", file)
				}
			}
		}
		ReadMetrics(dir) // an error or lines, no panic
		ReadScores(dir)
	})
}
