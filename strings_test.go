package pipa_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// namingFlags are the packages, and those below them, whose strings may name flags
// and commands.
var namingFlags = []string{
	"cmd", "bench", // programs
}

// provenance are the strings that name a command as what made a file: they are data.
var provenance = []string{"pipa fixtures"}

// commandNames are the first words after pipa.
func commandNames(t *testing.T) (names []string) {
	t.Helper()
	sources, err := filepath.Glob("cmd/pipa/cmd_*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range sources {
		f, err := parser.ParseFile(token.NewFileSet(), source, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			literal, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			of, ok := literal.Type.(*ast.SelectorExpr)
			if !ok || of.Sel.Name != "Command" {
				return true
			}
			for _, e := range literal.Elts {
				field, ok := e.(*ast.KeyValueExpr)
				if !ok {
					continue
				}
				value, ok := field.Value.(*ast.BasicLit)
				if key, isName := field.Key.(*ast.Ident); ok && isName && key.Name == "Name" {
					name, err := strconv.Unquote(value.Value)
					if err != nil {
						t.Fatal(err)
					}
					names = append(names, name)
				}
			}
			return true
		})
	}
	if !slices.Contains(names, "read") || !slices.Contains(names, "doctor") {
		t.Fatalf("the commands are %q: not all were found", names)
	}
	return names
}

// TestLibrariesKnowNoFlags: what a user may do about an error depends on the
// program. Libraries return typed errors, and cmd/pipa/hints.go names the flag.
func TestLibrariesKnowNoFlags(t *testing.T) {
	naming := regexp.MustCompile(`(^|[^-\w])--[a-z]|\bpipa (` + strings.Join(commandNames(t), "|") + `)\b`)
	for _, p := range list(t) {
		if below(p.ImportPath, namingFlags) {
			continue
		}
		for _, name := range p.GoFiles {
			name = filepath.Join(filepath.FromSlash(p.ImportPath), name)
			set := token.NewFileSet()
			f, err := parser.ParseFile(set, name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				literal, ok := n.(*ast.BasicLit)
				if !ok || literal.Kind != token.STRING {
					return true
				}
				text, err := strconv.Unquote(literal.Value)
				if err != nil {
					t.Fatal(err)
				}
				markup := strings.HasPrefix(text, "<") // its custom properties look like flags
				if naming.MatchString(text) && !markup && !slices.Contains(provenance, text) {
					t.Errorf("%s: %q names a flag or a command: return a typed error, and name it in cmd/pipa/hints.go", set.Position(literal.Pos()), text)
				}
				return true
			})
		}
	}
}
