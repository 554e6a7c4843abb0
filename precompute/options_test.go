package precompute

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/crops"
)

// TestANewOptionLeavesOldPlansAsTheyAre holds the text of plans, which their digests
// are of: the options of a plan that an earlier version wrote are read, and written
// as they were. An option that is left out where it is zero changes nothing; one
// that is not would stand in every plan, and make another of it.
func TestANewOptionLeavesOldPlansAsTheyAre(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "fixtures", "past", "testdata", "*", "datasets", "*", PlanFile))
	if err != nil || len(files) < 4 {
		t.Fatalf("old plans: %q, %v", files, err)
	}
	kinds := map[string]int{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p, err := parsePlan(text) // which compares the digest
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		var members map[string]json.RawMessage
		if err := json.Unmarshal(text, &members); err != nil {
			t.Fatal(err)
		}
		for name, options := range map[string]any{"samples": p.Samples, "target": p.Target, "pairs": p.Pairs} {
			old, there := members[name]
			if !there {
				continue
			}
			kinds[name]++
			var want bytes.Buffer
			if err := json.Compact(&want, old); err != nil {
				t.Fatal(err)
			}
			got, err := json.Marshal(options)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want.Bytes()) {
				t.Errorf("%s: the options %s were written\n%s, and are now\n%s: a new option needs omitempty, and to mean nothing where it is zero", file, name, want.Bytes(), got)
			}
		}
	}
	if kinds["samples"] == 0 || kinds["target"] == 0 || kinds["pairs"] == 0 {
		t.Errorf("old plans have options of %v, want of samples, target and pairs", kinds)
	}
}

// TestTheTextOfDefaultOptions: options that are not set are written as they always
// were.
func TestTheTextOfDefaultOptions(t *testing.T) {
	for _, c := range []struct {
		options any
		want    string
	}{
		{augment.Options{}, `{"resize":[0,0],"crop":[0,0],"cat_max_ratio":0,"flip":0,"jitter":{"brightness":0,"contrast":0,"saturation":0,"hue":0,"chance":0},"gray":0,"blur":0}`},
		{crops.Default(), `{"size":720,"base":2048,"scale":[0.8,2],"iou":[0.1,1],"stride":8,"flip":0.5,"blur":0.5,"jitter":{"brightness":0.4,"contrast":0.4,"saturation":0.4,"hue":0.1,"chance":0.8},"gray":0.2}`},
	} {
		if got, err := json.Marshal(c.options); err != nil || string(got) != c.want {
			t.Errorf("%s, %v; plans have\n%s", got, err, c.want)
		}
	}
}
