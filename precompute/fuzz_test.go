package precompute

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/pipa-uda/pipa/pipeline/shards"
	"github.com/pipa-uda/pipa/pipeline/storage"
)

// FuzzSidecar: a shard counts as finished only where its sidecar is the plan's,
// names the shard's own file, and has its rows and size.
func FuzzSidecar(f *testing.F) {
	p := &Plan{Digest: "00112233aabbccdd", Shards: 2, Job: Job{Epochs: 1}, Source: Input{Items: make([]Item, 5)}}
	good := sidecar{shards.Shard{File: shards.File(1), Rows: 3, Bytes: 4, Digest: "0123456789abcdef"}, p.Digest}
	text, err := json.Marshal(good)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"file":"../part-00001.arrow","rows":3,"bytes":4,"plan":"00112233aabbccdd"}`))
	f.Add([]byte(`{"file":"part-00001.arrow","rows":-3,"bytes":-4,"plan":""}`))
	dir := f.TempDir()
	folder, err := storage.Open(f.Context(), dir)
	if err != nil {
		f.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, shards.File(1)), []byte("rows"), 0o644); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(filepath.Join(dir, sidecarFile(1)), text, 0o644); err != nil {
			t.Fatal(err)
		}
		shard, err := p.finished(folder, 1)
		if err != nil {
			if !again(err) {
				t.Errorf("%q stops the job: %v", text, err)
			}
			return
		}
		if shard.Digest = good.Digest; shard != good.Shard {
			t.Errorf("%q was accepted as %+v", text, shard)
		}
	})
}
