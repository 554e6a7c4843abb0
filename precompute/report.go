package precompute

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// Report is what a check of a dataset has counted: the last line of its report,
// whose other lines are [Quarantined] samples.
type Report struct {
	Samples  int `json:"samples"`
	Problems int `json:"problems"`
}

// ReadReport reads the problems in the report of a check. One without its last
// line is that of a check that was cut off, and an error.
func ReadReport(path string) ([]Quarantined, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read report: %w", err)
	}
	defer f.Close()
	bad := []Quarantined{}
	lines := json.NewDecoder(bufio.NewReader(f))
	for {
		var l struct {
			Quarantined
			Samples *int `json:"samples"` // the last line's
		}
		if err := lines.Decode(&l); errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read report %s: its last line, with the counts, is missing: did the check end?", path)
		} else if err != nil {
			return nil, fmt.Errorf("read report %s: %w", path, err)
		}
		if l.Samples != nil {
			return bad, nil
		}
		bad = append(bad, l.Quarantined)
	}
}
