package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"
)

// A screen is what a terminal shows of what is written to it.
type screen struct {
	columns int
	lines   [][]rune
	at      int // column of the cursor, in the last line
	wrapped bool
}

func (s *screen) Write(text []byte) (int, error) {
	if s.lines == nil {
		s.lines = [][]rune{nil}
	}
	for _, r := range string(text) {
		last := len(s.lines) - 1
		switch r {
		case '\r':
			s.at = 0
		case '\n':
			s.lines, s.at = append(s.lines, nil), 0
		default:
			for len(s.lines[last]) <= s.at {
				s.lines[last] = append(s.lines[last], ' ')
			}
			s.lines[last][s.at] = r
			if s.at++; s.at == s.columns {
				s.wrapped = true
			}
		}
	}
	return len(text), nil
}

func (s *screen) text() string {
	var lines []string
	for _, l := range s.lines {
		lines = append(lines, strings.TrimRight(string(l), " "))
	}
	return strings.Join(lines, "\n")
}

// barOn is a bar on a terminal of that many columns, and a clock that is advanced by
// what is sent to tick.
func barOn(columns int, what string, total int) (p *progress, s *screen, tick func(time.Duration)) {
	s = &screen{columns: columns}
	p = newProgress(s, func() int { return columns }, what, "rows", total)
	now := time.Unix(0, 0)
	p.now = func() time.Time { return now }
	return p, s, func(d time.Duration) { now = now.Add(d) }
}

// TestBarFitsTheTerminal: a bar moves with every step, in one line, and shows what
// there is room for.
func TestBarFitsTheTerminal(t *testing.T) {
	for _, c := range []struct {
		columns, total int
		what, want     string
	}{
		{120, 40000, "train", "train  30% |██████              | (12000/40000) 2.0 rows/s, 3h55m left, source 1.234, mixed 0.567, patch 0.046"},
		{80, 40000, "train", "train  30% |███         | (12000/40000) 2.0 rows/s, 3h55m left, source 1.234"},
		{60, 40000, "train", "train  30% |██      | (12000/40000) 2.0 rows/s, 3h55m left"},
		{40, 40000, "train", "train  30%  (12000/40000) 2.0 rows/s"},
		{20, 40000, "train", "train  30%  (12000…"},
		{80, -1, "view", "view (12000) 2.0 rows/s, source 1.234, mixed 0.567, patch 0.046"},
		{80, 40000, "precompute /a/very/long/name/of/a/folder", "precompute /a/very/long/n…  30% |███         | (12000/40000) 2.0 rows/s"},
		{80, 40000, "道路道路道路道路道路道路道路道路", "道路道路道路道路道路道路…  30% |███         | (12000/40000) 2.0 rows/s"},
	} {
		p, s, tick := barOn(c.columns, c.what, c.total)
		before := ""
		for n := 11900; n <= 12000; n++ {
			p.set(n)
			if s.text() == before {
				t.Fatalf("%d columns: %d rows look like one less: %q", c.columns, n, before)
			}
			before = s.text()
			tick(500 * time.Millisecond)
		}
		p.describe("source 1.234", "mixed 0.567", "patch 0.046")
		got := s.text()
		if _, spun, ok := strings.Cut(got, " "); ok && c.total < 0 {
			got = spun // without what turns
		}
		if got != c.want || s.wrapped || strings.Contains(got, "\n") {
			t.Errorf("%d columns:\n%s, wrapped: %t\nwant\n%s", c.columns, got, s.wrapped, c.want)
		}
	}
}

// TestMessagesStandAboveTheBar: messages, and results that are printed meanwhile, are
// whole lines above the bar, which goes on below.
func TestMessagesStandAboveTheBar(t *testing.T) {
	p, s, tick := barOn(80, "read gta", 3)
	message := func(text string) { fmt.Fprintln(p, text) }
	message("pipa: before the bar")
	for n := 1; n <= 3; n++ {
		p.set(n)
		message(fmt.Sprintf("pipa: warning: left out %d", n))
		tick(time.Second)
	}
	p.above(func() { fmt.Fprintln(s, "a result") })
	p.close()
	p.close()
	message("pipa: after it")
	want := `pipa: before the bar
pipa: warning: left out 1
pipa: warning: left out 2
pipa: warning: left out 3
a result
read gta 100% |████████████| (3/3) 1.0 rows/s
pipa: after it
`
	if s.text() != want {
		t.Errorf("%s\nwant\n%s", s.text(), want)
	}
}

// TestBarThatNeverMoved leaves no empty line.
func TestBarThatNeverMoved(t *testing.T) {
	p, s, _ := barOn(80, "read gta", 3)
	p.close()
	if s.text() != "" {
		t.Errorf("%q", s.text())
	}
}

// TestLastCountIsShown: steps faster than the drawing are in the bar that stays.
func TestLastCountIsShown(t *testing.T) {
	p, s, _ := barOn(80, "view", -1)
	for range 50 {
		p.add(3)
	}
	p.close()
	if !strings.Contains(s.text(), "(150)") {
		t.Errorf("%q", s.text())
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 59 * time.Second: "59s", 200 * time.Second: "3m20s", 5*time.Hour + 7*time.Minute: "5h07m", 51 * time.Hour: "2d03h",
	} {
		if got := duration(d); got != want {
			t.Errorf("%v is %s, want %s", d, got, want)
		}
	}
}

// TestMessages are the two forms of one message.
func TestMessages(t *testing.T) {
	defer slog.SetDefault(slog.Default())
	var out bytes.Buffer
	say := func(format string) string {
		out.Reset()
		if err := logTo(format, &out); err != nil {
			t.Fatal(err)
		}
		slog.Warn("read \x1b[31ma\x9b\u202e https://me:secret@host/x\nand more", "iteration", 12, "losses", slog.GroupValue(slog.Float64("source", 1.23456)), "lr", 6e-5, "bad", math.NaN(), "name", "a\nb")
		return out.String()
	}
	want := `pipa: warning: read \u001b[31ma\x9b\u202e https://me:xxxxx@host/x` + "\n" + `  and more iteration=12 losses.source=1.235 lr=6e-05 bad=NaN name=a\nb` + "\n"
	if got := say("text"); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	var line struct {
		Msg       string
		Iteration int
		Losses    map[string]float64
		LR        float64
		Bad       string
	}
	text := say("json")
	if err := json.Unmarshal([]byte(text), &line); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if line.Iteration != 12 || line.Losses["source"] != 1.23456 || line.LR != 6e-5 || line.Bad != "NaN" || strings.Contains(text, "secret") || strings.ContainsAny(text, "\x1b\u202e") {
		t.Errorf("%s", text)
	}
}
