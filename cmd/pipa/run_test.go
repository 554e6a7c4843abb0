package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/pipa-uda/pipa/classmix"
	"github.com/pipa-uda/pipa/fixtures"
	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/formats/open"
	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/precompute"
)

// TestCommandsRunWithoutACommandLine: read, write and classmix by their options
// alone.
func TestCommandsRunWithoutACommandLine(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	quiet := display{when: "never"}
	if err := fixtures.Write(ctx, dir, fixtures.Options{Width: 64, GTA: 3, Domains: []fixtures.Domain{fixtures.GTA}}); err != nil {
		t.Fatal(err)
	}
	if err := runRead(ctx, readOptions{
		dataset: datasetOptions{Place: formats.Place{Layout: formats.GTA(), Dir: path("gta")}}, share: precompute.Whole, limit: -1, batch: 2, workers: 1,
		bad: badOptions{share: -1}, output: output{name: path("gta.arrow")}, display: quiet,
	}); err != nil {
		t.Fatal(err)
	}
	w := writeOptions{dir: path("table"), input: path("gta.arrow"), form: open.Parquet, workers: 1, shardBytes: 1 << 20, limit: -1, json: true, display: quiet}
	stdout := os.Stdout
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	os.Stdout = null
	err = runWrite(ctx, w)
	os.Stdout = stdout
	if err != nil {
		t.Fatal(err)
	}
	mix := classmixOptions{target: path("table"), classmix: classmix.Options{Weight: 1}, stage: stageOptions{
		input: path("gta.arrow"), limit: 2, workers: 1, output: output{name: path("mix.arrow")}, display: quiet,
	}}
	if err := runClassmix(ctx, mix); err != nil {
		t.Fatal(err)
	}
	in, err := openInput(ctx, path("mix.arrow"), lost{})
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	if s, err := pipeline.Summarize(in.Stream); err != nil || s.Kind != pipeline.KindMix || s.Rows != 2 {
		t.Errorf("%d rows of %s, %v; want 2 mixes", s.Rows, s.Kind, err)
	}
	var exists *files.ExistsError
	if err := runClassmix(ctx, mix); !errors.As(err, &exists) || codeOf(err) != exitUsage {
		t.Errorf("again: %v", err)
	}
}

// TestCodeOf: what an error wraps decides its exit code, and what may pass goes
// before all else.
func TestCodeOf(t *testing.T) {
	problem := formats.Problem{ID: "a", File: "a.png", Err: errors.New("cut")}
	for name, c := range map[string]struct {
		err  error
		code int
	}{
		"nothing is known":                {errors.New("?"), exitFailed},
		"a mistake":                       {usagef("--x"), exitUsage},
		"a bad sample":                    {fmt.Errorf("read: %w", problem), exitBadData},
		"a disk that fails":               {&os.PathError{Op: "read", Err: syscall.EIO}, exitFailed},
		"a disk that fails in a sample":   {formats.Problem{ID: "a", File: "a.png", Err: &os.PathError{Op: "read", Err: syscall.EIO}}, exitFailed},
		"a file that is gone in a sample": {formats.Problem{ID: "a", File: "a.png", Err: os.ErrNotExist}, exitBadData},
		"a file that is not there":        {fmt.Errorf("open: %w", os.ErrNotExist), exitUsage},
		"a full disk":                     {codedError{&os.PathError{Op: "write", Err: syscall.ENOSPC}, exitBadData}, exitFailed},
		"a lock":                          {fmt.Errorf("x is %w", files.ErrInUse), exitFailed},
		"shards that are missing":         {&precompute.UnfinishedError{Err: os.ErrNotExist}, exitFailed},
		"a place that says bad data":      {otherwise(exitBadData, errors.New("?")), exitBadData},
		"a place, and one before":         {otherwise(exitUsage, codedError{errors.New("?"), exitFailed}), exitFailed},
		"a place, and a type":             {otherwise(exitBadData, &pipeline.FormatError{Reason: "?"}), exitUsage},
	} {
		if code := codeOf(c.err); code != c.code {
			t.Errorf("%s: %v has exit code %d, want %d", name, c.err, code, c.code)
		}
	}
}
