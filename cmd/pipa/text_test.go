package main

import (
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
