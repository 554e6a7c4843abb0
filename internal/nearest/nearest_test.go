package nearest

import (
	"strings"
	"testing"
)

func TestWord(t *testing.T) {
	commands := []string{"read", "crops", "classmix", "train"}
	for word, want := range map[string]string{"raed": "read", "crop": "crops", "clasmix": "classmix", "train": "train", "": "read", strings.Repeat("x", 300): ""} {
		if got := Word(word, commands); got != want {
			t.Errorf("%q is nearest to %q, want %q", word, got, want)
		}
	}
	if got := Word("read", nil); got != "" {
		t.Errorf("of no candidates: %q", got)
	}
}
