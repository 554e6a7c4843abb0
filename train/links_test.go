package train

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pipa-uda/pipa/train/config"
	"golang.org/x/sys/unix"
)

// What a run is resumed from are files of its own folder: a link out of it is
// neither read nor written through.
func TestNoLinkLeadsOutOfARun(t *testing.T) {
	text := map[string]string{config.File: "extends: fixture-pipa\n", metricsFile: `{"iteration":1}` + "\n", scoresFile: `{"iteration":1}` + "\n", stateFile: `{"version":1}` + "\n"}
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
		"a checkpoint's state":  {stateFile, func(run string) error { _, err := readState(run); return err }},
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

// The events' name is known beforehand to whoever knows the time and guesses the
// process's number: a link or a pipe that has it is not opened.
func TestEventsAreNotWrittenThroughALink(t *testing.T) {
	dir, now := t.TempDir(), time.Unix(1700000000, 0)
	log, err := openEvents(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	path := log.f.Name()
	if err := log.close(); err != nil {
		t.Fatal(err)
	}
	precious := filepath.Join(dir, "precious")
	if err := os.Rename(path, precious); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(precious)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("precious", path); err != nil {
		t.Fatal(err)
	}
	if _, err := openEvents(dir, now); err == nil || !strings.Contains(err.Error(), path+" is a link, which is not followed: remove it") {
		t.Errorf("a link: %v", err)
	}
	if after, err := os.ReadFile(precious); err != nil || string(after) != string(before) {
		t.Errorf("the file has %d bytes, %v; want %d", len(after), err, len(before))
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := openEvents(dir, now); err == nil {
		t.Error("a pipe is opened")
	}
}
