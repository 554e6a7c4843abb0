package report

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzWrite makes reports of damaged runs: each is an error that names the run,
// or a whole page.
func FuzzWrite(f *testing.F) {
	f.Add([]byte(`{"iteration":1,"lr":1e-5,"losses":{"source":1.5}}`+"\n"+`{"iteration":2,"losses":{"source":1}}`+"\n"),
		[]byte(`{"iteration":1,"classes":["road"],"iou":[null],"accuracy":[1],"confusion":[4]}`+"\n"))
	f.Add([]byte(`{"iteration":1,"losses":{"a":-1e308}}`+"\n"+`{"iteration":9223372036854775807,"losses":{"a":1e308}}`+"\n"), []byte(`{"iteration":1,"classes":["road"]}`+"\n"))
	f.Add([]byte(`{"iteration":9000000000000000000}`+"\n"+`{"iteration":9000000000000000001}`+"\n"), []byte(`{"classes":["a"],"colours":[],"iou":[1],"accuracy":[1],"confusion":[1]}`+"\n"))
	dir := f.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.yaml"), []byte("extends: fixture-source\n"), 0o644); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, metrics, scores []byte) {
		for name, text := range map[string][]byte{"metrics.jsonl": metrics, "scores.jsonl": scores} {
			if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		var page bytes.Buffer
		if err := Write(&page, dir); err != nil {
			if !strings.Contains(err.Error(), dir) {
				t.Errorf("%v does not name the run", err)
			}
			return
		}
		if !strings.HasSuffix(strings.TrimSpace(page.String()), "</html>") {
			t.Errorf("the page ends with %q", page.String()[max(page.Len()-40, 0):])
		}
	})
}
