// Package weights reads network weights as others publish them, and gives them
// the names that pipa's networks have: backbone.* for the encoder,
// decode_head.* for the decoder, as in mmsegmentation.
//
// It reads safetensors and the files of torch.save. The names may be those of
// SegFormer's and DAFormer's MiT files (patch_embed1.proj.weight), of Hugging
// Face's (segformer.encoder.…), of mmsegmentation, and of DAFormer's, HRDA's,
// MIC's and PiPa's checkpoints, of which the student is taken.
//
//	f, err := weights.Open("mit_b5.pth")
package weights

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/train/weights/safetensors"
	"github.com/pipa-uda/pipa/train/weights/torchfile"
)

// Where the files come from; nothing is downloaded.
const Sources = `MiT encoders with ImageNet weights: nvidia/mit-b0 … mit-b5 on huggingface.co (model.safetensors or pytorch_model.bin),
or mit_b5.pth from the SegFormer or DAFormer repositories. ResNet: resnet101_v1c from mmsegmentation's model zoo.
Adapted networks: the checkpoints that the DAFormer, HRDA, MIC and PiPa repositories link to.`

// Open reads a file and names its tensors canonically.
func Open(path string) (*safetensors.File, error) {
	f, err := Read(path)
	if err != nil {
		return nil, err
	}
	if f, err = Canonical(f); err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return f, nil
}

// Read reads a file as it is.
func Read(path string) (*safetensors.File, error) {
	file, err := files.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read weights: %w", err)
	}
	defer file.Close()
	head := make([]byte, 4)
	if _, err := file.ReadAt(head, 0); err != nil {
		return nil, fmt.Errorf("read weights %s: %w", path, err)
	}
	if bytes.Equal(head, []byte("PK\x03\x04")) || head[0] == 0x80 && head[1] >= 2 && head[1] <= 5 && (head[2] == 0x8a || head[2] == 0x95) {
		return torchfile.Open(path)
	}
	return safetensors.Open(path)
}

// Canonical renames the tensors of a file. A file whose names are canonical
// already is returned as it is.
func Canonical(f *safetensors.File) (*safetensors.File, error) {
	rename := func(name string) string { return name }
	switch {
	case has(f, "model.backbone."):
		// A UDA checkpoint: the student is "model.", beside ema_model. and
		// imnet_model.; project. and classifier. are PiPa's patch contrast.
		rename = func(name string) string {
			if bare, ok := strings.CutPrefix(name, "model."); ok {
				return bare
			}
			if strings.HasPrefix(name, "project.") || strings.HasPrefix(name, "classifier.") {
				return name
			}
			return ""
		}
	case has(f, "module."):
		rename = func(name string) string { return strings.TrimPrefix(name, "module.") }
	case has(f, "segformer.encoder."), has(f, "encoder.patch_embeddings."):
		return huggingFace(f)
	case has(f, "patch_embed1."), has(f, "stem.0."):
		rename = func(name string) string { return "backbone." + name }
	}
	var out []safetensors.Tensor
	for _, name := range f.Names() {
		t, err := f.Tensor(name)
		if err != nil {
			return nil, err
		}
		if t.Name = rename(name); t.Name != "" {
			out = append(out, t)
		}
	}
	return safetensors.New(f.Metadata, out)
}

func has(f *safetensors.File, prefix string) bool {
	for _, name := range f.Names() {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// Hugging Face's names of SegFormer's encoder (transformers,
// models/segformer/modeling_segformer.py), with ours. Stages count from 0
// there and from 1 here; key and value are two layers there and one, kv, here.
var huggingFaceNames = []struct {
	pattern *regexp.Regexp
	format  string // of the stage, counted from 1, the block, and the rest
}{
	{regexp.MustCompile(`^patch_embeddings\.(\d+)\.()proj\.(.*)$`), "patch_embed%d.proj.%[3]s"},
	{regexp.MustCompile(`^patch_embeddings\.(\d+)\.()layer_norm\.(.*)$`), "patch_embed%d.norm.%[3]s"},
	{regexp.MustCompile(`^layer_norm\.(\d+)\.()(.*)$`), "norm%d.%[3]s"},
	{regexp.MustCompile(`^block\.(\d+)\.(\d+)\.layer_norm_1\.(.*)$`), "block%d.%s.norm1.%s"},
	{regexp.MustCompile(`^block\.(\d+)\.(\d+)\.layer_norm_2\.(.*)$`), "block%d.%s.norm2.%s"},
	{regexp.MustCompile(`^block\.(\d+)\.(\d+)\.attention\.self\.query\.(.*)$`), "block%d.%s.attn.q.%s"},
	{regexp.MustCompile(`^block\.(\d+)\.(\d+)\.attention\.self\.key\.(.*)$`), "block%d.%s.attn.kv.%s"},
	{regexp.MustCompile(`^block\.(\d+)\.(\d+)\.attention\.self\.sr\.(.*)$`), "block%d.%s.attn.sr.%s"},
	{regexp.MustCompile(`^block\.(\d+)\.(\d+)\.attention\.self\.layer_norm\.(.*)$`), "block%d.%s.attn.norm.%s"},
	{regexp.MustCompile(`^block\.(\d+)\.(\d+)\.attention\.output\.dense\.(.*)$`), "block%d.%s.attn.proj.%s"},
	{regexp.MustCompile(`^block\.(\d+)\.(\d+)\.mlp\.dense1\.(.*)$`), "block%d.%s.mlp.fc1.%s"},
	{regexp.MustCompile(`^block\.(\d+)\.(\d+)\.mlp\.dwconv\.dwconv\.(.*)$`), "block%d.%s.mlp.dwconv.dwconv.%s"},
	{regexp.MustCompile(`^block\.(\d+)\.(\d+)\.mlp\.dense2\.(.*)$`), "block%d.%s.mlp.fc2.%s"},
}

// huggingFace renames a SegFormer encoder; the ImageNet classifier is kept as
// head.*, as in the original files.
func huggingFace(f *safetensors.File) (*safetensors.File, error) {
	var out []safetensors.Tensor
	for _, full := range f.Names() {
		t, err := f.Tensor(full)
		if err != nil {
			return nil, err
		}
		name := strings.TrimPrefix(strings.TrimPrefix(full, "segformer."), "encoder.")
		if rest, ok := strings.CutPrefix(full, "classifier."); ok {
			t.Name = "backbone.head." + rest
			out = append(out, t)
			continue
		}
		if strings.Contains(name, ".attention.self.value.") {
			continue // joined with its key
		}
		renamed := ""
		for _, n := range huggingFaceNames {
			m := n.pattern.FindStringSubmatch(name)
			if m == nil {
				continue
			}
			stage := 0
			fmt.Sscan(m[1], &stage)
			renamed = fmt.Sprintf(n.format, stage+1, m[2], m[3])
			break
		}
		if renamed == "" {
			return nil, fmt.Errorf("%s is not a name of a SegFormer encoder", full)
		}
		t.Name = "backbone." + renamed
		if strings.Contains(name, ".attention.self.key.") {
			value, err := f.Tensor(strings.Replace(full, ".key.", ".value.", 1))
			if err != nil {
				return nil, fmt.Errorf("%s has no value beside it: %w", full, err)
			}
			if value.DType != t.DType || len(t.Shape) == 0 || value.Len() != t.Len() {
				return nil, fmt.Errorf("%s and its value have different shapes", full)
			}
			shape := append([]int(nil), t.Shape...)
			shape[0] *= 2
			t.Shape, t.Data = shape, append(append([]byte(nil), t.Data...), value.Data...)
		}
		out = append(out, t)
	}
	return safetensors.New(f.Metadata, out)
}

// Encoder is the encoder's part of canonical weights, without its
// classification head, named as the encoder's own: without "backbone.".
func Encoder(f *safetensors.File) (*safetensors.File, error) {
	var out []safetensors.Tensor
	for _, name := range f.Names() {
		bare, ok := strings.CutPrefix(name, "backbone.")
		if !ok || strings.HasPrefix(bare, "head.") || strings.HasPrefix(bare, "fc.") {
			continue
		}
		t, err := f.Tensor(name)
		if err != nil {
			return nil, err
		}
		t.Name = bare
		out = append(out, t)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("it has no encoder: no names that begin with patch_embed1., segformer.encoder., stem. or backbone.\n%s", Sources)
	}
	return safetensors.New(f.Metadata, out)
}
