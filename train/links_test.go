package train

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/train/checkpoint"
	"github.com/pipa-uda/pipa/train/config"
)

// What a run is resumed from are files of its own folder: a link out of it is
// neither read nor written through.
func TestNoLinkLeadsOutOfARun(t *testing.T) {
	text := map[string]string{config.File: "extends: fixture-pipa\n", metricsFile: `{"iteration":1}` + "\n", scoresFile: `{"iteration":1}` + "\n", checkpoint.StateFile: `{"version":1}` + "\n"}
	log := func(name string) func(string) error {
		return func(run string) error {
			l, err := openLines(run, name, 5)
			if err == nil {
				err = l.close()
			}
			return err
		}
	}
	for name, c := range map[string]struct {
		file string
		read func(run string) error
	}{
		"its configuration": {config.File, func(run string) error { _, err := config.ResolveRun(run, nil); return err }},
		"to read":           {config.File, func(run string) error { _, _, err := config.ReadRun(run); return err }},
		"to resume": {config.File, func(run string) error {
			_, err := openRun(config.Config{}, Options{Out: run, Resume: true})
			return err
		}},
		"its metrics":           {metricsFile, func(run string) error { _, err := ReadMetrics(run); return err }},
		"its scores":            {scoresFile, func(run string) error { _, err := ReadScores(run); return err }},
		"its metrics, to go on": {metricsFile, log(metricsFile)},
		"its scores, to go on":  {scoresFile, log(scoresFile)},
		"a checkpoint's state":  {checkpoint.StateFile, func(run string) error { _, err := checkpoint.Read(run); return err }},
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			run, other := filepath.Join(parent, "run"), filepath.Join(parent, "other")
			if err := os.Mkdir(run, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(other, []byte(text[c.file]), 0o644); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink("../other", filepath.Join(run, c.file)); err != nil {
				t.Fatal(err)
			}
			if err := c.read(run); err == nil || !strings.Contains(err.Error(), "a link leads out of "+run) {
				t.Errorf("ended with %v", err)
			}
			if got, err := os.ReadFile(other); err != nil || string(got) != text[c.file] {
				t.Errorf("the other file holds %q, %v", got, err)
			}
		})
	}
}
