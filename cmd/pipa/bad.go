package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/urfave/cli/v2"
)

func badFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "max-bad", Value: "0", Usage: "leave out up to `N or P%` samples that cannot be read; beyond that exit with 3"},
		&cli.StringFlag{Name: "bad-list", Usage: "write what was left out, one JSON object a line, to `FILE`"},
	}
}

// bad counts the samples a command leaves out.
type bad struct {
	most  int
	list  string
	force bool
	lines []badLine
}

type badLine struct {
	ID     string `json:"id"`
	File   string `json:"file"`
	Reason string `json:"reason"`
}

// newBad reads the flags for a job of total samples.
func newBad(c *cli.Context, total int) (*bad, error) {
	b := &bad{list: c.String("bad-list"), force: c.Bool("force")}
	text := c.String("max-bad")
	if share, ok := strings.CutSuffix(text, "%"); ok {
		p, err := strconv.ParseFloat(share, 64)
		if err != nil || !(p >= 0 && p <= 100) {
			return nil, usagef("--max-bad is %q, want a number of samples or 0%% to 100%%", text)
		}
		b.most = int(math.Floor(p / 100 * float64(total)))
	} else {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 {
			return nil, usagef("--max-bad is %q, want a number of samples or 0%% to 100%%", text)
		}
		b.most = n
	}
	if b.list != "" {
		if sameName(b.list, c.String("out")) {
			return nil, usagef("--out and --bad-list are both %s: give each a name of its own", b.list)
		}
		if err := mayWrite(b.list, b.force); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// sameName tells whether two names are of one file, which need not be there: in
// one folder, however that is spelled or linked to.
func sameName(a, b string) bool {
	if a == "" || b == "" || filepath.Base(a) != filepath.Base(b) {
		return false
	}
	dirA, err := os.Stat(filepath.Dir(filepath.Clean(a)))
	if err != nil {
		return false // nothing can be written there
	}
	dirB, err := os.Stat(filepath.Dir(filepath.Clean(b)))
	return err == nil && os.SameFile(dirA, dirB)
}

// skip takes a sample's error: nil leaves the sample out.
func (b *bad) skip(_ int, err error) error {
	var p formats.Problem
	if !errors.As(err, &p) {
		return err
	}
	b.lines = append(b.lines, badLine{p.ID, p.File, p.Err.Error()})
	if len(b.lines) <= b.most {
		slog.Warn("left out "+p.ID, "reason", p.Error())
		return nil
	}
	if b.most == 0 {
		return badDataError{fmt.Errorf("%w; find all such samples with \"pipa check\", or leave them out with --max-bad", err)}
	}
	return badDataError{fmt.Errorf("%d samples cannot be read, --max-bad allows %d; the last: %w", len(b.lines), b.most, err)}
}

// finish writes the list, whatever the command's outcome was.
func (b *bad) finish(err error) error {
	if len(b.lines) > 0 && (err == nil || errors.Is(err, pipeline.ErrClosedPipe)) {
		slog.Warn(fmt.Sprintf("%d samples were left out", len(b.lines)))
	}
	if b.list == "" {
		return err
	}
	return errors.Join(err, files.Write(b.list, b.force, func(w io.Writer) error {
		lines := json.NewEncoder(w)
		for _, l := range b.lines {
			if err := lines.Encode(l); err != nil {
				return err
			}
		}
		return nil
	}))
}
