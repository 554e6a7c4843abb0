package columns

import (
	"fmt"
	"strings"
)

// A Kind is what a column's values are, apart from their layout.
type Kind uint8

// The kinds. Other is a type that nothing of pipa is kept in: its values are not
// looked at.
const (
	Other Kind = iota
	Null       // no row has a value
	Bool
	Int
	Float
	Text
	Bytes
	List
	Struct
)

// A Type is a column's type.
type Type struct {
	Kind   Kind
	Bits   int  // of Int and Float
	Signed bool // of Int
	// Size is the number of bytes of Bytes, or of elements of a List, that all have
	// the same; -1 where they vary.
	Size   int
	Wide   bool    // Text, Bytes and List with offsets of 64 bits
	View   bool    // Text and Bytes by views
	Fields []Field // of List, the element; of Struct and Other, the children
	Index  *Type   // of a dictionary's indices; nil where the values lie in the column
	Name   string  // of Other, as messages have it
}

// A Field is a named column.
type Field struct {
	Name     string
	Type     Type
	Metadata map[string]string
}

// String is the type as pyarrow names it.
func (t Type) String() string {
	if t.Index != nil {
		values := t
		values.Index = nil
		return fmt.Sprintf("dictionary<values=%v, indices=%v>", values, *t.Index)
	}
	wide := ""
	if t.Wide {
		wide = "large_"
	}
	view := ""
	if t.View {
		view = "_view"
	}
	switch t.Kind {
	case Null:
		return "null"
	case Bool:
		return "bool"
	case Int:
		if t.Signed {
			return fmt.Sprintf("int%d", t.Bits)
		}
		return fmt.Sprintf("uint%d", t.Bits)
	case Float:
		return map[int]string{16: "halffloat", 32: "float", 64: "double"}[t.Bits]
	case Text:
		return wide + "string" + view
	case Bytes:
		if t.Size >= 0 {
			return fmt.Sprintf("fixed_size_binary[%d]", t.Size)
		}
		return wide + "binary" + view
	case List:
		if t.Size >= 0 {
			return fmt.Sprintf("fixed_size_list<%v>[%d]", t.Fields[0].Type, t.Size)
		}
		return fmt.Sprintf("%slist<%v>", wide, t.Fields[0].Type)
	case Struct:
		parts := make([]string, len(t.Fields))
		for i, f := range t.Fields {
			parts[i] = f.Name + ": " + f.Type.String()
		}
		return "struct<" + strings.Join(parts, ", ") + ">"
	}
	return t.Name
}

// A Schema is a table's fields, and what is said of all of its rows.
type Schema struct {
	Fields   []Field
	Metadata map[string]string
}

// Field is the field of a name, nil where there is none or more than one.
func (s *Schema) Field(name string) (found *Field) {
	for i := range s.Fields {
		if s.Fields[i].Name == name {
			if found != nil {
				return nil
			}
			found = &s.Fields[i]
		}
	}
	return found
}

// A Table is rows of a schema. It has a column for each field that was asked for.
type Table struct {
	Rows    int
	Columns map[string]*Column
}
