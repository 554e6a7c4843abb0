package nearest

import (
	"strings"
	"testing"
)

func TestWord(t *testing.T) {
	known := []string{"read", "crops", "classmix", "train", "weights", "verify", "view", "gta", "ls", "o", "completion"}
	for word, want := range map[string]string{
		"raed": "read", "crop": "crops", "clasmix": "classmix", "train": "train", "wights": "weights", "vew": "view",
		"GTA": "gta", "trian": "train", "carps": "crops", "gto": "gta", "comp": "completion", "Read": "read",
		// Nothing is near.
		"": "", "x": "", "xy": "", "banana": "", "dataset": "", "synthia": "", "v": "", "kitti": "", strings.Repeat("x", 300): "",
	} {
		if got := Word(word, known); got != want {
			t.Errorf("%q is nearest to %q, want %q", word, got, want)
		}
	}
	if got := Word("read", nil); got != "" {
		t.Errorf("of no candidates: %q", got)
	}
	if got := Word("pre", []string{"presets", "precompute", "predict"}); got != "" {
		t.Errorf("the beginning of three is taken for %q", got)
	}
}

func TestHint(t *testing.T) {
	for word, want := range map[string]string{"gto": `: did you mean "gta"?`, "kitti": ""} {
		if got := Hint(word, []string{"gta", "synthia", "cityscapes"}, "%q"); got != want {
			t.Errorf("%s: %q, want %q", word, got, want)
		}
	}
}

func TestEditDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"kitten", "sitting", 3}, {"abcd", "badc", 2}} {
		if got := editDistance(c.a, c.b); got != c.want {
			t.Errorf("%q to %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
