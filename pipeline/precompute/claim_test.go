package precompute

import (
	"io/fs"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/storage"
)

// contested is a folder that another process claims after it was found empty,
// before it is listed.
type contested struct {
	storage.Folder
	other *Plan
}

func (c contested) ReadDir(name string) ([]fs.DirEntry, error) {
	if err := c.Put(PlanFile, c.other.Write); err != nil {
		return nil, err
	}
	return c.Folder.ReadDir(name)
}

func TestTwoProcessesClaimAtOnce(t *testing.T) {
	plan := func(seed uint64) *Plan {
		p := &Plan{Format: planFormat, Job: Job{Kind: pipeline.KindSample, Seed: seed, Epochs: 1}, Shards: 1, Batch: 1}
		p.Source.Items = []Item{{ID: "gta/train/00001"}}
		var err error
		if p.Digest, err = p.digest(); err != nil {
			t.Fatal(err)
		}
		return p
	}
	for name, c := range map[string]struct {
		other uint64
		want  string
	}{
		"the same plan": {1, ""},
		"another plan":  {2, "another plan"},
	} {
		t.Run(name, func(t *testing.T) {
			folder, err := storage.Open(t.Context(), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			err = claim(plan(1), contested{folder, plan(c.other)})
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
}
