package pipeline

import (
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/zeebo/xxh3"
)

// TestThePageMakesTheDigest: the bytes that docs/datasets.md works through are
// those that are hashed.
func TestThePageMakesTheDigest(t *testing.T) {
	page, err := os.ReadFile("../docs/datasets.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(page), "is these 99 bytes:\n\n```\n")
	block, after, _ := strings.Cut(block, "```")
	var bytes []byte
	for _, line := range strings.Split(strings.TrimSpace(block), "\n") {
		digits := regexp.MustCompile(`^([0-9a-f]{2} ? ?)+`).FindString(line + " ")
		b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		bytes = append(bytes, b...)
	}
	wrap := func(channels int, pix ...byte) raster.Raster {
		r, err := raster.Wrap(1, 2, channels, pix)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	s := Sample{ID: "gta/train/7", Dataset: "gta", Split: "train", Image: wrap(3, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60), Label: wrap(1, 7, 255)}
	labeled, hashed := s.Digest(false), xxh3.Hash(bytes)
	s.Label = raster.Raster{}
	check := checkOf(map[string]string{keyKind: "sample", keySeed: "7"})
	if !found || hashed != labeled {
		t.Errorf("the page's %d bytes have the digest %016x, the sample's is %016x", len(bytes), hashed, labeled)
	}
	for _, want := range []string{fmt.Sprintf("%016x", labeled), fmt.Sprintf("%016x", s.Digest(false)), check} {
		if !strings.Contains(after, want) {
			t.Errorf("the page does not have %s", want)
		}
	}
}
