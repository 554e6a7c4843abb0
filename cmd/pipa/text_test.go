package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/pipa-uda/pipa/pipeline"
)

// TestLongNamesArePrintedOnce: text stands under the names of an input up to a
// width, or one long name would make every line as long.
func TestLongNamesArePrintedOnce(t *testing.T) {
	long := strings.Repeat("n", 100_000)
	var params strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&params, `,"parameter_%d":%q`, i, strings.Repeat("v", 80))
	}
	step := pipeline.Step{Stage: long, Params: []byte("{" + params.String()[1:] + "}")}
	classes := append([]string{long}, strings.Split(strings.Repeat("road ", 200), " ")[:200]...)
	for name, text := range map[string]string{
		"history": strings.Join(historyLines([]pipeline.Step{step}), "\n"),
		"classes": describe(pipeline.Summary{Classes: classes, Pixels: make([]int64, len(classes)), Ignored: 1}),
	} {
		if n := strings.Count(text, long); n != 1 || len(text) > 400_000 {
			t.Errorf("%s: %d bytes, the name %d times", name, len(text), n)
		}
	}
}

// TestLongPrefixesAreShortened: a key goes before every key of its object, up
// to a length.
func TestLongPrefixesAreShortened(t *testing.T) {
	var inner strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&inner, `,"%d":1,"of_%d":[{"stage":"read","params":{}}]`, i, i)
	}
	for name, key := range map[string]string{"letters": strings.Repeat("k", 100_000), "runes": strings.Repeat("é€", 20_000)} {
		params := fmt.Sprintf(`{%q:{%s}}`, key, inner.String()[1:])
		text := strings.Join(historyLines([]pipeline.Step{{Stage: "read", Params: []byte(params)}}), "\n")
		if len(text) > 400_000 || !utf8.ValidString(text) || strings.Contains(text, key) || !strings.Contains(text, "….999=1") {
			t.Errorf("%s: %d bytes, valid %t", name, len(text), utf8.ValidString(text))
		}
	}
}

// TestPrintable: what comes from files neither moves the cursor nor colors, retitles or
// turns anything, and no password of a URL is shown.
func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"sky → road, 道路\tand\nmore":           "sky → road, 道路\tand\nmore",
		"\x1b]0;title\x07\x1b[2J\r\x7f":       `\u001b]0;title\u0007\u001b[2J\u000d\u007f`,
		"\u009b31m, \u202egnp.exe, \u2028":    `\u009b31m, \u202egnp.exe, \u2028`,
		"caf\xe9 \ufffd":                      `caf\xe9 ` + "\ufffd",
		"s3://bucket/a https://me@host/x":     "s3://bucket/a https://me@host/x",
		"gta:https://me:p@ss:word@host:80/x!": "gta:https://me:xxxxx@host:80/x!",
		`{"a":"x://b:c","d":"e@f"}`:           `{"a":"x://b:c","d":"e@f"}`,
	} {
		if got := printable(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}

// TestHistoryIsPrintable: names and values of a stream's history come from whoever made
// it.
func TestHistoryIsPrintable(t *testing.T) {
	s := pipeline.Summary{
		Classes: []string{"\x1b[31mroad"}, Pixels: []int64{3}, Datasets: []string{"\x1b]52;c;cHduZWQ=\a"},
		History: []pipeline.Step{{Stage: "\x1b[2J", Params: []byte("{\"dir\":\"\x1b[31mred\"}")}},
	}
	text, err := json.Marshal(s)
	if err != nil {
		text = nil // a history that is not JSON is only shown to people
	}
	for _, shown := range []string{printable(describe(s)), printable(string(text))} {
		if strings.ContainsAny(shown, "\x1b\a") {
			t.Errorf("%q", shown)
		}
	}
}
