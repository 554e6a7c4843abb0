package arrowio

import (
	"fmt"

	flatbuffers "github.com/google/flatbuffers/go"
	"github.com/pipa-uda/pipa/pipeline/columns"
)

// The values of Schema.fbs's Type union.
const (
	typeNull            = 1
	typeInt             = 2
	typeFloatingPoint   = 3
	typeBinary          = 4
	typeUtf8            = 5
	typeBool            = 6
	typeDecimal         = 7
	typeDate            = 8
	typeTime            = 9
	typeTimestamp       = 10
	typeInterval        = 11
	typeList            = 12
	typeStruct          = 13
	typeUnion           = 14
	typeFixedSizeBinary = 15
	typeFixedSizeList   = 16
	typeMap             = 17
	typeDuration        = 18
	typeLargeBinary     = 19
	typeLargeUtf8       = 20
	typeLargeList       = 21
	typeRunEndEncoded   = 22
	typeBinaryView      = 23
	typeUtf8View        = 24
	typeListView        = 25
	typeLargeListView   = 26
)

// What a schema may hold. Entries may share their bytes, so that those do not
// bound them.
const (
	maxFields = 4096 // of all depths
	maxDepth  = 16
)

// vector is the start and length of a table's vector of tables. The length is
// bounded by the bytes there are: Arrow's own parser allocates what it says.
func vector(t *flatbuffers.Table, slot int) (at flatbuffers.UOffsetT, n int, err error) {
	o := t.Offset(flatbuffers.VOffsetT(4 + 2*slot))
	if o == 0 {
		return 0, 0, nil
	}
	at, n = t.Vector(flatbuffers.UOffsetT(o)), t.VectorLen(flatbuffers.UOffsetT(o))
	if n < 0 || n > (len(t.Bytes)-int(at))/4 {
		return 0, 0, fmt.Errorf("a list of %d entries", n)
	}
	return at, n, nil
}

// element is the i-th table of a vector.
func element(t *flatbuffers.Table, at flatbuffers.UOffsetT, i int) flatbuffers.Table {
	return flatbuffers.Table{Bytes: t.Bytes, Pos: t.Indirect(at + flatbuffers.UOffsetT(4*i))}
}

func integer(t *flatbuffers.Table, slot int) int32 {
	if at := field(t, slot); at != 0 {
		return t.GetInt32(at)
	}
	return 0
}

// A schemaParser reads a Schema with bounds on all of it, since its entries may
// share their bytes.
type schemaParser struct{ fields, bytes int }

// text reads a string of a table.
func (p *schemaParser) text(t *flatbuffers.Table, slot int) (string, error) {
	at := field(t, slot)
	if at == 0 {
		return "", nil
	}
	b := t.ByteVector(at)
	if p.bytes -= len(b); p.bytes < 0 {
		return "", fmt.Errorf("its metadata has more than its %d bytes", len(t.Bytes))
	}
	return string(b), nil
}

// keyValues reads a table's custom metadata.
func (p *schemaParser) keyValues(t *flatbuffers.Table, slot int) (map[string]string, error) {
	at, n, err := vector(t, slot)
	if err != nil || n == 0 {
		return nil, err
	}
	m := map[string]string{}
	for i := range n {
		kv := element(t, at, i)
		key, err := p.text(&kv, 0)
		if err != nil {
			return nil, err
		}
		if m[key], err = p.text(&kv, 1); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// A shape is a field, and how its columns lie in a record batch.
type shape struct {
	columns.Field
	buffers    int  // of the column itself
	variadic   bool // then as many more as the batch says
	children   []shape
	dictionary int64 // the id, where the type has an index
}

// parseSchema reads a Schema.
func parseSchema(t flatbuffers.Table) (shapes []shape, metadata map[string]string, err error) {
	defer guard(&err)
	if at := field(&t, 0); at != 0 && t.GetInt16(at) != 0 {
		return nil, nil, fmt.Errorf("it is big-endian")
	}
	p := schemaParser{fields: maxFields, bytes: len(t.Bytes)}
	if metadata, err = p.keyValues(&t, 2); err != nil {
		return nil, nil, err
	}
	shapes, err = p.children(&t, 1, 0)
	return shapes, metadata, err
}

func (p *schemaParser) children(t *flatbuffers.Table, slot, depth int) ([]shape, error) {
	at, n, err := vector(t, slot)
	if err != nil {
		return nil, err
	}
	if p.fields -= n; p.fields < 0 || depth > maxDepth {
		return nil, fmt.Errorf("it has more than %d columns, or more than %d in one another", maxFields, maxDepth)
	}
	shapes := make([]shape, n)
	for i := range shapes {
		f := element(t, at, i)
		if shapes[i], err = p.shape(&f, depth); err != nil {
			return nil, err
		}
	}
	return shapes, nil
}

func (p *schemaParser) shape(t *flatbuffers.Table, depth int) (s shape, err error) {
	if s.Name, err = p.text(t, 0); err != nil {
		return s, err
	}
	if s.Metadata, err = p.keyValues(t, 6); err != nil {
		return s, fmt.Errorf("column %q: %w", s.Name, err)
	}
	if s.children, err = p.children(t, 5, depth+1); err != nil {
		return s, err
	}
	var kind byte
	if at := field(t, 2); at != 0 {
		kind = t.GetByte(at)
	}
	inner, _ := subtable(t, 3)
	s.Type, s.buffers = parseType(kind, &inner)
	s.variadic = kind == typeBinaryView || kind == typeUtf8View
	for _, c := range s.children {
		s.Type.Fields = append(s.Type.Fields, c.Field)
	}
	if list := s.Type.Kind == columns.List; list && len(s.children) != 1 || !list && s.Type.Kind != columns.Struct && s.Type.Kind != columns.Other && len(s.children) > 0 {
		return s, fmt.Errorf("column %q of type %d has %d children", s.Name, kind, len(s.children))
	}
	if d, ok := subtable(t, 4); ok {
		index := columns.Type{Kind: columns.Int, Bits: 32, Signed: true}
		if i, ok := subtable(&d, 1); ok {
			index, _ = parseType(typeInt, &i)
		}
		if at := field(&d, 0); at != 0 {
			s.dictionary = d.GetInt64(at)
		}
		if index.Kind != columns.Int {
			return s, fmt.Errorf("column %q has a dictionary of %d-bit indices", s.Name, index.Bits)
		}
		s.Type.Index = &index
	}
	return s, nil
}

// parseType reads a type, but for its children, and says how many buffers its
// columns have (the format's "Buffer Listing for Each Layout").
func parseType(kind byte, t *flatbuffers.Table) (columns.Type, int) {
	other := func(name string, buffers int) (columns.Type, int) {
		return columns.Type{Kind: columns.Other, Name: name}, buffers
	}
	switch kind {
	case typeNull:
		return columns.Type{Kind: columns.Null}, 0
	case typeInt:
		bits, signed := int(integer(t, 0)), false
		if at := field(t, 1); at != 0 {
			signed = t.GetBool(at)
		}
		if bits != 8 && bits != 16 && bits != 32 && bits != 64 {
			return other("int", 2)
		}
		return columns.Type{Kind: columns.Int, Bits: bits, Signed: signed}, 2
	case typeFloatingPoint:
		precision := int16(0)
		if at := field(t, 0); at != 0 {
			precision = t.GetInt16(at)
		}
		if precision < 0 || precision > 2 {
			return other("float", 2)
		}
		return columns.Type{Kind: columns.Float, Bits: 16 << precision}, 2
	case typeBool:
		return columns.Type{Kind: columns.Bool}, 2
	case typeUtf8, typeLargeUtf8:
		return columns.Type{Kind: columns.Text, Size: -1, Wide: kind == typeLargeUtf8}, 3
	case typeBinary, typeLargeBinary:
		return columns.Type{Kind: columns.Bytes, Size: -1, Wide: kind == typeLargeBinary}, 3
	case typeUtf8View:
		return columns.Type{Kind: columns.Text, Size: -1, View: true}, 2
	case typeBinaryView:
		return columns.Type{Kind: columns.Bytes, Size: -1, View: true}, 2
	case typeFixedSizeBinary:
		return columns.Type{Kind: columns.Bytes, Size: max(0, int(integer(t, 0)))}, 2
	case typeList, typeLargeList:
		return columns.Type{Kind: columns.List, Size: -1, Wide: kind == typeLargeList}, 2
	case typeFixedSizeList:
		return columns.Type{Kind: columns.List, Size: max(0, int(integer(t, 0)))}, 1
	case typeStruct:
		return columns.Type{Kind: columns.Struct}, 1
	case typeMap:
		return other("map", 2)
	case typeUnion:
		if at := field(t, 0); at != 0 && t.GetInt16(at) == 1 {
			return other("dense_union", 2)
		}
		return other("sparse_union", 1)
	case typeRunEndEncoded:
		return other("run_end_encoded", 0)
	case typeListView, typeLargeListView:
		return other("list_view", 3)
	}
	names := map[byte]string{typeDecimal: "decimal", typeDate: "date", typeTime: "time", typeTimestamp: "timestamp", typeInterval: "interval", typeDuration: "duration"}
	name, ok := names[kind]
	if !ok {
		name = fmt.Sprintf("type %d", kind)
	}
	return other(name, 2)
}
