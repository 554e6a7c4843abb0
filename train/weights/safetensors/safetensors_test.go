package safetensors

import (
	"bytes"
	"reflect"
	"strings"
	"testing"
)

var sample = []Tensor{
	{"a", "F32", []int{2}, []byte{0, 0, 128, 63, 0, 0, 0, 192}},
	{"half", "F16", []int{3}, []byte{0, 0x3c, 0, 0xc0, 1, 0}},
	{"b", "U8", []int{1, 3}, []byte{7, 8, 255}},
	{"scalar", "I64", nil, []byte{5, 0, 0, 0, 0, 0, 0, 0}},
}

func encode(t testing.TB, tensors []Tensor) []byte {
	var b bytes.Buffer
	if err := Write(&b, map[string]string{"k": "v"}, tensors); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	data := encode(t, sample)
	f, err := Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Names(); !reflect.DeepEqual(got, []string{"a", "half", "b", "scalar"}) {
		t.Errorf("names %v", got)
	}
	if f.Metadata["k"] != "v" {
		t.Errorf("metadata %v", f.Metadata)
	}
	for _, c := range []struct {
		name string
		want []float32
	}{{"a", []float32{1, -2}}, {"half", []float32{1, -2, 1.0 / (1 << 24)}}, {"b", []float32{7, 8, 255}}, {"scalar", []float32{5}}} {
		tensor, err := f.Tensor(c.name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := tensor.Float32s(); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v, %v, want %v", c.name, got, err, c.want)
		}
	}
	if _, err := f.Tensor("scaler"); err == nil || !strings.Contains(err.Error(), `"scalar"`) {
		t.Errorf("a misspelt name: %v", err)
	}
}

func TestEveryCutIsRefused(t *testing.T) {
	data := encode(t, sample)
	for n := range data {
		if _, err := Parse(data[:n]); err == nil {
			t.Errorf("accepted the first %d of %d bytes", n, len(data))
		}
	}
	if _, err := Parse(append(data, 0)); err == nil {
		t.Error("accepted a byte too many")
	}
}

func TestLyingHeadersAreRefused(t *testing.T) {
	for name, header := range map[string]string{
		"overlap":        `{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`,
		"hole":           `{"a":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`,
		"length":         `{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,3]}}`,
		"negative shape": `{"a":{"dtype":"U8","shape":[-1,-3],"data_offsets":[0,3]}}`,
		"overflow":       `{"a":{"dtype":"U8","shape":[4294967296,4294967296,4294967296],"data_offsets":[0,3]}}`,
		"outside":        `{"a":{"dtype":"U8","shape":[9],"data_offsets":[0,9]}}`,
	} {
		t.Run(name, func(t *testing.T) {
			data := append([]byte{byte(len(header)), 0, 0, 0, 0, 0, 0, 0}, header...)
			if _, err := Parse(append(data, 1, 2, 3)); err == nil {
				t.Error("accepted")
			}
		})
	}
}

// TestOtherTypesAreSkipped: a tensor of a type that is not read does not hide
// those beside it, and takes its place in the data.
func TestOtherTypesAreSkipped(t *testing.T) {
	header := `{"a":{"dtype":"F8_E4M3","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[1],"data_offsets":[3,4]}}`
	f, err := Parse(append(append([]byte{byte(len(header)), 0, 0, 0, 0, 0, 0, 0}, header...), 1, 2, 3, 9))
	if err != nil {
		t.Fatal(err)
	}
	if want := []Skipped{{"a", "F8_E4M3", []int{3}}}; !reflect.DeepEqual(f.Skipped, want) || !reflect.DeepEqual(f.Names(), []string{"b"}) {
		t.Errorf("skipped %v and read %v, want %v and b", f.Skipped, f.Names(), want)
	}
	if b, err := f.Tensor("b"); err != nil || b.Data[0] != 9 {
		t.Errorf("b is %v, %v, want 9", b.Data, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(encode(f, sample))
	f.Add([]byte("\x02\x00\x00\x00\x00\x00\x00\x00{}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse(data)
		if err != nil {
			return
		}
		for _, name := range file.Names() {
			tensor, err := file.Tensor(name)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tensor.Float32s(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
