package folder

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/pipa-uda/pipa/pipeline"
)

// file is a map as its YAML has it.
type file struct {
	Name    string           `yaml:"name"`
	Root    string           `yaml:"root"`
	Labels  string           `yaml:"labels"`
	Classes []class          `yaml:"classes"`
	Ignore  ignored          `yaml:"ignore"`
	Splits  map[string]Split `yaml:"splits"`
}

type class struct {
	Name    string  `yaml:"name"`
	ID      *int    `yaml:"id"`
	IDs     []int   `yaml:"ids"`
	Colour  []int   `yaml:"colour"`
	Colours [][]int `yaml:"colours"`
}

// keys are those of a map's YAML on all levels, for "did you mean".
var keys = []string{"name", "root", "labels", "classes", "ignore", "splits", "id", "ids", "colour", "colours", "images"}

// decode decodes a map strictly.
func decode(text []byte) (f file, err error) {
	if err := refuseNesting(text); err != nil {
		return f, err
	}
	if err := refuseAliases(text); err != nil {
		return f, err
	}
	err = yaml.UnmarshalWithOptions(text, &f, yaml.Strict())
	if unknown := (*yaml.UnknownFieldError)(nil); errors.As(err, &unknown) {
		key := unknown.Token.Value
		return f, fmt.Errorf("line %d: unknown key %s: did you mean %s?", unknown.Token.Position.Line, key, pipeline.Nearest(key, keys))
	}
	return f, err
}

// ignored is the word "others", or a list of ids, or of colours.
type ignored struct {
	others  bool
	ids     []int
	colours [][]int
}

// UnmarshalYAML implements yaml.InterfaceUnmarshaler.
func (g *ignored) UnmarshalYAML(unmarshal func(any) error) error {
	var word string
	if unmarshal(&word) == nil {
		if g.others = word == "others"; !g.others {
			return fmt.Errorf("ignore is %q, want a list of values, or the word others", word)
		}
		return nil
	}
	if unmarshal(&g.ids) == nil {
		return nil
	}
	if g.ids = nil; unmarshal(&g.colours) == nil {
		return nil
	}
	return errors.New("ignore wants a list of ids, a list of [red, green, blue], or the word others")
}

// maxNesting is far beyond a map's five levels.
const maxNesting = 64

// refuseNesting keeps the YAML parser from texts whose nesting takes it the
// square of their length. It looks at brackets, and at dashes that lines begin
// with, and need not know what stands in quotes.
func refuseNesting(text []byte) error {
	brackets, dashes, begins := 0, 0, true
	for _, c := range text {
		switch c {
		case '[', '{':
			brackets++
		case ']', '}':
			brackets = max(brackets-1, 0)
		case '\n', '\r':
			dashes, begins = 0, true
			continue
		case '-', '?':
			if begins {
				dashes++
			}
		}
		if begins = begins && (c == '-' || c == '?' || c == ' ' || c == '\t'); max(brackets, dashes) > maxNesting {
			return fmt.Errorf("it nests more than %d lists or mappings", maxNesting)
		}
	}
	return nil
}

// refuseAliases keeps small texts from standing for large ones: a map needs no
// YAML anchors.
func refuseAliases(text []byte) error {
	doc, err := parser.ParseBytes(text, 0)
	if err != nil {
		return err
	}
	var v aliases
	for _, d := range doc.Docs {
		if d.Body != nil {
			ast.Walk(&v, d.Body)
		}
	}
	if len(doc.Docs) > 1 {
		return fmt.Errorf("it holds %d YAML documents, want one", len(doc.Docs))
	}
	return v.err
}

type aliases struct{ err error }

func (v *aliases) Visit(n ast.Node) ast.Visitor {
	switch n.(type) {
	case *ast.AliasNode, *ast.AnchorNode, *ast.TagNode, *ast.MergeKeyNode:
		if v.err == nil {
			v.err = fmt.Errorf("line %d: anchors, aliases and tags are not for class maps: write the value out", n.GetToken().Position.Line)
		}
		return nil
	}
	return v
}
