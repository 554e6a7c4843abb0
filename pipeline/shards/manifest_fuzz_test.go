package shards

import (
	"bytes"
	"testing"

	"github.com/pipa-uda/pipa/pipeline"
)

// FuzzParseManifest: what is accepted is what NewManifest makes.
func FuzzParseManifest(f *testing.F) {
	var text bytes.Buffer
	if err := NewManifest(pipeline.KindSample, []Shard{{File: File(0), Rows: 2, Bytes: 100, Digest: "0123456789abcdef"}}).Write(&text); err != nil {
		f.Fatal(err)
	}
	f.Add(text.Bytes())
	f.Add([]byte(`{"format":"pipa-dataset/1","kind":"pair","rows":1,"shards":[{"file":"../part-00000.arrow","rows":1}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := ParseManifest(text)
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := NewManifest(m.Kind, m.Shards).Write(&again); err != nil {
			t.Fatal(err)
		}
		if back, err := ParseManifest(again.Bytes()); err != nil || back.Digest != m.Digest || back.Rows != m.Rows {
			t.Errorf("%q was accepted as %+v", text, m)
		}
	})
}
