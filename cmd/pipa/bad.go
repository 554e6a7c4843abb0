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
	"github.com/pipa-uda/pipa/precompute"
	"github.com/pipa-uda/pipa/train/feed"
	"github.com/urfave/cli/v2"
)

func maxBadFlag() cli.Flag {
	return &cli.StringFlag{Name: "max-bad", Category: groupInput, Value: "0", Usage: "`N|P%` leave out so many samples that cannot be read, a number or a share of all; exit with 3 where there are more"}
}

func badFlags() []cli.Flag {
	return []cli.Flag{
		maxBadFlag(),
		&cli.StringFlag{Name: "bad-list", Category: groupInput, Usage: "write what was left out, one JSON object a line, to `FILE`"},
	}
}

// badOptions say how many samples a command may leave out, and where it lists
// them.
type badOptions struct {
	number int     // the most
	share  float64 // or the most of all, in percent; -1 where a number is given
	list   string
	force  bool // replace the list
}

// badOptionsOf reads --max-bad and --bad-list.
func badOptionsOf(c *cli.Context) (badOptions, error) {
	o := badOptions{share: -1, list: c.String("bad-list"), force: c.Bool("force")}
	text := c.String("max-bad")
	var err error
	if percent, ok := strings.CutSuffix(text, "%"); ok {
		o.share, err = strconv.ParseFloat(percent, 64)
		if err != nil || !(o.share >= 0 && o.share <= 100) {
			return o, usagef("--max-bad is %q, want a number of samples or 0%% to 100%%", text)
		}
	} else if o.number, err = strconv.Atoi(text); err != nil || o.number < 0 {
		return o, usagef("--max-bad is %q, want a number of samples or 0%% to 100%%", text)
	}
	if o.list == "" {
		return o, nil
	}
	if sameName(o.list, c.String("out")) {
		return o, usagef("--out and --bad-list are both %s: give each a name of its own", o.list)
	}
	return o, mayWrite("--bad-list", o.list, o.force)
}

// maxBad is how many a training may leave out.
func (o badOptions) maxBad() feed.MaxBad {
	return feed.MaxBad{Number: o.number, Percent: max(o.share, 0)}
}

// bad counts the samples a command leaves out.
type bad struct {
	badOptions
	most  int
	total int // samples there are; 0 where it is not known
	lines []precompute.Quarantined
}

// of starts to count for a job of total samples.
func (o badOptions) of(total int) *bad {
	b := &bad{badOptions: o, most: o.number, total: total}
	if o.share >= 0 {
		b.most = int(math.Floor(o.share / 100 * float64(total)))
	}
	return b
}

// sameName reports whether two names are of one file, which need not be there: in
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
	b.lines = append(b.lines, precompute.Quarantined{ID: p.ID, File: p.File, Reason: p.Err.Error()})
	if b.total > 0 && len(b.lines) == b.total {
		return codedError{fmt.Errorf("not one of the %d samples can be read; the last: %w", b.total, err), exitBadData}
	}
	if len(b.lines) <= b.most {
		slog.Warn("left out "+p.ID, "reason", p.Error())
		return nil
	}
	if b.most == 0 {
		return codedError{fmt.Errorf("%w; find all such samples with \"pipa check\", or leave them out with --max-bad", err), exitBadData}
	}
	return codedError{fmt.Errorf("%d samples cannot be read, --max-bad allows %d; the last: %w", len(b.lines), b.most, err), exitBadData}
}

// finish writes the list, whatever the command's outcome was.
func (b *bad) finish(err error) error {
	if len(b.lines) > 0 && (err == nil || errors.Is(err, pipeline.ErrClosedPipe)) {
		slog.Warn("left out " + count(len(b.lines), "sample"))
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
