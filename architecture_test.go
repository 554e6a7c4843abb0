// Package pipa_test holds what is checked over the whole module.
package pipa_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/pipa-uda/pipa/"

// mayImport says which of the module's packages a package may import
// (docs/design.md, Layout). A key names a package and those below it that have no
// key of their own, a value a package and all below it.
var mayImport = map[string][]string{
	"internal/files":   {},
	"internal/nearest": {},
	"internal/wait":    {},

	"pipeline/raster":       {},
	"pipeline":              {"internal/files", "internal/wait", "pipeline/raster", "pipeline/columns", "pipeline/internal"},
	"pipeline/columns":      {},
	"pipeline/internal":     {"pipeline/columns"},
	"pipeline/shards":       {"internal/files", "pipeline/raster", "pipeline"},
	"pipeline/storage":      {"internal/files", "internal/wait", "pipeline", "pipeline/shards"},
	"pipeline/view":         {"pipeline/raster", "pipeline"},
	"pipeline/pipelinetest": {"pipeline/raster", "pipeline"},

	"formats":          {"internal", "pipeline/raster", "pipeline", "formats/classmap", "formats/labels", "formats/layout", "formats/png"},
	"formats/classmap": {"internal", "pipeline/raster", "formats/labels", "formats/layout"},
	"formats/labels":   {"pipeline/raster", "formats/png"},
	"formats/layout":   {"internal", "pipeline/raster", "formats/labels"},
	"formats/open":     {"internal/files", "internal/wait", "pipeline", "formats", "formats/parquet"},
	"formats/parquet":  {"internal/files", "pipeline/raster", "pipeline/columns", "pipeline", "pipeline/shards", "formats/png"},
	"formats/png":      {"pipeline/raster"},
	"formats/stats":    {"internal/files", "pipeline/raster", "pipeline", "formats"},

	"augment":  {"internal/nearest", "pipeline/raster", "pipeline", "augment/internal"},
	"classmix": {"pipeline/raster", "pipeline"},
	"crops":    {"pipeline/raster", "pipeline", "augment"},

	// Whole jobs, from dataset files to shards, are made of the stages.
	"loader":     {"pipeline", "formats", "augment", "classmix", "crops"},
	"precompute": {"internal", "pipeline", "formats", "augment", "classmix", "crops", "loader"},
	"train":      {"internal", "pipeline", "formats", "augment", "classmix", "crops", "loader", "train"},

	// Within train: what a run is told knows no tensors; networks know no data; the
	// method asks networks, and what uses it or its checkpoints knows no run.
	"train/config":      {"internal", "formats/classmap"},
	"train/torch":       {},
	"train/optim":       {"train/nn", "train/torch", "train/weights/safetensors"},
	"train/loss":        {"pipeline/raster", "train/torch"},
	"train/eval":        {"pipeline/raster", "train/torch"},
	"train/nn":          {"train/torch", "train/weights/safetensors"},
	"train/uda":         {"pipeline/raster", "train/nn", "train/torch"},
	"train/model":       {"pipeline/raster", "train/nn", "train/torch"},
	"train/weights":     {"internal", "train/weights"},
	"train/network":     {"pipeline/raster", "train/config", "train/loss", "train/model", "train/nn", "train/torch", "train/uda", "train/weights"},
	"train/feed":        {"pipeline", "formats", "augment", "crops", "loader", "train/config"},
	"train/method":      {"pipeline", "train/config", "train/loss", "train/model", "train/network", "train/nn", "train/torch", "train/uda", "train/weights"},
	"train/checkpoint":  {"internal/files", "pipeline"},
	"train/tensorboard": {},
	"train/memory":      {"pipeline/raster", "train/config", "train/method", "train/network", "train/nn", "train/torch"},
	"train/logs":        {"internal/files", "pipeline", "train/checkpoint", "train/feed", "train/infer", "train/method", "train/tensorboard"},
	"train/panels":      {"internal/files", "pipeline", "train/feed"},
	"train/faults":      {"train/checkpoint", "train/method", "train/torch"},
	"train/rundir":      {"internal/files", "formats/stats", "train/checkpoint", "train/config", "train/infer", "train/logs", "train/panels"},
	"train/infer": {"internal/files", "pipeline", "formats", "augment", "loader",
		"train/config", "train/network", "train/checkpoint", "train/feed", "train/eval", "train/model", "train/nn", "train/torch", "train/weights"},

	"fixtures": {"internal", "pipeline", "formats"},
	// Reference tensors are read by the tests of what computes such tensors.
	"fixtures/golden": {"train/weights/safetensors"},
	"bench":           {"internal", "pipeline", "formats", "augment", "classmix", "crops", "loader", "precompute", "fixtures", "train"},
	"cmd":             {"internal", "pipeline", "formats", "augment", "classmix", "crops", "precompute", "fixtures", "train"},
}

// withoutArrow are the packages that link no part of Arrow, however far away: a
// loss needs no record batches.
var withoutArrow = []string{
	"internal", "pipeline/raster", "pipeline/columns", "formats/classmap", "formats/labels", "formats/layout", "formats/png",
	"train/config", "train/eval", "train/loss", "train/model", "train/network", "train/nn", "train/optim", "train/tensorboard", "train/torch", "train/uda", "train/weights",
}

// withoutTensors are packages of the trainer that link no tensors: they can be asked
// where there is no tensor library.
var withoutTensors = []string{"train/checkpoint", "train/config", "train/feed", "train/tensorboard", "train/weights"}

// importers says who may import other people's modules that one place is to hide.
var importers = map[string][]string{
	"github.com/apache/arrow/go":     {"pipeline", "formats/parquet"},
	"github.com/disintegration/gift": {"augment", "fixtures", "pipeline/view"},
	"github.com/ebitengine/purego":   {"train/torch"},
	"github.com/urfave/cli":          {"cmd"},
}

// listed is what "go list" says of a package.
type listed struct {
	ImportPath string
	GoFiles    []string
	Imports    []string
	Deps       []string // of Imports, and theirs
}

func list(t *testing.T) (packages []listed) {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,GoFiles,Imports,Deps", "./...").Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		t.Fatalf("go list: %s", exit.Stderr)
	} else if err != nil {
		t.Fatal(err)
	}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		p.ImportPath = strings.TrimPrefix(p.ImportPath, module)
		if len(p.GoFiles) > 0 { // else it has tests alone
			packages = append(packages, p)
		}
	}
}

// below reports whether a package is one of these, or lies in one.
func below(pkg string, of []string) bool {
	return slices.ContainsFunc(of, func(o string) bool { return pkg == o || strings.HasPrefix(pkg, o+"/") })
}

// rule is the key of mayImport that a package falls under.
func rule(pkg string) (key string, ok bool) {
	for key = pkg; ; key = key[:strings.LastIndexByte(key, '/')] {
		if _, ok := mayImport[key]; ok {
			return key, true
		}
		if !strings.Contains(key, "/") {
			return "", false
		}
	}
}

// TestImportsPointOneWay: the folders of the tree are its architecture.
func TestImportsPointOneWay(t *testing.T) {
	for _, p := range list(t) {
		// What supports tests may look sideways, as tests may.
		if strings.HasSuffix(p.ImportPath, "test") && !strings.HasPrefix(p.ImportPath, "pipeline/") {
			continue
		}
		key, known := rule(p.ImportPath)
		if !known {
			t.Errorf("%s is not in the architecture: give it a line in mayImport, and in docs/design.md", p.ImportPath)
			continue
		}
		for _, imported := range p.Imports {
			for other, homes := range importers {
				if (imported == other || strings.HasPrefix(imported, other+"/")) && !below(p.ImportPath, homes) {
					t.Errorf("%s imports %s, which only %v may", p.ImportPath, imported, homes)
				}
			}
			inside, ours := strings.CutPrefix(imported, module)
			if !ours {
				continue
			}
			theirs, _ := rule(inside)
			if theirs != key && !below(inside, mayImport[key]) {
				t.Errorf("%s imports %s: %s may import %v", p.ImportPath, inside, key, mayImport[key])
			}
		}
	}
}

// TestWhatIsLinked: imports of imports count too. Only what makes or reads record
// batches links Arrow, and nothing but the trainer, and what runs it, links tensors.
func TestWhatIsLinked(t *testing.T) {
	found := 0
	for _, p := range list(t) {
		if below(p.ImportPath, withoutArrow) {
			found++
			for _, d := range p.Deps {
				if strings.HasPrefix(d, "github.com/apache/arrow/go") {
					t.Errorf("%s links Arrow (%s)", p.ImportPath, d)
					break
				}
			}
		}
		if (!below(p.ImportPath, []string{"train", "cmd", "bench"}) || below(p.ImportPath, withoutTensors)) && slices.Contains(p.Deps, module+"train/torch") {
			t.Errorf("%s links train/torch: tensors belong to the rest of train", p.ImportPath)
		}
	}
	if found < len(withoutArrow) {
		t.Errorf("%d packages are known to link no Arrow, of at least %d: a name in withoutArrow is not a package", found, len(withoutArrow))
	}
}
