package pipeline_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/pipelinetest"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// rewritten is a stream as a program on Arrow's own library passes it on: change
// gets the schema and the columns of a batch.
func rewritten(t *testing.T, data []byte, change func(fields []arrow.Field, columns []arrow.Array, metadata map[string]string) ([]arrow.Field, []arrow.Array), options ...ipc.Option) []byte {
	t.Helper()
	in, err := ipc.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Release()
	var out bytes.Buffer
	var w *ipc.Writer
	for in.Next() {
		rec := in.Record()
		metadata := in.Schema().Metadata()
		m := metadata.ToMap()
		delete(m, "pipa.writer") // or a byte that differs from this module's, of the same library, is damage
		fields, columns := change(slices.Clone(in.Schema().Fields()), slices.Clone(rec.Columns()), m)
		kept := arrow.MetadataFrom(m)
		schema := arrow.NewSchema(fields, &kept)
		if w == nil {
			w = ipc.NewWriter(&out, append(options, ipc.WithSchema(schema))...)
		}
		if err := w.Write(array.NewRecord(schema, columns, int64(columns[0].Len()))); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(in.Err(), w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// A change is what a program does to a batch.
type change = func([]arrow.Field, []arrow.Array, map[string]string) ([]arrow.Field, []arrow.Array)

// on changes one column.
func on(name string, f func(*arrow.Field, arrow.Array) arrow.Array) change {
	return func(fields []arrow.Field, columns []arrow.Array, _ map[string]string) ([]arrow.Field, []arrow.Array) {
		for i := range fields {
			if fields[i].Name == name {
				columns[i] = f(&fields[i], columns[i])
			}
		}
		return fields, columns
	}
}

// as rebuilds a column with another type, value by value.
func as(t arrow.DataType, add func(b array.Builder, from arrow.Array, i int)) func(*arrow.Field, arrow.Array) arrow.Array {
	return func(f *arrow.Field, from arrow.Array) arrow.Array {
		b := array.NewBuilder(memory.DefaultAllocator, t)
		for i := range from.Len() {
			add(b, from, i)
		}
		f.Type, f.Metadata = t, arrow.Metadata{}
		return b.NewArray()
	}
}

func pixelsOf(a arrow.Array, i int) []byte {
	if l, ok := a.(*array.FixedSizeList); ok {
		n := int(l.DataType().(*arrow.FixedSizeListType).Len())
		return l.ListValues().(*array.Uint8).Uint8Values()[i*n : (i+1)*n]
	}
	return a.(*array.Binary).Value(i)
}

func drop(names ...string) change {
	return func(fields []arrow.Field, columns []arrow.Array, _ map[string]string) ([]arrow.Field, []arrow.Array) {
		var f []arrow.Field
		var c []arrow.Array
		for i := range fields {
			if !slices.Contains(names, fields[i].Name) {
				f, c = append(f, fields[i]), append(c, columns[i])
			}
		}
		return f, c
	}
}

func forget(keys ...string) change {
	return func(f []arrow.Field, c []arrow.Array, m map[string]string) ([]arrow.Field, []arrow.Array) {
		for k := range m {
			if len(keys) == 0 || slices.Contains(keys, k) {
				delete(m, k)
			}
		}
		return f, c
	}
}

// sampled is a stream of four samples of one size.
func sampled(t *testing.T) []byte {
	return pipelinetest.Encode(t, pipelinetest.Stream(pipelinetest.Cases[2].Header, pipelinetest.Cases[2].Row, 2, 2))
}

var asBinary = as(arrow.BinaryTypes.Binary, func(b array.Builder, a arrow.Array, i int) { b.(*array.BinaryBuilder).Append(pixelsOf(a, i)) })

func TestTablesOfOtherProgramsAreRead(t *testing.T) {
	data := sampled(t)
	_, want, err := rowsOf(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	text := func(a arrow.Array, i int) string {
		if d, ok := a.(*array.Dictionary); ok {
			return d.Dictionary().(*array.String).Value(d.GetValueIndex(i))
		}
		return a.(*array.String).Value(i)
	}
	for name, c := range map[string]struct {
		change  change
		options []ipc.Option
		says    string // the notice, beside what it always says
	}{
		"as it is":                               {drop(), nil, ""},
		"without the check":                      {forget("pipa.check"), nil, ""},
		"without any metadata":                   {forget(), nil, "do not say kind, labels, size, datasets, classes"},
		"without digests":                        {drop("digest"), nil, "rows have no digest"},
		"without what the id and the tensor say": {drop("dataset", "split", "height", "width"), nil, ""},
		"with LZ4":                               {drop(), []ipc.Option{ipc.WithLZ4()}, ""},
		"with ZSTD":                              {drop(), []ipc.Option{ipc.WithZstd()}, ""},
		"in another order": {func(f []arrow.Field, c []arrow.Array, _ map[string]string) ([]arrow.Field, []arrow.Array) {
			slices.Reverse(f)
			slices.Reverse(c)
			return f, c
		}, nil, ""},
		"with other columns": {func(f []arrow.Field, c []arrow.Array, _ map[string]string) ([]arrow.Field, []arrow.Array) {
			extra := array.NewBuilder(memory.DefaultAllocator, arrow.MapOf(arrow.BinaryTypes.String, arrow.PrimitiveTypes.Float64))
			for range c[0].Len() {
				extra.AppendNull()
			}
			return append([]arrow.Field{{Name: "tags", Type: extra.Type(), Nullable: true}}, f...), append([]arrow.Array{extra.NewArray()}, c...)
		}, nil, "dropped columns: tags"},
		"nullable, without a null": {func(f []arrow.Field, c []arrow.Array, _ map[string]string) ([]arrow.Field, []arrow.Array) {
			for i := range f {
				f[i].Nullable = true
			}
			return f, c
		}, nil, ""},
		"large text": {on("id", as(arrow.BinaryTypes.LargeString, func(b array.Builder, a arrow.Array, i int) { b.(*array.LargeStringBuilder).Append(text(a, i)) })), nil, ""},
		"plain text": {on("dataset", as(arrow.BinaryTypes.String, func(b array.Builder, a arrow.Array, i int) { b.(*array.StringBuilder).Append(text(a, i)) })), nil, ""},
		"a dictionary": {on("split", as(&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Uint8, ValueType: arrow.BinaryTypes.String}, func(b array.Builder, a arrow.Array, i int) {
			if err := b.(*array.BinaryDictionaryBuilder).AppendString(text(a, i)); err != nil {
				panic(err)
			}
		})), nil, ""},
		"int64": {on("height", as(arrow.PrimitiveTypes.Int64, func(b array.Builder, a arrow.Array, i int) {
			b.(*array.Int64Builder).Append(int64(a.(*array.Int32).Value(i)))
		})), nil, ""},
		"binary":       {on("image", asBinary), nil, ""},
		"large binary": {on("image", as(arrow.BinaryTypes.LargeBinary, func(b array.Builder, a arrow.Array, i int) { b.(*array.BinaryBuilder).Append(pixelsOf(a, i)) })), nil, ""},
		"lists": {on("label", as(arrow.ListOf(arrow.PrimitiveTypes.Int16), func(b array.Builder, a arrow.Array, i int) {
			l := b.(*array.ListBuilder)
			l.Append(true)
			for _, v := range pixelsOf(a, i) {
				l.ValueBuilder().(*array.Int16Builder).Append(int16(v))
			}
		})), nil, ""},
		"a list without its annotation": {on("image", func(f *arrow.Field, a arrow.Array) arrow.Array {
			f.Metadata = arrow.Metadata{}
			return a
		}), nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			notices := []string{}
			s, err := pipeline.ReadWith(t.Context(), bytes.NewReader(rewritten(t, data, c.change, c.options...)), pipeline.ReadOptions{
				Notice:    func(text string) { notices = append(notices, text) },
				ClassesOf: func(string) []string { return raster.CityscapesClasses() },
			})
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for b, err := range s.Batches {
				if err != nil {
					t.Fatal(err)
				}
				for i := range b.Len() {
					got, err := b.Sample(i)
					if err != nil {
						t.Fatal(err)
					}
					if w := want[n].(pipeline.Sample); got.Digest(false) != w.Digest(false) {
						t.Errorf("row %d is %v, want %v", n, got, w)
					}
					n++
				}
			}
			if n != len(want) {
				t.Errorf("%d rows, want %d", n, len(want))
			}
			if len(notices) != 1 || !strings.Contains(notices[0], c.says) {
				t.Errorf("notices %q, want %q", notices, c.says)
			}
		})
	}
}

// TestWhatIsRefusedSaysHowToMendIt: the column, what was found, what is wanted.
func TestWhatIsRefusedSaysHowToMendIt(t *testing.T) {
	data := sampled(t)
	null := func(at int) func(*arrow.Field, arrow.Array) arrow.Array {
		return func(f *arrow.Field, a arrow.Array) arrow.Array {
			f.Nullable = true
			return as(arrow.BinaryTypes.String, func(b array.Builder, a arrow.Array, i int) {
				if i == at {
					b.AppendNull()
				} else {
					b.(*array.StringBuilder).Append(a.(*array.String).Value(i))
				}
			})(f, a)
		}
	}
	for name, c := range map[string]struct {
		change change
		column string // of a ColumnError
		want   []string
	}{
		"a column that is not there": {drop("image"), "image", []string{"found none of that name among id, dataset,", "append_column"}},
		"a column that is there twice": {func(f []arrow.Field, c []arrow.Array, _ map[string]string) ([]arrow.Field, []arrow.Array) {
			return append(f, f[0]), append(c, c[0])
		}, "id", []string{"found 2 of that name"}},
		"another type": {on("id", as(arrow.PrimitiveTypes.Int64, func(b array.Builder, _ arrow.Array, i int) { b.(*array.Int64Builder).Append(int64(i)) })),
			"id", []string{"found int64, want text", `t["id"].cast(pa.string())`}},
		"pixels as text": {on("label", as(arrow.BinaryTypes.String, func(b array.Builder, _ arrow.Array, _ int) { b.(*array.StringBuilder).Append("x") })),
			"label", []string{"found string", "pa.binary()"}},
		"a null": {on("id", null(1)), "id", []string{"row 1: column id: found null", "pc.is_valid"}},
		"no class": {func(f []arrow.Field, c []arrow.Array, m map[string]string) ([]arrow.Field, []arrow.Array) {
			clear(m)
			return f, c
		}, "", []string{"have lost the classes"}},
		"a change under the check": {func(f []arrow.Field, c []arrow.Array, m map[string]string) ([]arrow.Field, []arrow.Array) {
			m["pipa.seed"] = "8"
			return f, c
		}, "", []string{"the stream's metadata is damaged", "leaves it out"}},
		"another size than the metadata's": {func(f []arrow.Field, c []arrow.Array, m map[string]string) ([]arrow.Field, []arrow.Array) {
			m["pipa.size"] = "[6,4]"
			delete(m, "pipa.check")
			f, c = on("image", asBinary)(f, c, m)
			return on("label", asBinary)(f, c, m)
		}, "", []string{"is 6x4 in a stream of 4x6", "leaves pipa.size"}},
		"changed pixels under a digest": {on("image", as(arrow.BinaryTypes.Binary, func(b array.Builder, a arrow.Array, i int) {
			b.(*array.BinaryBuilder).Append(bytes.Repeat([]byte{1}, len(pixelsOf(a, i))))
		})), "", []string{"row 0: gta/train/00000 is damaged, or was changed", "drops the column digest"}},
		"channels first, by no name": {on("image", func(f *arrow.Field, a arrow.Array) arrow.Array {
			f.Metadata = arrow.MetadataFrom(map[string]string{"ARROW:extension:name": "arrow.fixed_shape_tensor", "ARROW:extension:metadata": `{"shape": [3, 4, 6]}`})
			return a
		}), "image", []string{"it has 6 channels", "tensors of [height, width, 3]"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := rowsOf(bytes.NewReader(rewritten(t, data, c.change)))
			var column *pipeline.ColumnError
			if c.column != "" && (!errors.As(err, &column) || column.Column != c.column) {
				t.Fatalf("error %v, want one of column %s", err, c.column)
			}
			for _, w := range c.want {
				if err == nil || !strings.Contains(err.Error(), w) {
					t.Errorf("error %v, want %q", err, w)
				}
			}
		})
	}
}

// TestTensorsOfAnyPermutation: the elements lie channels first, as PyTorch has
// them, and the metadata say which is which.
func TestTensorsOfAnyPermutation(t *testing.T) {
	data := sampled(t)
	_, want, err := rowsOf(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	const h, w = 4, 6
	first := func(metadata string) change {
		return on("image", func(f *arrow.Field, a arrow.Array) arrow.Array {
			b := array.NewFixedSizeListBuilder(memory.DefaultAllocator, h*w*3, arrow.PrimitiveTypes.Uint8)
			for i := range a.Len() {
				b.Append(true)
				pix := pixelsOf(a, i)
				for c := range 3 {
					for p := range h * w {
						b.ValueBuilder().(*array.Uint8Builder).Append(pix[3*p+c])
					}
				}
			}
			f.Type = b.Type()
			f.Metadata = arrow.MetadataFrom(map[string]string{"ARROW:extension:name": "arrow.fixed_shape_tensor", "ARROW:extension:metadata": metadata})
			return b.NewArray()
		})
	}
	for _, metadata := range []string{
		`{"shape":[3,4,6],"permutation":[1,2,0]}`,
		`{ "permutation": [1, 2, 0], "dim_names": ["a", "b", "c"], "shape": [3, 4, 6] }`,
		`{"shape":[3,4,6],"dim_names":["C","H","W"]}`,
		`{"shape":[3,4,6],"dim_names":["channels","Height","width"],"permutation":[0,1,2]}`,
	} {
		_, rows, err := rowsOf(bytes.NewReader(rewritten(t, data, first(metadata))))
		if err != nil {
			t.Fatalf("%s: %v", metadata, err)
		}
		for i, r := range rows {
			if got := r.(pipeline.Sample); !bytes.Equal(got.Image.Pix(), want[i].(pipeline.Sample).Image.Pix()) {
				t.Errorf("%s: row %d is another image", metadata, i)
			}
		}
	}
	for metadata, says := range map[string]string{
		`{"shape":[3,4,6],"permutation":[0,0,1]}`: "its permutation is [0 0 1]",
		`{"shape":[3,4,7]}`:                       "its shape is of other than 72 elements",
		`{"shape":[3,4,-6]}`:                      "its shape is of other than",
		`{"shape":[72]}`:                          "it has 1 dimensions",
		`{"shape":[9223372036854775807,2,2]}`:     "its shape is of other than",
		`{`:                                       "unexpected end of JSON",
	} {
		if _, _, err := rowsOf(bytes.NewReader(rewritten(t, data, first(metadata)))); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: error %v, want %q", metadata, err, says)
		}
	}
}

// TestAForeignBatchOfAnySizeIsSplit: other writers know no bound.
func TestAForeignBatchOfAnySizeIsSplit(t *testing.T) {
	h := pipelinetest.Header(pipeline.KindSample, raster.Size{Height: 1024, Width: 2048}, true)
	row := func(b *pipeline.Builder, i int) error {
		return b.AppendSample(pipeline.Sample{ID: fmt.Sprintf("gta/train/%d", i), Dataset: "gta", Split: "train", Image: raster.New(1024, 2048, 3), Label: raster.New(1024, 2048, 1)})
	}
	data := pipelinetest.Encode(t, pipelinetest.Stream(h, row, 1, 6))
	twice := rewritten(t, data, func(f []arrow.Field, c []arrow.Array, m map[string]string) ([]arrow.Field, []arrow.Array) {
		f, c = drop("digest")(f, c, m)
		for i := range c {
			both, err := array.Concatenate([]arrow.Array{c[i], c[i]}, memory.DefaultAllocator)
			if err != nil {
				t.Fatal(err)
			}
			c[i] = both
		}
		return f, c
	})
	s, err := pipeline.Read(t.Context(), bytes.NewReader(twice))
	if err != nil {
		t.Fatal(err)
	}
	rows, batches := 0, 0
	for b, err := range s.Batches {
		if err != nil {
			t.Fatal(err)
		}
		if b.Bytes() > pipeline.MaxBatchBytes {
			t.Errorf("a batch of %d rows has %d bytes", b.Len(), b.Bytes())
		}
		rows, batches = rows+b.Len(), batches+1
		b.Release()
	}
	if rows != 12 || batches < 2 {
		t.Errorf("%d rows in %d batches, want 12 in several", rows, batches)
	}
}
