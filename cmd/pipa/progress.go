package main

import (
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/schollz/progressbar/v3"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// display is how a command shows its progress, and its messages meanwhile.
type display struct {
	when  string // auto, always or never
	log   string // the format of messages
	piped bool   // the command's data go to standard output, and into a pipe
}

// displayOf reads --progress and --log.
func displayOf(c *cli.Context) (display, error) {
	d := display{c.String("progress"), c.String("log"), c.String("out") == "" && isPipe(os.Stdout)}
	if !slices.Contains([]string{"auto", "always", "never"}, d.when) {
		return d, usagef("--progress is %q, want auto, always or never", d.when)
	}
	return d, nil
}

// progress is a bar on standard error, or nothing. A nil *progress does
// nothing.
type progress struct {
	bar   *progressbar.ProgressBar
	total int
	log   string
}

// bar starts a bar that counts units up to total; -1 is unknown. By default one is
// drawn on a terminal, and of a pipe's commands only the last draws.
func (d display) bar(what, unit string, total int) *progress {
	if d.when == "never" || d.when == "auto" && (d.piped || !term.IsTerminal(int(os.Stderr.Fd()))) {
		return nil
	}
	bar := progressbar.NewOptions(total,
		progressbar.OptionSetWriter(os.Stderr),
		progressbar.OptionSetDescription(what),
		progressbar.OptionShowCount(),
		progressbar.OptionShowIts(),
		progressbar.OptionSetItsString(unit),
		progressbar.OptionSetPredictTime(total > 0),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetWidth(24),
	)
	// Messages take the bar's line, and the bar the one below.
	_ = logTo(d.log, aboveBar{bar}) // its format was accepted before
	return &progress{bar, total, d.log}
}

// aboveBar writes messages in place of a bar, which is drawn again below them
// when it next moves.
type aboveBar struct{ bar *progressbar.ProgressBar }

func (w aboveBar) Write(text []byte) (int, error) {
	if err := w.bar.Clear(); err != nil {
		return 0, err
	}
	return os.Stderr.Write(text)
}

func (p *progress) add(n int) {
	if p != nil {
		_ = p.bar.Add(n) // drawing is all that can fail
	}
}

func (p *progress) set(n int) {
	if p != nil {
		_ = p.bar.Set(n)
	}
}

// setOf sets a count whose total is first known by now.
func (p *progress) setOf(n, total int) {
	if p != nil && p.total != total {
		p.total = total
		p.bar.ChangeMax(total)
	}
	p.set(n)
}

func (p *progress) describe(what string) {
	if p != nil {
		p.bar.Describe(what)
	}
}

// close ends the bar's line, so that what follows starts on its own.
func (p *progress) close() {
	if p != nil {
		_ = p.bar.Exit()
		_, _ = os.Stderr.WriteString("\n")
		_ = logTo(p.log, os.Stderr)
	}
}

// counted counts a stream's rows as they pass.
func (p *progress) counted(s pipeline.Stream) pipeline.Stream {
	if p == nil {
		return s
	}
	return pipeline.Stream{Header: s.Header, Batches: func(yield func(*pipeline.Batch, error) bool) {
		for b, err := range s.Batches {
			n := 0
			if b != nil {
				n = b.Len()
			}
			if !yield(b, err) {
				return
			}
			p.add(n)
		}
	}}
}

func isPipe(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&fs.ModeNamedPipe != 0
}
