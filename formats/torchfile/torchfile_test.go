package torchfile

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestReadsWhatTorchSaved: both formats, nested checkpoints, views and every
// type, as written by torch 1.13 (testdata/README).
func TestReadsWhatTorchSaved(t *testing.T) {
	for _, name := range []string{"zip.pth", "legacy.pth", "nested.pth", "evil.pth"} {
		t.Run(name, func(t *testing.T) {
			f, err := Open(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range []struct {
				name  string
				dtype string
				shape []int
				want  []float32
			}{
				{"patch_embed1.proj.weight", "F32", []int{2, 3, 2, 2}, []float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23}},
				{"norm1.bias", "F16", []int{3}, []float32{1, 3, 5}},
				{"bn.num_batches_tracked", "I64", []int{}, []float32{7}},
				{"transposed", "F64", []int{3, 2}, []float32{0, 3, 1, 4, 2, 5}},
				{"bf16", "BF16", []int{2}, []float32{1.5, -2}},
				{"empty", "F32", []int{0, 3}, nil},
				{"parameter", "F32", []int{2}, []float32{1, 1}},
			} {
				v, err := f.Tensor(c.name)
				if err != nil {
					t.Error(err)
					continue
				}
				got, err := v.Float32s()
				if err != nil || v.DType != c.dtype || !slices.Equal(v.Shape, c.shape) || !slices.Equal(got, c.want) {
					t.Errorf("%s is %s %v %v, %v; want %s %v %v", c.name, v.DType, v.Shape, got, err, c.dtype, c.shape, c.want)
				}
			}
			if mask, err := f.Tensor("mask"); err != nil || !slices.Equal(mask.Data, []byte{1, 0}) {
				t.Errorf("mask is %v, %v", mask.Data, err)
			}
			if n := len(f.Names()); n != 8 {
				t.Errorf("%d tensors, want 8", n)
			}
		})
	}
	// The pickle of evil.pth asks for os.system("touch /tmp/pipa-evil").
	if _, err := os.Stat("/tmp/pipa-evil"); err == nil {
		t.Error("a class in the pickle was executed")
	}
}

func TestOtherFilesAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ data, reason string }{
		"text":       {"hello", "no file of torch.save"},
		"empty":      {"", "no file of torch.save"},
		"a pickle":   {"\x80\x02K\x07.", "not one of torch.save"},
		"cut":        {"\x80\x02", "not one of torch.save"},
		"a zip":      {"PK\x03\x04 and more", "zip"},
		"huge claim": {"\x80\x04\x8e\xff\xff\xff\xff\xff\x00\x00\x00.", "not one of torch.save"},
	} {
		if _, err := Parse([]byte(c.data)); err == nil || !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%s: %v, want %q", name, err, c.reason)
		}
	}
	if _, err := Open("testdata/list.pth"); err == nil || !strings.Contains(err.Error(), "no dictionary of tensors") {
		t.Errorf("a pickled list: %v", err)
	}
}

// TestCutFilesFail: a prefix of a file is never taken for the whole.
func TestCutFilesFail(t *testing.T) {
	for _, name := range []string{"zip.pth", "legacy.pth"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		for n := range len(data) {
			if _, err := Parse(data[:n]); err == nil {
				t.Fatalf("%s: the first %d of %d bytes were accepted", name, n, len(data))
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range []string{"zip.pth", "legacy.pth", "nested.pth", "evil.pth", "list.pth"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Parse(data)
		if err != nil {
			return
		}
		for _, name := range file.Names() {
			if _, err := file.Tensor(name); err != nil {
				t.Fatal(err)
			}
		}
	})
}
