package precompute

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzReport reads damaged reports of a check: one is accepted only with its
// last line, and every line before it is a problem that it names.
func FuzzReport(f *testing.F) {
	f.Add([]byte(`{"id":"gta/train/1","file":"images/1.png","reason":"cut"}` + "\n" + `{"samples":3,"problems":1}` + "\n"))
	f.Add([]byte(`{"samples":null}` + "\n"))
	f.Add([]byte(`{"samples":0,"problems":0}{"id":"later"}`))
	path := filepath.Join(f.TempDir(), "report.json")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o644); err != nil {
			t.Fatal(err)
		}
		bad, err := ReadReport(path)
		if err != nil {
			if !strings.Contains(err.Error(), path) {
				t.Errorf("%v does not name the report", err)
			}
			return
		}
		if len(bad) > len(text)/2 {
			t.Errorf("%d problems of %d bytes", len(bad), len(text))
		}
	})
}
