package pipa_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestCommentsLeadToTheMethod: a comment that names a section of docs/method.md names
// one that is there.
func TestCommentsLeadToTheMethod(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("docs", "method.md"))
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(string(page), -1) {
		sections[m[1]] = true
	}
	lines, reference := regexp.MustCompile(`\n\s*//\s*`), regexp.MustCompile(`\(docs/method\.md, ([^)]+)\)`)
	found := 0
	err = filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range reference.FindAllStringSubmatch(lines.ReplaceAllString(string(text), " "), -1) {
			if found++; !sections[m[1]] {
				t.Errorf("%s: docs/method.md has no section %q", path, m[1])
			}
		}
		return nil
	})
	if err != nil || found == 0 {
		t.Errorf("found %d references, %v", found, err)
	}
}
