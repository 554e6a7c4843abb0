package logs

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/pipa-uda/pipa/internal/files"
)

// lines appends JSON lines, each with an iteration, to a file. A line is
// written with one call, so a kill leaves at most the last line short, which
// resume drops.
type lines struct{ f *os.File }

// openLines opens a log of a run for appending after dropping every line past
// iteration: those belong to steps that will be repeated.
func openLines(run, name string, iteration int) (*lines, error) {
	kept, err := readLines(run, name, iteration)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(run, name)
	err = files.Write(path, true, func(w io.Writer) error {
		for _, line := range kept {
			if _, err := w.Write(append(line, '\n')); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return &lines{f}, nil
}

func (l *lines) write(v any) error {
	line, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write %s: %w", l.f.Name(), err)
	}
	if _, err := l.f.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("write log: %w", err)
	}
	// A run that is resumed from a later checkpoint does not write it again.
	if err := l.f.Sync(); err != nil {
		return fmt.Errorf("write log: %w", err)
	}
	return nil
}

func (l *lines) close() error { return l.f.Close() }

// readLines returns the whole lines of a run's log up to an iteration; a file
// that does not exist has none.
func readLines(run, name string, iteration int) ([][]byte, error) {
	text, err := files.ReadIn(run, name)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	var kept [][]byte
	scanner := bufio.NewScanner(bytes.NewReader(text))
	scanner.Buffer(nil, len(text)+1)
	for scanner.Scan() {
		var m struct {
			Iteration int `json:"iteration"`
		}
		if json.Unmarshal(scanner.Bytes(), &m) != nil || m.Iteration > iteration {
			break
		}
		kept = append(kept, bytes.Clone(scanner.Bytes()))
	}
	return kept, scanner.Err()
}

func decodeLines[T any](run, name string) ([]T, error) {
	lines, err := readLines(run, name, math.MaxInt)
	if err != nil {
		return nil, err
	}
	out := make([]T, len(lines))
	for i, line := range lines {
		if err := json.Unmarshal(line, &out[i]); err != nil {
			return nil, fmt.Errorf("read %s line %d: %w", filepath.Join(run, name), i+1, err)
		}
	}
	return out, nil
}
