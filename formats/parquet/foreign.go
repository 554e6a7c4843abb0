package parquet

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/apache/arrow/go/v15/arrow/memory"
	arrowparquet "github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/file"
	"github.com/apache/arrow/go/v15/parquet/schema"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/columns"
)

// A foreign is a Parquet file that another program wrote, read row group by row
// group, some rows at a time. It implements [pipeline.Tables].
type foreign struct {
	r      *file.Reader
	data   []byte
	schema columns.Schema
	leaves []foreignLeaf

	group int // the next row group
	left  int64
	open  []*leafReader // of the row group that is being read, as leaves
	held  int64         // bytes of its pages
	names []string
	pool  sync.Pool
}

// foreignLeaf is a leaf's place among the fields.
type foreignLeaf struct {
	leafType
	field int // of the schema
	child int // of a struct; -1 where the field is the leaf
}

// Tables reads a Parquet file in memory that any program may have written, and says
// how many rows it has. What it yields is a view into data.
func Tables(data []byte) (pipeline.Tables, int, error) {
	f, err := openForeign(data)
	if err != nil {
		return nil, 0, err
	}
	return f, int(f.r.NumRows()), nil
}

// openForeign reads the schema of a Parquet file in memory.
func openForeign(data []byte) (f *foreign, err error) {
	defer recovered(&err)
	if err := checkFooter(data); err != nil {
		return nil, err
	}
	f = &foreign{data: data, pool: newPool()}
	if f.r, err = file.NewParquetReader(bytes.NewReader(data)); err != nil {
		return nil, err
	}
	m := f.r.MetaData()
	if m.IsSetEncryptionAlgorithm() {
		return nil, fmt.Errorf("it is encrypted")
	}
	f.schema.Metadata = map[string]string{}
	for _, kv := range m.KeyValueMetadata() {
		f.schema.Metadata[kv.GetKey()] = kv.GetValue()
	}
	rows := int64(0)
	for i := range m.RowGroups {
		n := m.RowGroup(i).NumRows()
		if n < 0 || m.RowGroup(i).NumColumns() != m.Schema.NumColumns() {
			return nil, fmt.Errorf("row group %d has %d rows and %d columns", i, n, m.RowGroup(i).NumColumns())
		}
		rows += n
	}
	if rows != m.GetNumRows() {
		return nil, fmt.Errorf("its row groups have %d rows, it declares %d", rows, m.GetNumRows())
	}
	root := m.Schema.Root()
	for i := range root.NumFields() {
		f.field(root.Field(i), m.Schema)
	}
	f.annotate()
	return f, nil
}

// newPool makes a pool of the buffers that Arrow's column readers take.
func newPool() sync.Pool {
	return sync.Pool{New: func() any { return memory.NewResizableBuffer(memory.DefaultAllocator) }}
}

// annotate takes from the schema that Arrow's libraries keep in the metadata what
// Parquet has no types for: the shapes of tensors, and lists of one size.
func (f *foreign) annotate() {
	message, err := base64.StdEncoding.DecodeString(f.schema.Metadata["ARROW:schema"])
	if err != nil || len(message) == 0 {
		return
	}
	s, err := pipeline.ParseSchema(message)
	if err != nil {
		return // it is for others
	}
	for i := range f.schema.Fields {
		to := &f.schema.Fields[i]
		if from := s.Field(to.Name); from != nil && from.Type.Kind == columns.List && to.Type.Kind == columns.List {
			to.Type.Size, to.Metadata = from.Type.Size, from.Metadata
		}
	}
}

// field adds a field of the root and its leaves.
func (f *foreign) field(n schema.Node, s *schema.Schema) {
	out := columns.Field{Name: n.Name(), Type: columns.Type{Kind: columns.Other, Name: "a group"}}
	at := len(f.schema.Fields)
	nullable := n.RepetitionType() == arrowparquet.Repetitions.Optional
	var found []*schema.Column
	for i := range s.NumColumns() {
		if s.ColumnRoot(i) == n {
			found = append(found, s.Column(i))
		}
	}
	group, isGroup := n.(*schema.GroupNode)
	switch {
	case len(found) == 1 && found[0].MaxRepetitionLevel() > 0:
		l := leafType{descr: found[0], typ: typeOf(found[0]), list: true, slot: slotOf(found[0]), nullable: nullable}
		out.Type = columns.Type{Kind: columns.List, Size: -1, Wide: true, Fields: []columns.Field{{Name: "element", Type: l.typ}}}
		f.leaves = append(f.leaves, foreignLeaf{l, at, -1})
	case !isGroup && len(found) == 1:
		l := leafType{descr: found[0], typ: typeOf(found[0])}
		out.Type = l.typ
		f.leaves = append(f.leaves, foreignLeaf{l, at, -1})
	case isGroup && group.NumFields() == len(found):
		fields := make([]columns.Field, len(found))
		for i, c := range found {
			if c.MaxRepetitionLevel() > 0 {
				f.schema.Fields = append(f.schema.Fields, out)
				return
			}
			fields[i] = columns.Field{Name: c.Name(), Type: typeOf(c)}
		}
		out.Type = columns.Type{Kind: columns.Struct, Fields: fields}
		for i, c := range found {
			f.leaves = append(f.leaves, foreignLeaf{leafType{descr: c, typ: fields[i].Type}, at, i})
		}
	}
	f.schema.Fields = append(f.schema.Fields, out)
}

// slotOf is the definition level at which an element of the innermost list is
// there, null or not.
func slotOf(c *schema.Column) (level int16) {
	level = c.MaxDefinitionLevel()
	for n := c.SchemaNode(); n != nil && n.RepetitionType() != arrowparquet.Repetitions.Repeated; n = n.Parent() {
		if n.RepetitionType() == arrowparquet.Repetitions.Optional {
			level--
		}
	}
	return level
}

// typeOf is the type of a leaf's values.
func typeOf(c *schema.Column) columns.Type {
	bits := map[arrowparquet.Type]int{arrowparquet.Types.Int32: 32, arrowparquet.Types.Int64: 64}[c.PhysicalType()]
	logical := c.LogicalType()
	plain := logical == nil || logical.IsNone() || !logical.IsValid()
	other := columns.Type{Kind: columns.Other, Name: c.PhysicalType().String()}
	if !plain {
		other.Name = logical.String()
	}
	if _, null := logical.(schema.NullLogicalType); null {
		return columns.Type{Kind: columns.Null}
	}
	switch c.PhysicalType() {
	case arrowparquet.Types.Boolean:
		return columns.Type{Kind: columns.Bool}
	case arrowparquet.Types.Int32, arrowparquet.Types.Int64:
		i, ok := logical.(*schema.IntLogicalType) // as it is read, and as it is made
		if v, made := logical.(schema.IntLogicalType); made {
			i, ok = &v, true
		}
		if ok {
			return columns.Type{Kind: columns.Int, Bits: int(i.BitWidth()), Signed: i.IsSigned()}
		}
		if plain {
			return columns.Type{Kind: columns.Int, Bits: bits, Signed: true}
		}
	case arrowparquet.Types.Float:
		return columns.Type{Kind: columns.Float, Bits: 32}
	case arrowparquet.Types.Double:
		return columns.Type{Kind: columns.Float, Bits: 64}
	case arrowparquet.Types.ByteArray:
		switch logical.(type) {
		case schema.StringLogicalType, schema.EnumLogicalType, schema.JSONLogicalType:
			return columns.Type{Kind: columns.Text, Size: -1, View: true}
		}
		if plain {
			return columns.Type{Kind: columns.Bytes, Size: -1, View: true}
		}
	case arrowparquet.Types.FixedLenByteArray:
		if plain {
			return columns.Type{Kind: columns.Bytes, Size: c.TypeLength()}
		}
	}
	return other
}

// Schema implements pipeline.Tables.
func (f *foreign) Schema() columns.Schema { return f.schema }

// Rewind implements pipeline.Tables.
func (f *foreign) Rewind() bool {
	f.group, f.left, f.open, f.held = 0, 0, nil, 0
	return true
}

// What a part has at most: rows of raw pixels are large, others few bytes.
const (
	partRows  = 64
	partBytes = 32 << 20
)

// Next implements pipeline.Tables.
func (f *foreign) Next(names []string) (t columns.Table, err error) {
	defer recovered(&err)
	for f.left == 0 {
		if f.group == f.r.NumRowGroups() {
			return t, io.EOF
		}
		if err := f.begin(names); err != nil {
			return t, fmt.Errorf("row group %d: %w", f.group, err)
		}
		f.group++
	}
	size := 0
	for t.Rows < partRows && size < partBytes && f.left > 0 {
		for i, r := range f.open {
			if r == nil {
				continue
			}
			n, err := r.row()
			if err != nil {
				return t, fmt.Errorf("row group %d: column %s: %w", f.group-1, f.schema.Fields[f.leaves[i].field].Name, err)
			}
			size += n
		}
		t.Rows++
		f.left--
	}
	return f.table(t.Rows)
}

// begin opens the leaves of the next row group that are asked for.
func (f *foreign) begin(names []string) error {
	m := f.r.MetaData().RowGroup(f.group)
	f.left, f.held, f.names = m.NumRows(), 0, names
	f.open = make([]*leafReader, len(f.leaves))
	for i, l := range f.leaves {
		if !slices.Contains(names, f.schema.Fields[l.field].Name) || l.typ.Kind == columns.Other || l.typ.Kind == columns.Null {
			continue
		}
		at := f.r.MetaData().Schema.ColumnIndexByNode(l.descr.SchemaNode())
		chunk, err := m.ColumnChunk(at)
		if err != nil {
			return err
		}
		p, err := newPages(f.data, l.descr, chunk, &f.held)
		if err == nil {
			f.open[i], err = l.reader(p, &f.pool)
		}
		if err != nil {
			return fmt.Errorf("column %s: %w", f.schema.Fields[l.field].Name, err)
		}
	}
	return nil
}

// table is the rows that the leaves have read.
func (f *foreign) table(rows int) (columns.Table, error) {
	t := columns.Table{Rows: rows, Columns: map[string]*columns.Column{}}
	for i, r := range f.open {
		if r == nil {
			continue
		}
		l := f.leaves[i]
		field := &f.schema.Fields[l.field]
		c := r.take()
		if l.child >= 0 {
			parent := t.Columns[field.Name]
			if parent == nil {
				parent = &columns.Column{Type: &field.Type, Len: rows, Children: make([]*columns.Column, len(field.Type.Fields))}
				t.Columns[field.Name] = parent
			}
			parent.Children[l.child] = c
			continue
		}
		t.Columns[field.Name] = c
	}
	for name, c := range t.Columns {
		for i, child := range c.Children {
			if child == nil { // of a type that nothing looks at
				c.Children[i] = &columns.Column{Type: &c.Type.Fields[i].Type, Len: rows}
			}
		}
		if err := c.Check(); err != nil {
			return t, fmt.Errorf("column %s: %w", name, err)
		}
	}
	return t, nil
}
