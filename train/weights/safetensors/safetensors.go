// Package safetensors reads and writes the safetensors format (huggingface.co/
// docs/safetensors): an 8-byte little-endian header length, a JSON header, and
// raw little-endian tensor data. It knows nothing of tensor libraries.
//
//	f, err := safetensors.Open("mit_b5.safetensors")
//	t, err := f.Tensor("patch_embed1.proj.weight")
//	values, err := t.Float32s()
package safetensors

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/internal/nearest"
)

// maxHeader bounds the header, as the reference implementation does.
const maxHeader = 100_000_000

// A Tensor is a named array. Data is its row-major little-endian elements.
type Tensor struct {
	Name  string
	DType string // F64, F32, F16, BF16, I64, I32, I16, I8, U8, BOOL
	Shape []int
	Data  []byte
}

// A Skipped is a tensor of a type that is not read, such as an 8-bit float.
type Skipped struct {
	Name  string
	DType string // as the file names it
	Shape []int
}

// A File is a parsed safetensors file, whole in memory.
type File struct {
	Metadata map[string]string
	Skipped  []Skipped // in the order of their names
	Notes    []string  // what else is to be known of it
	tensors  map[string]Tensor
	names    []string
}

var elementSize = map[string]int{"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}

// Open reads the file at path.
func Open(path string) (*File, error) {
	data, err := files.Read(path)
	if err != nil {
		return nil, fmt.Errorf("read safetensors: %w", err)
	}
	f, err := Parse(data)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return f, nil
}

// Parse reads a file's contents; the tensors are views into data. The tensors
// must cover the data exactly, without overlap.
func Parse(data []byte) (*File, error) {
	if len(data) < 8 {
		return nil, errors.New("not a safetensors file: shorter than its length field")
	}
	n := binary.LittleEndian.Uint64(data)
	if n > maxHeader || n > uint64(len(data)-8) {
		if n <= maxHeader && len(data) > 8 && data[8] == '{' {
			return nil, fmt.Errorf("the file is cut off: its header has %d bytes, the file %d; copy or download it again", n, len(data))
		}
		return nil, fmt.Errorf("not a safetensors file: header of %d bytes in a file of %d", n, len(data))
	}
	header, body := data[8:8+n], data[8+n:]
	var entries map[string]json.RawMessage
	if err := json.Unmarshal(header, &entries); err != nil {
		return nil, fmt.Errorf("safetensors header: %w", err)
	}
	f := &File{tensors: map[string]Tensor{}}
	type span struct {
		begin, end int
		name       string
		read       bool
	}
	var spans []span
	for name, raw := range entries {
		if name == "__metadata__" {
			if err := json.Unmarshal(raw, &f.Metadata); err != nil {
				return nil, fmt.Errorf("safetensors metadata: %w", err)
			}
			continue
		}
		var e struct {
			DType   string `json:"dtype"`
			Shape   []int  `json:"shape"`
			Offsets [2]int `json:"data_offsets"`
		}
		if err := json.Unmarshal(raw, &e); err != nil {
			return nil, fmt.Errorf("safetensors tensor %q: %w", name, err)
		}
		begin, end := e.Offsets[0], e.Offsets[1]
		if begin >= 0 && end >= begin && end > len(body) && sized(e.DType, e.Shape) == end-begin {
			return nil, fmt.Errorf("the file is cut off: tensor %q ends at byte %d of the data, of which there are %d; copy or download it again", name, end, len(body))
		}
		if begin < 0 || end < begin || end > len(body) {
			return nil, fmt.Errorf("safetensors tensor %q: bytes %d to %d lie outside the %d bytes of data", name, begin, end, len(body))
		}
		want := sized(e.DType, e.Shape)
		if want < 0 {
			return nil, fmt.Errorf("safetensors tensor %q: impossible shape %v", name, e.Shape)
		}
		if elementSize[e.DType] == 0 {
			spans = append(spans, span{begin, end, name, false})
			f.Skipped = append(f.Skipped, Skipped{name, e.DType, e.Shape})
			continue
		}
		if want != end-begin {
			return nil, fmt.Errorf("safetensors tensor %q: shape %v of %s needs %d bytes, has %d", name, e.Shape, e.DType, want, end-begin)
		}
		spans = append(spans, span{begin, end, name, true})
		f.tensors[name] = Tensor{name, e.DType, e.Shape, body[begin:end:end]}
	}
	slices.SortFunc(f.Skipped, func(a, b Skipped) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(spans, func(a, b span) int {
		if a.begin != b.begin {
			return a.begin - b.begin
		}
		if a.end != b.end {
			return a.end - b.end
		}
		return strings.Compare(a.name, b.name)
	})
	at := 0
	for _, s := range spans {
		if s.begin != at {
			return nil, fmt.Errorf("safetensors tensor %q begins at byte %d, the one before it ends at %d", s.name, s.begin, at)
		}
		at = s.end
		if s.read {
			f.names = append(f.names, s.name)
		}
	}
	if at != len(body) {
		return nil, fmt.Errorf("safetensors file has %d bytes past its last tensor", len(body)-at)
	}
	return f, nil
}

// sized is the bytes of a shape, by one each of a type that is not read; -1 where
// the shape is impossible.
func sized(dtype string, shape []int) int {
	bytes := max(elementSize[dtype], 1)
	for _, d := range shape {
		if d < 0 || d > 0 && bytes > math.MaxInt/d {
			return -1
		}
		bytes *= d
	}
	return bytes
}

// New makes a file of tensors, in their order, in memory.
func New(metadata map[string]string, tensors []Tensor) (*File, error) {
	f := &File{Metadata: metadata, tensors: make(map[string]Tensor, len(tensors))}
	for _, t := range tensors {
		if f.Has(t.Name) {
			return nil, fmt.Errorf("two tensors are named %q", t.Name)
		}
		if len(t.Data) != t.Len()*elementSize[t.DType] {
			return nil, fmt.Errorf("tensor %q of shape %v and type %s has %d bytes", t.Name, t.Shape, t.DType, len(t.Data))
		}
		f.tensors[t.Name] = t
		f.names = append(f.names, t.Name)
	}
	return f, nil
}

// Names lists the tensors in the order of their data.
func (f *File) Names() []string { return slices.Clone(f.names) }

// Has reports whether there is a tensor of this name.
func (f *File) Has(name string) bool { _, ok := f.tensors[name]; return ok }

// Tensor returns the tensor of this name.
func (f *File) Tensor(name string) (Tensor, error) {
	t, ok := f.tensors[name]
	if !ok {
		return t, fmt.Errorf("no tensor %q%s", name, nearest.Hint(name, f.names, "%q"))
	}
	return t, nil
}

// Len is the number of elements.
func (t Tensor) Len() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// Float32s converts the elements, of any type, to float32.
func (t Tensor) Float32s() ([]float32, error) {
	out := make([]float32, t.Len())
	for i := range out {
		switch t.DType {
		case "F32":
			out[i] = math.Float32frombits(binary.LittleEndian.Uint32(t.Data[4*i:]))
		case "F64":
			out[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(t.Data[8*i:])))
		case "BF16":
			out[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(t.Data[2*i:])) << 16)
		case "F16":
			out[i] = half(binary.LittleEndian.Uint16(t.Data[2*i:]))
		default:
			v, err := t.integer(i)
			if err != nil {
				return nil, err
			}
			out[i] = float32(v)
		}
	}
	return out, nil
}

// Int64s converts the elements of an integer tensor.
func (t Tensor) Int64s() ([]int64, error) {
	out := make([]int64, t.Len())
	for i := range out {
		v, err := t.integer(i)
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

func (t Tensor) integer(i int) (int64, error) {
	switch t.DType {
	case "U8", "BOOL":
		return int64(t.Data[i]), nil
	case "I8":
		return int64(int8(t.Data[i])), nil
	case "I16":
		return int64(int16(binary.LittleEndian.Uint16(t.Data[2*i:]))), nil
	case "I32":
		return int64(int32(binary.LittleEndian.Uint32(t.Data[4*i:]))), nil
	case "I64":
		return int64(binary.LittleEndian.Uint64(t.Data[8*i:])), nil
	}
	return 0, fmt.Errorf("tensor %q is %s, not integer", t.Name, t.DType)
}

// half widens an IEEE 754 binary16.
func half(h uint16) float32 {
	sign, exponent, fraction := uint32(h>>15)<<31, uint32(h>>10&31), uint32(h&1023)
	switch exponent {
	case 0:
		v := float32(fraction) / (1 << 24)
		if sign != 0 {
			v = -v
		}
		return v
	case 31:
		return math.Float32frombits(sign | 255<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
}

// Write writes tensors in the order given. Equal arguments give equal bytes.
func Write(w io.Writer, metadata map[string]string, tensors []Tensor) error {
	header := map[string]any{}
	if len(metadata) > 0 {
		header["__metadata__"] = metadata
	}
	at := 0
	for _, t := range tensors {
		if _, twice := header[t.Name]; twice {
			return fmt.Errorf("write safetensors: two tensors are named %q", t.Name)
		}
		if want := t.Len() * elementSize[t.DType]; elementSize[t.DType] == 0 || want != len(t.Data) {
			return fmt.Errorf("write safetensors: tensor %q of type %s, shape %v has %d bytes", t.Name, t.DType, t.Shape, len(t.Data))
		}
		shape := t.Shape
		if shape == nil {
			shape = []int{}
		}
		header[t.Name] = map[string]any{"dtype": t.DType, "shape": shape, "data_offsets": [2]int{at, at + len(t.Data)}}
		at += len(t.Data)
	}
	text, err := json.Marshal(header) // sorts keys
	if err != nil {
		return fmt.Errorf("write safetensors: %w", err)
	}
	for len(text)%8 != 0 { // so that the data is aligned
		text = append(text, ' ')
	}
	if _, err := w.Write(append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...)); err != nil {
		return fmt.Errorf("write safetensors: %w", err)
	}
	for _, t := range tensors {
		if _, err := w.Write(t.Data); err != nil {
			return fmt.Errorf("write safetensors: tensor %q: %w", t.Name, err)
		}
	}
	return nil
}

// WriteFile is Write to a file that is whole or absent.
func WriteFile(path string, metadata map[string]string, tensors []Tensor) error {
	return files.Write(path, true, func(w io.Writer) error { return Write(w, metadata, tensors) })
}

// Only is the tensors of f whose names begin with one of the prefixes.
func (f *File) Only(prefixes ...string) *File {
	out := &File{Metadata: f.Metadata, tensors: map[string]Tensor{}}
	for _, name := range f.names {
		if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
			out.names = append(out.names, name)
			out.tensors[name] = f.tensors[name]
		}
	}
	return out
}
