package classmap

import (
	"fmt"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// PlainYAML refuses YAML that costs more to parse than its length tells: texts
// that are long or nested deeply, and anchors, aliases and tags, which neither
// class maps nor configurations need.
func PlainYAML(text []byte) error {
	if len(text) > maxMapBytes {
		return fmt.Errorf("it has %d bytes, the limit is %d", len(text), maxMapBytes)
	}
	if err := refuseNesting(text); err != nil {
		return err
	}
	return refuseAliases(text)
}

// maxNesting is far beyond the five levels of a class map.
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

// refuseAliases keeps small texts from standing for large ones.
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
			v.err = fmt.Errorf("line %d: anchors, aliases and tags are not read: write the value out", n.GetToken().Position.Line)
		}
		return nil
	}
	return v
}
