// Package pipa_test holds what is checked over the whole module.
package pipa_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/pipa-uda/pipa/"

// mayImport says which of the module's folders a folder's packages may import,
// beside their own (docs/design.md, Layout). A deeper folder has rules of its
// own.
var mayImport = map[string][]string{
	"pipeline": {},
	// Whole jobs, from dataset files to shards, are made of the stages.
	"pipeline/precompute": {"pipeline", "formats", "augment", "classmix", "crops"},
	"formats":             {"pipeline"},
	"augment":             {"pipeline"},
	"classmix":            {"pipeline"},
	"crops":               {"pipeline", "augment"},
	"fixtures":            {"pipeline", "formats"},
	"train":               {"pipeline", "formats", "augment", "classmix", "crops"},
	"bench":               {"pipeline", "formats", "augment", "classmix", "crops", "fixtures", "train"},
	"cmd":                 {"pipeline", "pipeline/precompute", "formats", "augment", "classmix", "crops", "fixtures", "train"},
}

// TestImportsPointOneWay: the folders of the tree are its architecture; only
// tests, and the packages named …test that support them, may look sideways. Arrow stays inside pipeline
// and, for its Parquet, formats/parquet, the tensor library inside train, gift inside augment and the pictures.
func TestImportsPointOneWay(t *testing.T) {
	only := map[string][]string{"github.com/apache/arrow/": {"pipeline", "formats/parquet"}, "github.com/ebitengine/purego": {"train/torch"}, "github.com/urfave/cli/": {"cmd"}}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != "." && strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" {
				return filepath.SkipDir
			}
			// A nested module imports what it likes; the core cannot import it.
			if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil && name != "." {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		dir := path.Dir(filepath.ToSlash(name))
		if strings.HasSuffix(dir, "test") {
			return nil
		}
		top := dir
		for mayImport[top] == nil && strings.Contains(top, "/") {
			top = path.Dir(top)
		}
		allowed, known := mayImport[top]
		if !known {
			t.Errorf("%s lies in a folder that the architecture does not have", name)
		}
		for _, spec := range f.Imports {
			imported := strings.Trim(spec.Path.Value, `"`)
			for prefix, homes := range only {
				if strings.HasPrefix(imported, prefix) && !slices.ContainsFunc(homes, func(home string) bool { return strings.HasPrefix(dir+"/", home+"/") }) {
					t.Errorf("%s imports %s, which only %v may", name, imported, homes)
				}
			}
			inside, ours := strings.CutPrefix(imported, module)
			if !ours {
				continue
			}
			target, _, _ := strings.Cut(inside, "/")
			ok := target == top
			for _, a := range allowed {
				ok = ok || a == target
			}
			if !ok {
				t.Errorf("%s imports %s: %s may import %v", name, inside, top, allowed)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
