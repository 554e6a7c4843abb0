package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/pipeline"
)

// FuzzHistory tells any stage's parameters in lines.
func FuzzHistory(f *testing.F) {
	f.Add("read", []byte(`{"format":"gta","of":{"a":[1,2]},"target":[{"stage":"read","params":{"epoch":1}}]}`))
	f.Add("", []byte(`[1,{}]`))
	f.Fuzz(func(t *testing.T, stage string, params []byte) {
		if !json.Valid(params) || len(params) > 1<<16 {
			return
		}
		lines := historyLines([]pipeline.Step{{Stage: stage, Params: params}})
		if len(lines) == 0 || !strings.HasPrefix(lines[0], stage) {
			t.Errorf("%q %s became %q", stage, params, lines)
		}
	})
}
