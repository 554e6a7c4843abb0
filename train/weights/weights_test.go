package weights

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/train/weights/safetensors"
)

// tiny is a network of a few kilobytes.
var tiny = Network{Encoder: "mit", Dims: [4]int{4, 4, 5, 8}, Depths: [4]int{1, 2, 1, 1}}

// tensors gives a network's tensors values of their own.
func tensors(n Network) (out []safetensors.Tensor) {
	next := float32(0)
	for _, w := range n.Wants() {
		if strings.HasSuffix(w.Name, ".num_batches_tracked") {
			out = append(out, safetensors.Tensor{Name: w.Name, DType: "I64", Shape: []int{}, Data: make([]byte, 8)})
			continue
		}
		t := safetensors.Tensor{Name: w.Name, DType: "F32", Shape: w.Shape}
		for range t.Len() {
			next++
			t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(next))
		}
		out = append(out, t)
	}
	return out
}

// renamed copies tensors under other names; an empty name drops one.
func renamed(tensors []safetensors.Tensor, name func(string) string) []safetensors.Tensor {
	var out []safetensors.Tensor
	for _, x := range tensors {
		if x.Name = name(x.Name); x.Name != "" {
			out = append(out, x)
		}
	}
	return out
}

// under puts a prefix before the names, and bare takes that of the encoder off.
func under(prefix string, tensors []safetensors.Tensor) []safetensors.Tensor {
	return renamed(tensors, func(name string) string { return prefix + name })
}

func bare(name string) string { return strings.TrimPrefix(name, "backbone.") }

// extra is tensors that lie beside, of one element.
func extra(names ...string) (out []safetensors.Tensor) {
	for _, n := range names {
		out = append(out, safetensors.Tensor{Name: n, DType: "F32", Shape: []int{1}, Data: make([]byte, 4)})
	}
	return out
}

// taken is a tensor without some of its rows.
func taken(t safetensors.Tensor, name string, from, to int) safetensors.Tensor {
	row := len(t.Data) / t.Shape[0]
	t.Name, t.Data, t.Shape = name, t.Data[from*row:to*row], rows(t.Shape, to-from)
	return t
}

// place is the stage, from 0, and the block of an encoder's name, and the rest.
func place(name string) (kind string, stage, block int, rest string) {
	if n, err := fmt.Sscanf(name, "patch_embed%d.%s", &stage, &rest); n == 2 && err == nil {
		return "embed", stage - 1, 0, rest
	}
	if n, err := fmt.Sscanf(name, "block%d.%d.%s", &stage, &block, &rest); n == 3 && err == nil {
		return "block", stage - 1, block, rest
	}
	if n, err := fmt.Sscanf(name, "norm%d.%s", &stage, &rest); n == 2 && err == nil {
		return "norm", stage - 1, 0, rest
	}
	return "", 0, 0, name
}

// replaced is the first of the pairs' replacements that begins rest.
func replaced(rest string, pairs ...string) string {
	for i := 0; i < len(pairs); i += 2 {
		if tail, ok := strings.CutPrefix(rest, pairs[i]); ok {
			return pairs[i+1] + tail
		}
	}
	return rest
}

// huggingFace names an encoder as transformers 4 and 5 do.
func huggingFace(version int, encoder []safetensors.Tensor) (out []safetensors.Tensor) {
	for _, x := range encoder {
		kind, stage, block, rest := place(bare(x.Name))
		at := fmt.Sprintf("segformer.encoder.%s.%d.", map[string]string{"embed": "patch_embeddings", "block": "block", "norm": "layer_norm"}[kind], stage)
		switch {
		case version == 5 && kind == "embed":
			at = fmt.Sprintf("segformer.stages.%d.patch_embeddings.", stage)
		case version == 5 && kind == "norm":
			at = fmt.Sprintf("segformer.stages.%d.layer_norm.", stage)
		case version == 5:
			at = fmt.Sprintf("segformer.stages.%d.blocks.%d.", stage, block)
		case kind == "block":
			at += fmt.Sprintf("%d.", block)
		}
		switch {
		case kind == "embed":
			rest = replaced(rest, "norm.", "layer_norm.")
		case kind == "norm":
		case version == 5:
			rest = replaced(rest, "norm1.", "layernorm_before.", "norm2.", "layernorm_after.", "attn.q.", "attention.q_proj.", "attn.kv.", "attention.kv_proj.",
				"attn.proj.", "attention.o_proj.", "attn.sr.", "attention.sequence_reduction.sequence_reduction.", "attn.norm.", "attention.sequence_reduction.layer_norm.")
		default:
			rest = replaced(rest, "norm1.", "layer_norm_1.", "norm2.", "layer_norm_2.", "attn.norm.", "attention.self.layer_norm.", "attn.q.", "attention.self.query.",
				"attn.kv.", "attention.self.kv.", "attn.sr.", "attention.self.sr.", "attn.proj.", "attention.output.dense.", "mlp.fc1.", "mlp.dense1.", "mlp.fc2.", "mlp.dense2.")
		}
		if name := at + rest; strings.Contains(name, ".kv") {
			n := x.Shape[0] / 2
			key := map[int][3]string{4: {".kv.", ".key.", ".value."}, 5: {".kv_proj.", ".k_proj.", ".v_proj."}}[version]
			out = append(out, taken(x, strings.Replace(name, key[0], key[1], 1), 0, n), taken(x, strings.Replace(name, key[0], key[2], 1), n, 2*n))
		} else {
			x.Name = name
			out = append(out, x)
		}
	}
	return out
}

// openMMLab names an encoder as mmsegmentation's MixVisionTransformer does.
func openMMLab(encoder []safetensors.Tensor) (out []safetensors.Tensor) {
	for _, x := range encoder {
		kind, stage, block, rest := place(bare(x.Name))
		switch kind {
		case "embed":
			x.Name = fmt.Sprintf("layers.%d.0.%s", stage, replaced(rest, "proj.", "projection."))
		case "norm":
			x.Name = fmt.Sprintf("layers.%d.2.%s", stage, rest)
		default:
			at := fmt.Sprintf("layers.%d.1.%d.", stage, block)
			if strings.HasSuffix(rest, "fc1.weight") || strings.HasSuffix(rest, "fc2.weight") {
				x.Shape = append(slices.Clone(x.Shape), 1, 1)
			}
			if strings.HasPrefix(rest, "attn.q.") {
				continue // joined with its keys and values
			}
			if kind, ok := strings.CutPrefix(rest, "attn.kv."); ok {
				i := slices.IndexFunc(encoder, func(t safetensors.Tensor) bool { return t.Name == strings.Replace(x.Name, ".kv.", ".q.", 1) })
				q := encoder[i]
				out = append(out, safetensors.Tensor{Name: at + "attn.attn.in_proj_" + kind, DType: x.DType, Shape: rows(x.Shape, q.Shape[0]+x.Shape[0]), Data: slices.Concat(q.Data, x.Data)})
				continue
			}
			x.Name = at + replaced(rest, "attn.proj.", "attn.attn.out_proj.", "mlp.fc1.", "ffn.layers.0.", "mlp.dwconv.dwconv.", "ffn.layers.1.", "mlp.fc2.", "ffn.layers.4.")
		}
		out = append(out, x)
	}
	return out
}

// TestEveryNamingGivesTheNetwork: each published naming of one network, below
// each way of wrapping it, is read back to the same tensors.
func TestEveryNamingGivesTheNetwork(t *testing.T) {
	encoder := tensors(tiny)
	segFormer := tiny
	segFormer.Decoder, segFormer.Channels, segFormer.Classes = "segformer", 6, 5
	resNet := Network{Encoder: "resnet", Dims: [4]int{16, 32, 64, 128}, Depths: [4]int{1, 1, 2, 1}}
	timm := renamed(tensors(resNet), func(n string) string {
		return replaced(bare(n), "stem.7.", "bn1.", "stem.", "conv1.")
	})
	bareEncoder := renamed(encoder, bare)
	for name, c := range map[string]struct {
		file []safetensors.Tensor
		want []safetensors.Tensor
		of   string
	}{
		"SegFormer":           {append(slices.Clone(bareEncoder), extra("epoch")...), encoder, "SegFormer's"},
		"mmsegmentation":      {under("state_dict.backbone.", openMMLab(encoder)), encoder, "mmsegmentation's"},
		"mmsegmentation bare": {openMMLab(encoder), encoder, "mmsegmentation's"},
		"Hugging Face 4":      {append(huggingFace(4, encoder), extra("classifier.weight", "classifier.bias")...), encoder, "Hugging Face's"},
		"Hugging Face 5":      {append(huggingFace(5, encoder), extra("classifier.weight", "classifier.bias")...), encoder, "Hugging Face's"},
		"timm's ResNet":       {timm, tensors(resNet), "timm's"},
		"v1c ResNet":          {renamed(tensors(resNet), bare), tensors(resNet), "mmsegmentation's"},
		"state dict":          {under("state_dict.", encoder), encoder, "SegFormer's"},
		"DDP":                 {under("module.", encoder), encoder, "SegFormer's"},
		"compiled DDP":        {under("net.module._orig_mod.", bareEncoder), encoder, "SegFormer's"},
		"compiled encoder":    {under("model.backbone._orig_mod.", bareEncoder), encoder, "SegFormer's"},
		"Lightning":           {under("state_dict.model.encoder.", bareEncoder), encoder, "SegFormer's"},
		"checkpointed blocks": {renamed(bareEncoder, func(n string) string { return strings.Replace(n, ".0.attn.", ".0._checkpoint_wrapped_module.attn.", 1) }), encoder, "SegFormer's"},
		"teacher alone":       {under("state_dict_ema.module.", encoder), encoder, "SegFormer's"},
		"a U-Net's decoder":   {slices.Concat(extra("decoder.blocks.0.conv1.0.weight", "decoder.blocks.0.conv1.1.weight"), under("encoder.", bareEncoder)), encoder, "SegFormer's"},
		"whole decoder":       {under("model._orig_mod.module.", tensors(segFormer)), tensors(segFormer), "SegFormer's"},
	} {
		t.Run(name, func(t *testing.T) {
			raw, err := safetensors.New(nil, c.file)
			if err != nil {
				t.Fatal(err)
			}
			f, err := find(raw)
			if err != nil {
				t.Fatal(err)
			}
			same(t, f.Student, c.want)
			if err := f.Check(); err != nil {
				t.Error(err)
			}
			if f.Network.Names != c.of {
				t.Errorf("it is in %s names, want %s", f.Network.Names, c.of)
			}
		})
	}
}

// same fails where a file has not these tensors alone.
func same(t *testing.T, f *safetensors.File, want []safetensors.Tensor) {
	t.Helper()
	for _, w := range want {
		got, err := f.Tensor(w.Name)
		if err != nil {
			t.Error(err)
		} else if string(got.Data) != string(w.Data) || !slices.Equal(got.Shape, w.Shape) {
			t.Errorf("%s is %v and has other values than before", w.Name, got.Shape)
		}
	}
	if n := len(f.Names()); n != len(want) {
		t.Errorf("%d tensors, want %d", n, len(want))
	}
}

// TestSegFormerDecoders: the decoder of NVIDIA's and Hugging Face's files joins
// its inputs in the other order than DAFormer's.
func TestSegFormerDecoders(t *testing.T) {
	whole := tiny
	whole.Decoder, whole.Channels, whole.Classes = "segformer", 3, 5
	want := tensors(whole)
	other := func(to func(string) string) []safetensors.Tensor {
		out := renamed(want, to)
		for i, x := range out {
			if strings.Contains(x.Name, "linear_fuse") && len(x.Shape) == 4 {
				data, err := reversed(x, 4)
				if err != nil {
					t.Fatal(err)
				}
				out[i].Data = data
			}
		}
		return out
	}
	nvidia := other(func(n string) string {
		for i := range 4 {
			n = replaced(n, fmt.Sprintf("decode_head.linear_c.%d.", i), fmt.Sprintf("decode_head.linear_c%d.", i+1))
		}
		return n
	})
	var encoder, decoder []safetensors.Tensor
	for _, x := range other(func(n string) string {
		return replaced(n, "decode_head.linear_fuse.conv.", "decode_head.linear_fuse.", "decode_head.linear_fuse.bn.", "decode_head.batch_norm.", "decode_head.linear_pred.", "decode_head.classifier.")
	}) {
		if strings.HasPrefix(x.Name, "backbone.") {
			encoder = append(encoder, x)
		} else {
			decoder = append(decoder, x)
		}
	}
	newer := renamed(decoder, func(n string) string { return replaced(n, "decode_head.linear_c.", "decode_head.linear_projections.") })
	for name, file := range map[string][]safetensors.Tensor{
		"NVIDIA":              append(nvidia, extra("decode_head.conv_seg.weight", "decode_head.conv_seg.bias")...),
		"Hugging Face 4":      append(huggingFace(4, encoder), decoder...),
		"Hugging Face 5":      append(huggingFace(5, encoder), newer...),
		"Hugging Face by DDP": under("module.", append(huggingFace(4, encoder), decoder...)),
	} {
		t.Run(name, func(t *testing.T) {
			raw, err := safetensors.New(nil, file)
			if err != nil {
				t.Fatal(err)
			}
			f, err := find(raw)
			if err != nil {
				t.Fatal(err)
			}
			same(t, f.Student, want)
			if n, _, _, err := f.Published(); err != nil || n.Decoder != "segformer" || n.Classes != 5 || n.Channels != 3 {
				t.Errorf("it is %+v, %v", n, err)
			}
		})
	}
}

// TestPublishedNetworks: the checkpoints of DAFormer's, HRDA's, MIC's and PiPa's
// code hold three networks and the contrasts' heads.
func TestPublishedNetworks(t *testing.T) {
	for _, c := range []struct {
		name string
		n    Network
	}{
		{"DAFormer", Network{Decoder: "daformer"}},
		{"DAFormer with full convolutions", Network{Decoder: "daformer-aspp"}},
		{"SegFormer", Network{Decoder: "segformer"}},
		{"HRDA", Network{Decoder: "daformer", HRDA: true}},
		{"HRDA with DeepLab", Network{Decoder: "deeplabv2", HRDA: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.n.Encoder, c.n.Dims, c.n.Depths, c.n.Classes = "mit", tiny.Dims, tiny.Depths, 6
			if c.n.Decoder != "deeplabv2" {
				c.n.Channels = 4
			}
			network := tensors(c.n)
			plus := func(prefix string, n byte) []safetensors.Tensor { // other values in each network
				out := under(prefix, network)
				for i, x := range out {
					if x.DType == "F32" {
						out[i].Data = append([]byte{x.Data[0] ^ n}, x.Data[1:]...)
					}
				}
				return out
			}
			raw, err := safetensors.New(map[string]string{"meta.config": "model = dict(\n    hr_crop_size=[512, 640],\n"}, under("state_dict.", slices.Concat(
				plus("model.", 0), extra("model.cls_head.0.weight", "model.proj_head.proj.0.weight"),
				plus("ema_model.", 1), extra("ema_model.cls_head.0.weight"), plus("imnet_model.", 2), extra("project.0.weight", "classifier.weight"))))
			if err != nil {
				t.Fatal(err)
			}
			f, err := find(raw)
			if err != nil {
				t.Fatal(err)
			}
			n, student, teacher, err := f.Published()
			if err != nil {
				t.Fatal(err)
			}
			c.n.Names, c.n.Heads, c.n.Crop = "SegFormer's", true, [2]int{512, 640}
			if n != c.n {
				t.Errorf("it is %+v, want %+v", n, c.n)
			}
			same(t, student, network)
			same(t, teacher, plus("", 1))
			if len(f.Notes) > 0 {
				t.Errorf("notes %q, want none", f.Notes)
			}
			if !f.Student.Has("project.0.weight") || !f.Student.Has("cls_head.0.weight") || f.Teacher.Has("cls_head.0.weight") {
				t.Errorf("the student has %v", f.Student.Names())
			}
		})
	}
}

// TestMisfitsAreThreeLines: which network it is, the first tensor, what was
// wanted; and the rest in a report.
func TestMisfitsAreThreeLines(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(map[string]safetensors.Tensor)
		want   []string
	}{
		{"missing", func(m map[string]safetensors.Tensor) { delete(m, "backbone.norm1.bias") }, []string{"norm1.bias is missing", "wanted [4]"}},
		{"unexpected", func(m map[string]safetensors.Tensor) { m["backbone.norm1.scale"] = extra("backbone.norm1.scale")[0] }, []string{"norm1.scale is F32 [1]", "wanted no such tensor"}},
		{"other shape", func(m map[string]safetensors.Tensor) {
			x := m["backbone.norm2.weight"]
			x.Shape = []int{2, 2}
			m[x.Name] = x
		}, []string{"norm2.weight is F32 [2 2]", "wanted [4]"}},
		{"two", func(m map[string]safetensors.Tensor) {
			delete(m, "backbone.norm1.bias")
			delete(m, "backbone.norm2.bias")
		}, []string{"norm1.bias is missing", "wanted [4]; 1 tensor does not fit either"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			byName := map[string]safetensors.Tensor{}
			for _, x := range tensors(tiny) {
				byName[x.Name] = x
			}
			c.change(byName)
			f := opened(t, slices.Collect(maps.Values(byName)))
			_, err := f.Fit("backbone.", tiny.Wants())
			m := (*Misfit)(nil)
			if !errors.As(err, &m) {
				t.Fatalf("%v, want a misfit", err)
			}
			want := append([]string{f.Path + " is a MiT of [4 4 5 8] channels and [1 2 1 1] blocks in SegFormer's names, without a decoder"}, c.want...)
			if got := strings.Split(strings.ReplaceAll(err.Error(), "backbone.", ""), "\n"); !slices.Equal(got, want) {
				t.Errorf("error\n%q, want\n%q", got, want)
			}
			if got := strings.Count(m.Report(), "\n"); got != 1+len(m.Problems) {
				t.Errorf("the report has %d lines, want one and %d", got, len(m.Problems))
			}
		})
	}
	// A tensor that is there in a type that is not read is not called missing.
	f := opened(t, slices.DeleteFunc(tensors(tiny), func(x safetensors.Tensor) bool { return x.Name == "backbone.norm1.bias" }))
	f.Student.Skipped = []safetensors.Skipped{{Name: "backbone.norm1.bias", DType: "float8_e4m3fn", Shape: []int{4}}}
	if _, err := f.Fit("backbone.", tiny.Wants()); err == nil || !strings.Contains(err.Error(), "backbone.norm1.bias is float8_e4m3fn (a type that is not read) [4]") {
		t.Errorf("error %v does not name the type", err)
	}
	// A decoder that is not one of pipa's.
	f = opened(t, append(tensors(tiny), extra("decode_head.convs.0.conv.weight")...))
	if _, _, _, err := f.Published(); err == nil || !strings.Contains(err.Error(), "convs.0.conv.weight") || !strings.Contains(err.Error(), "daformer-aspp") {
		t.Errorf("error %v does not say which decoder it has and which there are", err)
	}
}

// opened is a File of tensors that a safetensors file has.
func opened(t *testing.T, tensors []safetensors.Tensor) *File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.safetensors")
	if err := safetensors.WriteFile(path, nil, tensors); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestFloatsAreWidened: exactly.
func TestFloatsAreWidened(t *testing.T) {
	file := tensors(tiny)
	for i, x := range file {
		switch x.Name {
		case "backbone.norm1.bias":
			file[i].DType, file[i].Data = "F16", []byte{0, 0x3c, 0, 0xc0, 1, 0, 0, 0x7c}
		case "backbone.norm2.bias":
			file[i].DType, file[i].Data = "BF16", []byte{0x80, 0x3f, 0, 0xc0, 0, 0, 0x80, 0x7f}
		}
	}
	f := opened(t, file)
	for name, want := range map[string][]float32{
		"backbone.norm1.bias": {1, -2, 1.0 / (1 << 24), float32(math.Inf(1))},
		"backbone.norm2.bias": {1, -2, 0, float32(math.Inf(1))},
	} {
		x, err := f.Student.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := x.Float32s(); err != nil || x.DType != "F32" || !slices.Equal(got, want) {
			t.Errorf("%s is %s %v, %v, want F32 %v", name, x.DType, got, err, want)
		}
	}
	if bad, err := NonFinite(f.Student); err != nil || !slices.Equal(bad, []string{"backbone.norm1.bias (1 of 4 values)", "backbone.norm2.bias (1 of 4 values)"}) {
		t.Errorf("not finite: %q, %v", bad, err)
	}
}

// TestOlderFilesLackCounters: a batch norm without num_batches_tracked has
// counted nothing.
func TestOlderFilesLackCounters(t *testing.T) {
	n := Network{Encoder: "resnet", Dims: [4]int{16, 32, 64, 128}, Depths: [4]int{1, 1, 1, 1}}
	f := opened(t, slices.DeleteFunc(tensors(n), func(x safetensors.Tensor) bool { return x.DType == "I64" }))
	got, err := f.Fit("", n.Wants())
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, tensors(n))
}

// TestOtherFilesAreNamed: what is not weights is said to be what it is.
func TestOtherFilesAreNamed(t *testing.T) {
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole.safetensors")
	if err := safetensors.WriteFile(whole, nil, tensors(tiny)); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	zip, err := os.ReadFile("torchfile/testdata/zip.pth")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ data, want string }{
		"empty":         {"", "the file is empty"},
		"LFS":           {"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 3\n", "Git LFS pointer"},
		"page":          {"\n<!DOCTYPE html><html>", "a web page"},
		"error":         {"<?xml version=\"1.0\"?><Error>AccessDenied</Error>", "XML"},
		"JSON":          {`{"error":"Repository not found"}`, "JSON"},
		"text":          {"Entry not found", "text"},
		"gzip":          {"\x1f\x8b\x08\x00", "compressed"},
		"HDF5":          {"\x89HDF\r\n\x1a\n", "HDF5"},
		"image":         {"\x89PNG\r\n", "an image"},
		"cut data":      {string(data[:len(data)-1]), "cut off"},
		"cut header":    {string(data[:100]), "cut off"},
		"cut archive":   {string(zip[:len(zip)-10]), "cut off"},
		"other archive": {"PK\x03\x04" + strings.Repeat("\x00", 40), "cut off"},
		"noise":         {"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09", "not a safetensors file"},
	} {
		path := filepath.Join(dir, "x.pth")
		if err := os.WriteFile(path, []byte(c.data), 0o666); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	for name, file := range map[string][]safetensors.Tensor{"nothing": nil, "no encoder": extra("conv.weight")} {
		raw, err := safetensors.New(nil, file)
		if err != nil {
			t.Fatal(err)
		}
		if f, err := find(raw); err == nil {
			t.Errorf("%s: read as %s", name, f.Network)
		}
	}
}

// TestHeadersLookLikeAnything: a safetensors file's first bytes are a length,
// which may be those of a pickle.
func TestHeadersLookLikeAnything(t *testing.T) {
	for _, version := range []int{2, 3, 4, 5} {
		head := binary.LittleEndian.AppendUint64(nil, uint64(0x80+version<<8))
		if kind := sniff(append(head, '{', '"')); kind != "" {
			t.Errorf("a header of %d bytes is called %q", 0x80+version<<8, kind)
		}
	}
}

// TestShards: an index or the folder of one gives the tensors of all its files.
func TestShards(t *testing.T) {
	dir := t.TempDir()
	want := tensors(tiny)
	write := func(name string, tensors []safetensors.Tensor) {
		if err := safetensors.WriteFile(filepath.Join(dir, name), nil, tensors); err != nil {
			t.Fatal(err)
		}
	}
	index := func(second string) {
		var b strings.Builder
		b.WriteString(`{"metadata":{"total_size":1},"weight_map":{`)
		for i, x := range want {
			file := "model-00001-of-00002.safetensors"
			if i >= 20 {
				file = second
			}
			fmt.Fprintf(&b, "%q:%q", x.Name, file)
			if i < len(want)-1 {
				b.WriteByte(',')
			}
		}
		b.WriteString("}}")
		if err := os.WriteFile(filepath.Join(dir, "model.safetensors.index.json"), []byte(b.String()), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	const second = "model-00002-of-00002.safetensors"
	write("model-00001-of-00002.safetensors", want[:20])
	index(second)
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "shard 2 of 2 is missing: "+second) {
		t.Errorf("a missing shard: %v", err)
	}
	write(second, want[20:])
	for _, path := range []string{dir, filepath.Join(dir, "model.safetensors.index.json")} {
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		same(t, f.Student, want)
	}
	write(second, want[21:])
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "has no tensor "+want[20].Name) {
		t.Errorf("a shard without a tensor: %v", err)
	}
	index("../outside.safetensors")
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "does not lie beside it") {
		t.Errorf("a shard elsewhere: %v", err)
	}
	if _, err := Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), "none of model.safetensors") {
		t.Errorf("an empty folder: %v", err)
	}
}

// TestReadTellsFormatsApart: a file's first bytes say what it is, not its name.
func TestReadTellsFormatsApart(t *testing.T) {
	for _, name := range []string{"zip.pth", "legacy.pth", "legacy4.pth"} {
		f, err := Read("torchfile/testdata/" + name)
		if err != nil {
			t.Error(err)
			continue
		}
		if n := len(f.Names()); n != 8 {
			t.Errorf("%s has %d tensors, want 8", name, n)
		}
	}
}

// TestSourcesAndNotes: a file says where its tensors come from and what was left
// out.
func TestSourcesAndNotes(t *testing.T) {
	f := opened(t, slices.Concat(under("model.", tensors(tiny)), extra("epoch", "model.segmentation_head.0.weight"), under("other.", tensors(tiny))))
	if got, want := f.Sources["backbone.norm1.bias"], "model.backbone.norm1.bias"; got != want {
		t.Errorf("norm1.bias comes from %q, want %q", got, want)
	}
	notes := strings.Join(f.Notes, "\n")
	for _, want := range []string{"second student, other.backbone.…", "2 tensors beside the network are left out: epoch, model.segmentation_head.0.weight"} {
		if !strings.Contains(notes, want) {
			t.Errorf("notes %q do not say %q", notes, want)
		}
	}
}

// TestTeacherAlone: a file without a student gives its teacher as both.
func TestTeacherAlone(t *testing.T) {
	f := opened(t, under("ema_model.", tensors(tiny)))
	if f.Teacher != f.Student || !slices.Contains(f.Notes, "it has no student: the teacher is taken") {
		t.Errorf("teacher %v, notes %q", f.Teacher, f.Notes)
	}
}

// FuzzFind: any tensors give a file or an error, soon.
func FuzzFind(f *testing.F) {
	f.Add("backbone.patch_embed1.proj.weight", "layers.0.1.0.attn.attn.in_proj_weight", 2, 3)
	f.Add("decode_head.linear_fuse.weight", "patch_embeddings.0.proj.weight", 4, 8)
	f.Add("model.patch_embed1.proj.weight", "module.model.block1.99999999999999999999.x", 1, 0)
	f.Add("stages.0.patch_embeddings.proj.weight", "stages.0.blocks.0.attention.k_proj.bias", 1, 3)
	f.Fuzz(func(t *testing.T, a, b string, rows, columns int) {
		if rows < 0 || rows > 8 || columns < 0 || columns > 8 || a == b {
			return
		}
		data := make([]byte, 4*rows*columns)
		raw, err := safetensors.New(nil, []safetensors.Tensor{
			{Name: a, DType: "F32", Shape: []int{rows, columns}, Data: data},
			{Name: b, DType: "F32", Shape: []int{rows, columns, 1, 1}, Data: data},
		})
		if err != nil {
			t.Fatal(err)
		}
		if file, err := find(raw); err == nil {
			_ = file.Report()
		}
	})
}
