package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/rivo/uniseg"
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

// drawnEvery is the least time between two drawings of a bar.
const drawnEvery = 100 * time.Millisecond

// progress is a bar on standard error, in one line of the terminal, or nothing. A nil
// *progress does nothing.
type progress struct {
	out   io.Writer
	width func() int // columns of the terminal
	now   func() time.Time
	log   string // the format of messages
	what  string
	unit  string

	mu       sync.Mutex
	bar      *progressbar.ProgressBar
	n, total int // total is -1 where it is unknown
	rate     rate
	details  []string // what else is to be shown, as far as it fits
	drawn    int      // columns of the line that stands there
	last     time.Time
	closed   bool
}

// bar starts a bar that counts units up to total; -1 is unknown. By default one is
// drawn on a terminal, and of a pipe's commands only the last draws.
func (d display) bar(what, unit string, total int) *progress {
	if d.when == "never" || d.when == "auto" && (d.piped || !term.IsTerminal(int(os.Stderr.Fd()))) {
		return nil
	}
	p := newProgress(os.Stderr, func() int { return widthOf(os.Stderr) }, what, unit, total)
	p.log = d.log
	_ = logTo(d.log, p) // its format was accepted before
	return p
}

func newProgress(out io.Writer, width func() int, what, unit string, total int) *progress {
	p := &progress{out: out, width: width, now: time.Now, unit: unit, total: total}
	p.what = fitted(printable(what), width()/3)
	p.bar = p.newBar()
	return p
}

func (p *progress) newBar() *progressbar.ProgressBar {
	columns := p.width()
	options := []progressbar.Option{
		progressbar.OptionSetWriter(io.Discard), // draw places its text
		progressbar.OptionSetDescription(p.what),
		progressbar.OptionShowCount(),
		progressbar.OptionShowTotalBytes(p.total >= 0), // which is its word for any total
		progressbar.OptionSetPredictTime(false),        // from the job's begin: rate knows better
		progressbar.OptionSetElapsedTime(false),
		progressbar.OptionSetWidth(min(columns/5-4, 24)),
	}
	if columns < 60 { // the count and the time say more
		options = append(options, progressbar.OptionSetWidth(1), progressbar.OptionSetTheme(progressbar.Theme{}))
	}
	return progressbar.NewOptions(p.total, options...)
}

// widthOf is how many columns a terminal has: 80 where it does not say.
func widthOf(terminal *os.File) int {
	columns, _, err := term.GetSize(int(terminal.Fd()))
	if err != nil || columns <= 0 {
		return 80
	}
	return columns
}

// fitted is the start of a text that takes at most that many columns.
func fitted(text string, columns int) string {
	if uniseg.StringWidth(text) <= columns {
		return text
	}
	width, end := 0, 0
	for g := uniseg.NewGraphemes(text); g.Next(); {
		if width += g.Width(); width > columns-1 {
			break
		}
		_, end = g.Positions()
	}
	return text[:end] + "…"
}

// draw puts the bar in place of the line that stands there. It neither wraps nor
// reaches the last column, behind which some terminals begin a line.
func (p *progress) draw() {
	p.last = p.now()
	_ = p.bar.Set(p.n) // it only computes
	line := strings.Trim(p.bar.String(), "\r ")
	columns := p.width() - 1
	between := " "
	for _, more := range append(p.rate.texts(p.unit, p.n, p.total), p.details...) {
		if with := line + between + more; uniseg.StringWidth(with) <= columns {
			line, between = with, ", "
		}
	}
	p.place(fitted(line, columns))
}

// place writes a line over the one that stands there.
func (p *progress) place(line string) {
	columns := uniseg.StringWidth(line)
	blank := strings.Repeat(" ", max(p.drawn-columns, 0))
	if blank != "" {
		blank += "\r" + line
	}
	_, _ = io.WriteString(p.out, "\r"+line+blank) // drawing is all that can fail
	p.drawn = columns
}

// Write puts messages, which are whole lines, above the bar.
func (p *progress) Write(text []byte) (n int, err error) {
	p.above(func() { n, err = p.out.Write(text) })
	return n, err
}

// above runs what writes whole lines to the terminal, in place of the bar, and draws
// the bar anew below them.
func (p *progress) above(write func()) {
	if p == nil {
		write()
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	stood := p.drawn > 0 && !p.closed
	if stood {
		p.place("")
		_, _ = io.WriteString(p.out, "\r")
	}
	write()
	if stood {
		p.draw()
	}
}

// update changes what is shown, and draws it when it is time to.
func (p *progress) update(change func()) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	p.rate.mark(p.now(), p.n)
	if !p.closed && (p.n == p.total || p.now().Sub(p.last) >= drawnEvery) {
		p.draw()
	}
}

func (p *progress) add(n int) { p.update(func() { p.n += n }) }
func (p *progress) set(n int) { p.update(func() { p.n = n }) }

// setOf sets a count whose total is first known by now.
func (p *progress) setOf(n, total int) {
	p.update(func() {
		if p.n = n; p.total != total {
			p.total = total
			p.bar = p.newBar()
		}
	})
}

// describe says more, behind the count: what is first is shown first.
func (p *progress) describe(details ...string) {
	p.update(func() {
		p.details = nil
		for _, d := range details {
			p.details = append(p.details, printable(d))
		}
	})
}

// close ends the bar's line, so that what follows starts on its own.
func (p *progress) close() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drawn > 0 && !p.closed {
		p.draw() // what came since it was last drawn
		_, _ = io.WriteString(p.out, "\n")
	}
	p.closed = true
	if p.log != "" {
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

// rate is how fast a count goes, over about the last minute: of a resumed job from
// where it went on.
type rate struct {
	marks []mark // a second apart or more, the oldest first
	at    mark   // the newest
}

type mark struct {
	at time.Time
	n  int
}

func (r *rate) mark(at time.Time, n int) {
	r.at = mark{at, n}
	if len(r.marks) == 0 || at.Sub(r.marks[len(r.marks)-1].at) >= time.Second {
		r.marks = append(r.marks, r.at)
	}
	if len(r.marks) > 60 {
		r.marks = r.marks[1:]
	}
}

// texts are the rate and, where the total is known, the time that is left; nothing
// while it is too early to say.
func (r *rate) texts(unit string, n, total int) []string {
	if len(r.marks) == 0 {
		return nil
	}
	first := r.marks[0]
	passed := r.at.at.Sub(first.at)
	perSecond := float64(r.at.n-first.n) / passed.Seconds()
	if passed < time.Second/2 || perSecond <= 0 {
		return nil
	}
	texts := []string{fmt.Sprintf("%.0f %s/s", perSecond, unit)}
	switch {
	case perSecond < 1.0/60:
		texts[0] = fmt.Sprintf("%.1f %s/h", perSecond*3600, unit)
	case perSecond < 1:
		texts[0] = fmt.Sprintf("%.1f %s/min", perSecond*60, unit)
	case perSecond < 10:
		texts[0] = fmt.Sprintf("%.1f %s/s", perSecond, unit)
	}
	if left := float64(total-n) / perSecond; left > 0 {
		texts = append(texts, duration(time.Duration(left*float64(time.Second)))+" left")
	}
	return texts
}

// duration is a length of time for people: 12s, 3m20s, 5h07m, 2d03h.
func duration(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 86400:
		return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
	}
	return fmt.Sprintf("%dd%02dh", s/86400, s/3600%24)
}

func isPipe(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&fs.ModeNamedPipe != 0
}
