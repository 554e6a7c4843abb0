package parquet

import (
	"bytes"
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
	var text bytes.Buffer
	if err := m.write(&text); err != nil {
		f.Fatal(err)
	}
	f.Add(text.Bytes())
	f.Add([]byte(`{"format":"pipa-parquet/1","kind":"pair","rows":1,"files":[{"file":"../x.parquet","rows":1}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var m Manifest
		if json.Unmarshal(text, &m) == nil {
			var err error
			if m.Digest, err = m.digest(); err != nil { // or hardly a change would get past it
				t.Fatal(err)
			}
			var again bytes.Buffer
			if err := m.write(&again); err != nil {
				t.Fatal(err)
			}
			text, m = again.Bytes(), Manifest{}
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
