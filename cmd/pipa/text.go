package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pipa-uda/pipa/pipeline"
)

// count is "1 row", "2 rows".
func count(n int, noun string) string {
	if n != 1 && strings.HasSuffix(noun, "ch") {
		noun += "e"
	}
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

func bytesText(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	v, u := float64(n), 0
	for v >= 1024 && u < len(units)-1 {
		v /= 1024
		u++
	}
	if u == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", v, units[u])
}

// columns are lines of a key and a text.
type columns struct{ strings.Builder }

func (c *columns) line(key, format string, args ...any) {
	c.WriteString(fmt.Sprintf("%-9s %s\n", key, fmt.Sprintf(format, args...)))
}

// paragraph is a line whose text may be longer than a terminal is wide.
func (c *columns) paragraph(key, format string, args ...any) {
	for _, line := range wrapped(fmt.Sprintf(format, args...), 70) {
		c.line(key, "%s", line)
		key = ""
	}
}

// printText writes to standard output.
func printText(text string) error {
	_, err := os.Stdout.WriteString(printable(text))
	return pipeline.ClosedPipe(err)
}

func printJSON(v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return printText(string(text) + "\n")
}

// password is that of a URL's user. It has no quote, as texts may be JSON.
var password = regexp.MustCompile(`(://[^/@:\s"]*):[^/\s"]*@`)

// printable is a text as it may be shown: what comes from files holds no sequence that
// a terminal acts on, nor turns the direction of what follows, and a URL its password.
// Line ends and tabs stay; the escapes are those of JSON.
func printable(text string) string {
	text = password.ReplaceAllString(text, "$1:xxxxx@")
	var b strings.Builder
	for i, r := range text {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)):
			fmt.Fprintf(&b, `\x%02x`, text[i])
		case r != '\n' && r != '\t' && unicode.IsControl(r), unicode.In(r, unicode.Bidi_Control, unicode.Zl, unicode.Zp):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// historyWidth is how wide a line of a stream's history gets: with its key before it,
// a terminal of 80 columns.
const historyWidth = 68

// maxPadding is how far text is moved to stand under, or behind, a name of the
// input, which may have any length.
const maxPadding = 60

// beneath is the space that text needs to stand under what goes before it.
func beneath(name string) string { return strings.Repeat(" ", min(len(name), maxPadding)) }

// shortened is a name of the input as it goes before each of many others.
func shortened(name string) string {
	if len(name) <= maxPadding {
		return name
	}
	return strings.ToValidUTF8(name[:maxPadding], "") + "…"
}

// historyLines says for people how a stream was made: a stage and its
// parameters, without those that are zero, off or empty. A list of stages among
// the parameters follows indented.
func historyLines(steps []pipeline.Step) []string { return linesAt(steps, 0) }

// maxHistoryDepth is how deep parameters are taken apart; those below are shown
// as their JSON. Stages have three levels.
const maxHistoryDepth = 8

func linesAt(steps []pipeline.Step, depth int) []string {
	var lines []string
	for _, step := range steps {
		words, nested := parameters("", step.Params, depth)
		line := step.Stage
		for _, w := range words {
			if len(line)+1+len(w) > historyWidth {
				lines = append(lines, line)
				line = beneath(step.Stage)
			}
			line += " " + w
		}
		lines = append(lines, line)
		for _, n := range nested {
			for i, l := range linesAt(n.steps, depth+1) {
				key := beneath(n.key)
				if i == 0 {
					key = n.key
				}
				lines = append(lines, "  "+key+" "+l)
			}
		}
	}
	return lines
}

// nestedHistory is a history among the parameters of a stage.
type nestedHistory struct {
	key   string
	steps []pipeline.Step
}

// parameters flattens a JSON object to words key=value.
func parameters(prefix string, object json.RawMessage, depth int) (words []string, nested []nestedHistory) {
	d := json.NewDecoder(bytes.NewReader(object))
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return []string{string(object)}, nil
	}
	for d.More() {
		key, err := d.Token()
		var value json.RawMessage
		if err != nil || d.Decode(&value) != nil {
			return append(words, string(object)), nested
		}
		name := prefix + fmt.Sprint(key)
		var steps []pipeline.Step
		switch text := string(value); {
		case slices.Contains([]string{"0", "false", `""`, "null", "[]", "[0,0]"}, text):
		case text[0] == '{' && depth < maxHistoryDepth:
			w, n := parameters(shortened(name)+".", value, depth+1)
			words, nested = append(words, w...), append(nested, n...)
		case strings.HasPrefix(text, "[{") && depth < maxHistoryDepth && json.Unmarshal(value, &steps) == nil:
			nested = append(nested, nestedHistory{name, steps})
		default:
			words = append(words, name+"="+strings.Trim(text, `"`))
		}
	}
	return words, nested
}
