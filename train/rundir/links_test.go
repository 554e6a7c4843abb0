package rundir

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/train/checkpoint"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/logs"
)

// What a run is resumed from are files of its own folder: a link out of it is
// neither read nor written through.
func TestNoLinkLeadsOutOfARun(t *testing.T) {
	text := map[string]string{config.File: "extends: fixture-pipa\n", logs.MetricsFile: `{"iteration":1}` + "\n", logs.ScoresFile: `{"iteration":1}` + "\n", checkpoint.StateFile: `{"version":1}` + "\n"}
	log := func(run string) error {
		l, err := logs.Open(run, 5, true)
		if err == nil {
			err = l.Close()
		}
		return err
	}
	for name, c := range map[string]struct {
		file string
		read func(run string) error
	}{
		"its configuration": {config.File, func(run string) error { _, err := config.ResolveRun(run, nil); return err }},
		"to read":           {config.File, func(run string) error { _, _, err := config.ReadRun(run); return err }},
		"to resume": {config.File, func(run string) error {
			_, err := (Dir{Path: run, Resume: true}).Open(config.Config{})
			return err
		}},
		"its metrics":           {logs.MetricsFile, func(run string) error { _, err := logs.ReadMetrics(run); return err }},
		"its scores":            {logs.ScoresFile, func(run string) error { _, err := logs.ReadScores(run); return err }},
		"its metrics, to go on": {logs.MetricsFile, log},
		"its scores, to go on":  {logs.ScoresFile, log},
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
