package parquet

import (
	"fmt"
	"strings"

	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/schema"
	"github.com/pipa-uda/pipa/pipeline"
)

// isImage tells image, image_a and image_b, which have 3 channels, from labels
// and masks.
func isImage(column string) bool { return strings.HasPrefix(column, "image") }

// tableSchema is the Parquet schema of a stream. Lists are plain lists: a
// fixed_size_list of Arrow v15 becomes NULLs in Parquet, silently.
func tableSchema(h pipeline.Header) (*schema.GroupNode, error) {
	var fields schema.FieldList
	for _, c := range columnsOf(h) {
		n, err := node(c)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", c.name, err)
		}
		fields = append(fields, n)
	}
	return schema.NewGroupNode("schema", parquet.Repetitions.Required, fields, -1)
}

// node is a column's place in the schema. Only pictures may be null.
func node(c column) (schema.Node, error) {
	required, optional := parquet.Repetitions.Required, parquet.Repetitions.Optional
	text := func(name string, r parquet.Repetition) (schema.Node, error) {
		return schema.NewPrimitiveNodeLogical(name, r, schema.StringLogicalType{}, parquet.Types.ByteArray, -1, -1)
	}
	list := func(bits int8, signed bool) (schema.Node, error) {
		element, err := schema.NewPrimitiveNodeLogical("element", required, schema.NewIntLogicalType(bits, signed), parquet.Types.Int32, -1, -1)
		if err != nil {
			return nil, err
		}
		repeated, err := schema.NewGroupNode("list", parquet.Repetitions.Repeated, schema.FieldList{element}, -1)
		if err != nil {
			return nil, err
		}
		return schema.NewGroupNodeLogical(c.name, required, schema.FieldList{repeated}, schema.NewListLogicalType(), -1)
	}
	switch c.field(&row{}).(type) {
	case *string:
		return text(c.name, required)
	case *int32:
		return schema.NewInt32Node(c.name, required, -1), nil
	case *uint64:
		return schema.NewPrimitiveNodeLogical(c.name, required, schema.NewIntLogicalType(64, false), parquet.Types.Int64, -1, -1)
	case *float32:
		return schema.NewFloat32Node(c.name, required, -1), nil
	case *bool:
		return schema.NewBooleanNode(c.name, required, -1), nil
	case *[]uint8:
		return list(8, false)
	case *[]int32:
		return list(32, true)
	case *picture:
		path, err := text("path", optional)
		if err != nil {
			return nil, err
		}
		return schema.NewGroupNode(c.name, optional, schema.FieldList{schema.NewByteArrayNode("bytes", optional, -1), path}, -1)
	}
	return nil, fmt.Errorf("no Parquet type for %T", c.field(&row{}))
}

// features are the columns as Hugging Face's datasets library names their types
// (huggingface/datasets, src/datasets/features/features.py).
func features(h pipeline.Header) map[string]any {
	value := func(dtype string) map[string]any { return map[string]any{"_type": "Value", "dtype": dtype} }
	out := map[string]any{}
	for _, c := range columnsOf(h) {
		switch c.field(&row{}).(type) {
		case *string:
			out[c.name] = value("string")
		case *int32:
			out[c.name] = value("int32")
		case *uint64:
			out[c.name] = value("uint64")
		case *float32:
			out[c.name] = value("float32")
		case *bool:
			out[c.name] = value("bool")
		case *[]uint8: // the classes of a mix
			out[c.name] = map[string]any{"_type": "Sequence", "feature": map[string]any{"_type": "ClassLabel", "names": list(h.Classes)}}
		case *[]int32:
			out[c.name] = map[string]any{"_type": "Sequence", "feature": value("int32")}
		case *picture:
			out[c.name] = map[string]any{"_type": "Image"}
		}
	}
	return out
}
