package arrowio

import (
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"
	flatbuffers "github.com/google/flatbuffers/go"
)

// The values of Schema.fbs's Type union.
const (
	typeInt           = 2
	typeFloatingPoint = 3
	typeBinary        = 4
	typeUtf8          = 5
	typeBool          = 6
	typeList          = 12
	typeFixedSizeList = 16
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

func text(t *flatbuffers.Table, slot int) string {
	if at := field(t, slot); at != 0 {
		return string(t.ByteVector(at))
	}
	return ""
}

func integer(t *flatbuffers.Table, slot int) int32 {
	if at := field(t, slot); at != 0 {
		return t.GetInt32(at)
	}
	return 0
}

// keyValues reads a table's custom metadata.
func keyValues(t *flatbuffers.Table, slot int) (map[string]string, error) {
	at, n, err := vector(t, slot)
	if err != nil {
		return nil, err
	}
	m := map[string]string{}
	left := len(t.Bytes) // of the texts: entries may all point at one
	for i := range n {
		kv := element(t, at, i)
		for slot := range 2 {
			if at := field(&kv, slot); at != 0 {
				left -= len(kv.ByteVector(at))
			}
		}
		if left < 0 {
			return nil, fmt.Errorf("its metadata has more than its %d bytes", len(t.Bytes))
		}
		m[text(&kv, 0)] = text(&kv, 1)
	}
	return m, nil
}

// schemaMetadata reads the metadata of a Schema.
func schemaMetadata(t flatbuffers.Table) (m map[string]string, err error) {
	defer guard(&err)
	if at := field(&t, 0); at != 0 && t.GetInt16(at) != 0 {
		return nil, fmt.Errorf("it is big-endian")
	}
	return keyValues(&t, 2)
}

// matchSchema checks that a Schema has the fields of want.
func matchSchema(t flatbuffers.Table, want *arrow.Schema) (err error) {
	defer guard(&err)
	at, n, err := vector(&t, 1)
	if err != nil {
		return err
	}
	if n != len(want.Fields()) {
		return fmt.Errorf("the stream has %d columns, want %d", n, len(want.Fields()))
	}
	for i, f := range want.Fields() {
		if err := matchField(element(&t, at, i), f, true); err != nil {
			return fmt.Errorf("column %d: %w", i, err)
		}
	}
	return nil
}

func matchField(t flatbuffers.Table, want arrow.Field, top bool) error {
	name := text(&t, 0)
	nullable := false
	if at := field(&t, 1); at != 0 {
		nullable = t.GetBool(at)
	}
	if top && name != want.Name {
		return fmt.Errorf("it is named %q, want %q", name, want.Name)
	}
	if nullable && !want.Nullable {
		return fmt.Errorf("%s is nullable", want.Name)
	}
	if want.HasMetadata() {
		m, err := keyValues(&t, 6)
		if err != nil {
			return err
		}
		for i, k := range want.Metadata.Keys() {
			if m[k] != want.Metadata.Values()[i] {
				return fmt.Errorf("%s has %s %q, want %q", want.Name, k, m[k], want.Metadata.Values()[i])
			}
		}
	}
	var kind byte
	if at := field(&t, 2); at != 0 {
		kind = t.GetByte(at)
	}
	inner, _ := subtable(&t, 3)
	dictionary, hasDictionary := subtable(&t, 4)
	if _, wants := want.Type.(*arrow.DictionaryType); wants != hasDictionary {
		return fmt.Errorf("%s: a dictionary where there should be none, or none where one should be", want.Name)
	}
	ok := false
	var child *arrow.Field
	switch w := want.Type.(type) {
	case *arrow.StringType:
		ok = kind == typeUtf8
	case *arrow.BinaryType:
		ok = kind == typeBinary
	case *arrow.BooleanType:
		ok = kind == typeBool
	case *arrow.Float32Type:
		const single = 1
		at := field(&inner, 0)
		ok = kind == typeFloatingPoint && at != 0 && inner.GetInt16(at) == single
	case *arrow.DictionaryType:
		index, has := subtable(&dictionary, 1)
		id := int64(0)
		if at := field(&dictionary, 0); at != 0 {
			id = dictionary.GetInt64(at)
		}
		ok = kind == typeUtf8 && id == 0 && has && isInt(index, 32, true)
	case *arrow.ListType:
		ok, child = kind == typeList, ptr(w.ElemField())
	case *arrow.FixedSizeListType:
		ok, child = kind == typeFixedSizeList && integer(&inner, 0) == w.Len(), ptr(w.ElemField())
	case arrow.FixedWidthDataType:
		signed := w.ID() == arrow.INT32 || w.ID() == arrow.INT64
		ok = kind == typeInt && isInt(inner, int32(w.BitWidth()), signed)
	}
	if !ok {
		return fmt.Errorf("%s is not of type %v", want.Name, want.Type)
	}
	at, n, err := vector(&t, 5)
	if err != nil {
		return err
	}
	if child == nil {
		if n != 0 {
			return fmt.Errorf("%s has children", want.Name)
		}
		return nil
	}
	if n != 1 {
		return fmt.Errorf("%s has %d children, want 1", want.Name, n)
	}
	return matchField(element(&t, at, 0), *child, false)
}

func isInt(t flatbuffers.Table, bits int32, signed bool) bool {
	got := false
	if at := field(&t, 1); at != 0 {
		got = t.GetBool(at)
	}
	return integer(&t, 0) == bits && got == signed
}

func ptr[T any](v T) *T { return &v }
