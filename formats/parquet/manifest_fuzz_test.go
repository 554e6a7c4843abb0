package parquet

import (
	"encoding/json"
	"path/filepath"
	"testing"
)

// FuzzParseManifest: what is accepted names files of the folder alone, and
// carries its own digest.
func FuzzParseManifest(f *testing.F) {
	m, err := Write(f.Context(), filepath.Join(f.TempDir(), "out"), stream(cases[0].h, cases[0].row, 3), Options{})
	if err != nil {
		f.Fatal(err)
	}
	text, err := json.Marshal(m)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"format":"pipa-parquet/1","kind":"pair","rows":1,"files":[{"file":"../x.parquet","rows":1}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var m Manifest
		if json.Unmarshal(text, &m) == nil {
			var err error
			if m.Digest, err = m.digest(); err != nil { // or hardly a change would get past it
				t.Fatal(err)
			}
			again, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			text, m = again, Manifest{}
		}
		if m.parse(text) != nil {
			return
		}
		if d, err := m.digest(); err != nil || d != m.Digest {
			t.Errorf("accepted with digest %s, it has %s", m.Digest, d)
		}
		for _, f := range m.Files {
			if filepath.Base(f.File) != f.File {
				t.Errorf("accepted with the file %q", f.File)
			}
		}
	})
}
