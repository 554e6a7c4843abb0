package torchfile

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestReadsWhatTorchSaved: both formats, nested checkpoints, views and every
// type, as written by torch 1.13 (testdata/README).
func TestReadsWhatTorchSaved(t *testing.T) {
	for _, name := range []string{"zip.pth", "legacy.pth", "legacy4.pth", "nested.pth", "evil.pth"} {
		t.Run(name, func(t *testing.T) {
			f, err := Open(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			prefix := ""
			if name == "nested.pth" || name == "evil.pth" {
				prefix = "state_dict."
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
				v, err := f.Tensor(prefix + c.name)
				if err != nil {
					t.Error(err)
					continue
				}
				got, err := v.Float32s()
				if err != nil || v.DType != c.dtype || !slices.Equal(v.Shape, c.shape) || !slices.Equal(got, c.want) {
					t.Errorf("%s is %s %v %v, %v; want %s %v %v", c.name, v.DType, v.Shape, got, err, c.dtype, c.shape, c.want)
				}
			}
			if mask, err := f.Tensor(prefix + "mask"); err != nil || !slices.Equal(mask.Data, []byte{1, 0}) {
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

// TestReadsWhatNewerTorchSaves: views, types and containers of torch 2.15, as
// testdata/write.py wrote them. What is not read is named with its type.
func TestReadsWhatNewerTorchSaves(t *testing.T) {
	plain := []float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23}
	for _, c := range []struct {
		file, name string
		shape      []int
		want       []float32
	}{
		{"odd.pth", "plain", []int{2, 3, 2, 2}, plain},
		{"odd.pth", "overlapping", []int{2, 3}, plain[4:10]},
		{"odd.pth", "expanded", []int{2, 3}, []float32{5, 5, 5, 7, 7, 7}},
		{"odd.pth", "expanded.scalar", []int{2}, []float32{3, 3}},
		{"odd.pth", "channels_last", []int{2, 3, 2, 2}, plain},
		{"odd.pth", "buffer", []int{1}, []float32{4}},
		{"nocrc.pth", "plain", []int{2, 3, 2, 2}, plain},
		{"zip64.pth", "plain", []int{2, 3, 2, 2}, plain},
		{"tuple.pth", "0.plain", []int{2, 3, 2, 2}, plain},
		{"module.pth", "model.backbone.0.weight", []int{2, 1, 1, 1}, []float32{3, 4}},
		{"module.pth", "model.backbone.1.running_var", []int{2}, []float32{1, 1}},
	} {
		t.Run(c.file+" "+c.name, func(t *testing.T) {
			f, err := Open(filepath.Join("testdata", c.file))
			if err != nil {
				t.Fatal(err)
			}
			v, err := f.Tensor(c.name)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := v.Float32s(); err != nil || !slices.Equal(v.Shape, c.shape) || !slices.Equal(got, c.want) {
				t.Errorf("%v %v, %v, want %v %v", v.Shape, got, err, c.shape, c.want)
			}
		})
	}

	f, err := Open("testdata/odd.pth")
	if err != nil {
		t.Fatal(err)
	}
	skipped := map[string]string{}
	for _, s := range f.Skipped {
		skipped[s.Name] = s.DType
	}
	want := map[string]string{"uint16": "uint16", "float8": "float8_e4m3fn", "complex64": "complex64", "quantized": "quantized", "sparse": "sparse tensor", "meta": "meta tensor no storage"}
	if !maps.Equal(skipped, want) {
		t.Errorf("skipped %v, want %v", skipped, want)
	}
	if f, err := Open("testdata/nocrc.pth"); err != nil || !strings.Contains(strings.Join(f.Notes, " "), "without checksums") {
		t.Errorf("nocrc.pth: notes %v, %v, want that it was saved without checksums", f.Notes, err)
	}
	if f, err := Open("testdata/module.pth"); err != nil || f.Metadata["note"] != "a whole module" {
		t.Errorf("module.pth: texts %v, %v, want the note beside it", f.Metadata, err)
	}
}

// TestDamageIsSeen: a changed byte of a record does not go unnoticed, but where
// the file has no checksums.
func TestDamageIsSeen(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "zip.pth"))
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(data, []byte{0, 0, 128, 63, 0, 0, 0, 64}) // 1, 2 of the first tensor
	if at < 0 {
		t.Fatal("the tensor is not there")
	}
	data[at] ^= 1
	if _, err := Parse(data); err == nil || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("%v, want a checksum that does not match", err)
	}
}

func TestOtherFilesAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ data, reason string }{
		"text":       {"hello", "not a file of torch.save"},
		"empty":      {"", "not a file of torch.save"},
		"a pickle":   {"\x80\x02K\x07.", "not one of torch.save"},
		"cut":        {"\x80\x02", "not one of torch.save"},
		"a zip":      {"PK\x03\x04 and more", "cut off"},
		"huge claim": {"\x80\x04\x8e\xff\xff\xff\xff\xff\x00\x00\x00.", "not one of torch.save"},
	} {
		if _, err := Parse([]byte(c.data)); err == nil || !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%s: %v, want %q", name, err, c.reason)
		}
	}
	if _, err := Open("testdata/list.pth"); err == nil || !strings.Contains(err.Error(), "no dictionary of tensors by name") {
		t.Errorf("a pickled list: %v", err)
	}
}

// TestRecordsAreOnlyLookedUp: the names in an archive lead nowhere, and mean one
// record each.
func TestRecordsAreOnlyLookedUp(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "zip.pth"))
	if err != nil {
		t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	// write writes the archive with other names for each record.
	write := func(names func(name string) []string) []byte {
		var out bytes.Buffer
		w := zip.NewWriter(&out)
		for _, f := range archive.File {
			in, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(in)
			if err := errors.Join(err, in.Close()); err != nil {
				t.Fatal(err)
			}
			for _, name := range names(f.Name) {
				record, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
				if err == nil {
					_, err = record.Write(text)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return out.Bytes()
	}
	for _, c := range []struct {
		name  string
		names func(name string) []string
		fails string
	}{
		{"as they are", func(n string) []string { return []string{n} }, ""},
		{"above", func(n string) []string { return []string{"../../" + n} }, ""},
		{"absolute", func(n string) []string { return []string{"/etc/" + n} }, ""},
		{"storages elsewhere", func(n string) []string { return []string{strings.Replace(n, "/data/", "/../data/", 1)} }, "the archive has no "},
		{"storages twice", func(n string) []string {
			if strings.Contains(n, "/data/") {
				return []string{n, n}
			}
			return []string{n}
		}, "twice"},
		{"the pickle twice", func(n string) []string {
			if strings.HasSuffix(n, "/data.pkl") {
				return []string{n, n}
			}
			return []string{n}
		}, "twice"},
		{"everything, in two folders", func(n string) []string { return []string{n, "other/" + n} }, "more than one data.pkl"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := Parse(write(c.names))
			if c.fails != "" {
				if err == nil || !strings.Contains(err.Error(), c.fails) {
					t.Errorf("%v, want %q", err, c.fails)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if n := len(f.Names()); n != 8 {
				t.Errorf("%d tensors, want 8", n)
			}
		})
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
	for _, name := range []string{"zip.pth", "legacy.pth", "legacy4.pth", "nested.pth", "evil.pth", "list.pth", "odd.pth", "nocrc.pth", "module.pth", "tuple.pth", "zip64.pth"} {
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
