package pipa_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/fixtures/checkout"
)

// A change is one of docs/extending.md, a patch in docs/extending.
type change struct {
	name  string
	tests [][]string // of go test: packages, and a pattern of tests
	// wrong are mistakes beside forgetting: what the patch says, and says then.
	wrong [][2]string
}

var changes = []change{
	{"dataset", [][]string{
		{"./formats", "^TestEveryLayoutIsWhole$|^TestWhatValuesMean$"},
		{"./cmd/pipa", "^TestThePageOfDatasetsIsMade$"},
	}, nil},
	{"encoder", [][]string{{"./train/network", "^TestEveryEncoderKeepsItsContract$/^convnext-tiny$"}}, [][2]string{
		{"Strides: []int{4, 8, 16, 32}, Multiple", "Strides: []int{4, 8, 16, 16}, Multiple"},
		{`Sub("downsample_layers")`, `Sub("downsample")`},
	}},
	{"augmentation", [][]string{
		{"./augment", "^TestSolarize$|^TestEveryNumberOfTheOptionsIsChecked$"},
		{"./precompute", "^TestANewOptionLeavesOldPlansAsTheyAre$|^TestTheTextOfDefaultOptions$"},
		{"./cmd/pipa", "^TestEveryOptionHasAFlag$"},
	}, [][2]string{{`json:"solarize,omitempty"`, `json:"solarize"`}}},
	{"loss", [][]string{
		{"./train/method", "^TestEveryLossReachesWhatItTrains$/^(focal|nothing_but_DACS)$|^TestEveryTermIsDocumented$"},
		{"./train/config", "^TestNumbersAreFinite$|^TestTheReferenceExplainsEveryKey$|^TestPresetsStayAsPublished$"},
	}, [][2]string{{`yaml:"focal,omitempty"`, `yaml:"focal"`}}},
}

// TestTheExamplesOfExtending applies the changes that docs/extending.md shows to
// this tree, and compares the table there with the places that they touch. Without
// -short each is also built, and tested: whole, where the tests that it names pass;
// and without each of its places, and with each mistake, where they fail.
func TestTheExamplesOfExtending(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("docs", "extending.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("docs", "extending", c.name+".patch"))
			if err != nil {
				t.Fatal(err)
			}
			hunks := split(string(text))
			places := slices.DeleteFunc(slices.Clone(hunks), func(h hunk) bool { return h.ownTest })
			if row := fmt.Sprintf("| %d |\n", len(places)); !bytes.Contains(page, []byte(row)) || !bytes.Contains(page, []byte("(extending/"+c.name+".patch)")) {
				t.Errorf("docs/extending.md lacks a row that ends with %q, or the patch", row)
			}
			for _, h := range places {
				if !bytes.Contains(page, []byte("`"+h.file+"`")) {
					t.Errorf("docs/extending.md does not name %s", h.file)
				}
			}
			tree := copyTree(t)
			apply(t, tree, hunks, false)
			if testing.Short() {
				return
			}
			if out, err := goIn(t, tree, "build", "-trimpath", "./..."); err != nil {
				t.Fatalf("it does not build: %v\n%s", err, out)
			}
			if out, err := c.test(t, tree, "vet", "-trimpath"); err != nil {
				t.Fatalf("vet: %v\n%s", err, out)
			}
			if out, err := c.test(t, tree, "test", "-trimpath"); err != nil {
				t.Fatalf("its tests fail: %v\n%s", err, out)
			}
			apply(t, tree, hunks, true)
			fails := func(what string, hunks []hunk) {
				apply(t, tree, hunks, false)
				out, err := c.test(t, tree, "test", "-trimpath")
				if err == nil {
					t.Errorf("%s: no test fails", what)
				}
				t.Logf("%s: %s", what, firstFailure(out))
				apply(t, tree, hunks, true)
			}
			for i, h := range hunks {
				if !h.ownTest {
					fails("without "+h.file+" "+h.where(), slices.Delete(slices.Clone(hunks), i, i+1))
				}
			}
			for _, w := range c.wrong {
				if !strings.Contains(string(text), w[0]) {
					t.Fatalf("the patch does not have %s", w[0])
				}
				fails(w[1], split(strings.ReplaceAll(string(text), w[0], w[1])))
			}
		})
	}
}

// A hunk is one place that a patch touches.
type hunk struct {
	file    string
	header  string // of the file
	text    string
	ownTest bool // a new file of tests, of the change alone
}

func (h hunk) where() string { where, _, _ := strings.Cut(h.text, "\n"); return where }

func split(patch string) (hunks []hunk) {
	for _, part := range strings.SplitAfter("\n"+patch, "\ndiff --git ")[1:] {
		part = "diff --git " + strings.TrimSuffix(part, "\ndiff --git ")
		pieces := strings.Split(part, "\n@@ ")
		_, file, _ := strings.Cut(pieces[0], " b/")
		file, _, _ = strings.Cut(file, "\n")
		created := strings.Contains(pieces[0], "\nnew file mode ")
		for _, p := range pieces[1:] {
			hunks = append(hunks, hunk{file, pieces[0], "@@ " + strings.TrimSuffix(p, "\n"), created && strings.HasSuffix(file, "_test.go")})
		}
	}
	return hunks
}

// apply applies hunks to a tree, or takes them back.
func apply(t *testing.T, tree string, hunks []hunk, back bool) {
	t.Helper()
	var patch strings.Builder
	header := ""
	for _, h := range hunks {
		if h.header != header {
			header = h.header
			patch.WriteString(header + "\n")
		}
		patch.WriteString(h.text + "\n")
	}
	cmd := exec.Command("git", "apply", "--recount", "-C2")
	if back {
		cmd.Args = append(cmd.Args, "-R")
	}
	cmd.Dir, cmd.Stdin = tree, strings.NewReader(patch.String())
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the patch does not apply to this tree: make the change anew, as docs/extending.md says: %v\n%s", err, out)
	}
}

// copyTree copies the module, but for what is built or fetched.
func copyTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	err := filepath.WalkDir(".", func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			if slices.Contains([]string{".git", "bin", "build", "dist", "demo"}, path) || e.Name() == "node_modules" {
				return filepath.SkipDir
			}
			return os.MkdirAll(filepath.Join(dir, path), 0o755)
		}
		if !e.Type().IsRegular() {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, path), data, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// test runs go vet or go test on what a change touches.
func (c change) test(t *testing.T, tree string, args ...string) (out []byte, err error) {
	t.Helper()
	for _, p := range c.tests {
		all := append(slices.Clone(args), p[0])
		if args[0] == "test" {
			all = append(all, "-run", p[1])
		}
		more, failed := goIn(t, tree, all...)
		if out = append(out, more...); failed != nil {
			return out, failed
		}
	}
	return out, nil
}

func goIn(t *testing.T, tree string, args ...string) ([]byte, error) {
	t.Helper()
	cmd := exec.Command("go", args...)
	backend, err := checkout.Backend() // which the tests look for above their own folders
	if err != nil {
		t.Fatal(err)
	}
	cmd.Dir, cmd.Env = tree, append(os.Environ(), "PIPA_TORCH="+backend)
	return cmd.CombinedOutput()
}

// firstFailure is the line that says what is wrong.
func firstFailure(out []byte) string {
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, ".go:") {
			return strings.TrimSpace(line)
		}
	}
	return strings.TrimSpace(string(out))
}
