package weights

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/train/weights/safetensors"
	"github.com/pipa-uda/pipa/train/weights/torchfile"
)

// Files of a folder that hold a network, in the order they are looked for: as
// transformers, diffusers and timm name them.
var inFolder = []string{
	"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json",
	"open_clip_model.safetensors", "pytorch_model.safetensors",
}

// Read reads a file, an index of shards, or the folder of either, with the names
// that it has; those of a file of torch.save begin with the keys that lead to
// the tensors.
func Read(path string) (*safetensors.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read weights: %w", err)
	}
	if info.IsDir() {
		for _, name := range inFolder {
			if _, err := os.Stat(filepath.Join(path, name)); err == nil {
				return Read(filepath.Join(path, name))
			}
		}
		if _, err := os.Stat(filepath.Join(path, ".metadata")); err == nil {
			return nil, fmt.Errorf("read weights %s: it is a folder of torch.distributed.checkpoint: make a file of it by python -m torch.distributed.checkpoint.format_utils dcp_to_torch", path)
		}
		return nil, fmt.Errorf("read weights %s: the folder has none of %s", path, strings.Join(inFolder[:4], ", "))
	}
	if strings.HasSuffix(path, ".index.json") {
		f, err := readShards(path)
		if err != nil {
			return nil, fmt.Errorf("read weights %s: %w", path, err)
		}
		return f, nil
	}
	head, err := firstBytes(path)
	if err != nil {
		return nil, fmt.Errorf("read weights %s: %w", path, err)
	}
	switch kind := sniff(head); {
	case kind == torchSave:
		return torchfile.Open(path)
	case kind != "":
		return nil, fmt.Errorf("read weights %s: %s", path, kind)
	}
	return safetensors.Open(path)
}

func firstBytes(path string) ([]byte, error) {
	f, err := files.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, 512))
	return head, err
}

// torchSave is what [sniff] calls a file of torch.save.
const torchSave = "a file of torch.save"

// sniff says what a file is by its first bytes, where that is not safetensors.
func sniff(head []byte) string {
	begins := func(text string) bool { return bytes.HasPrefix(head, []byte(text)) }
	text := bytes.ToLower(bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n"))
	switch {
	case len(head) > 8 && head[8] == '{' && bytes.Equal(head[5:8], []byte{0, 0, 0}):
		return "" // safetensors: a length, and a header, whose length may look like anything below
	case len(head) == 0:
		return "the file is empty: copy or download it again"
	case begins("PK\x03\x04"), len(head) > 2 && head[0] == 0x80 && head[1] >= 2 && head[1] <= 5:
		return torchSave
	case begins("version https://git-lfs"):
		return "it is a Git LFS pointer, not the file itself: get that by git lfs pull"
	case begins("/annex/objects/"), bytes.Contains(head, []byte(".git/annex/objects/")):
		return "it is a git-annex pointer, not the file itself: get that by git annex get"
	case bytes.HasPrefix(text, []byte("<!doctype")), bytes.HasPrefix(text, []byte("<html")), bytes.HasPrefix(text, []byte("<head")):
		return "it is a web page, not weights: the server answered the download with a page, such as a warning or a login"
	case bytes.HasPrefix(text, []byte("<?xml")), bytes.HasPrefix(text, []byte("<error")):
		return "it is XML, not weights: the server answered the download with an error"
	case bytes.HasPrefix(text, []byte("{")), bytes.HasPrefix(text, []byte("[")):
		return "it is JSON, not weights: a configuration, or a server's answer to the download (an index of shards ends in .index.json)"
	case begins("\x1f\x8b"), begins("\xfd7zXZ"), begins("\x28\xb5\x2f\xfd"), begins("BZh"), begins("7z\xbc\xaf"):
		return "it is compressed: unpack it first"
	case len(head) > 262 && string(head[257:262]) == "ustar":
		return "it is a tar archive: unpack it first"
	case begins("\x89HDF"):
		return "it is HDF5, as Keras writes, which is not read: save the PyTorch network's state dict"
	case begins("GGUF"):
		return "it is GGUF, which is not read: take the safetensors of the same network"
	case begins("\x93NUMPY"):
		return "it is a NumPy array, which is not read: save the tensors as safetensors"
	case begins("\x89PNG"), begins("\xff\xd8\xff"):
		return "it is an image, not weights"
	case begins("PK\x05\x06"):
		return "it is an empty zip archive: copy or download it again"
	case !slices.Contains(head, 0) && isText(head):
		return "it is text, not weights: a server's answer to the download, or another file"
	}
	return ""
}

func isText(head []byte) bool {
	return !slices.ContainsFunc(head, func(b byte) bool { return b < ' ' && b != '\n' && b != '\r' && b != '\t' || b >= 0x80 })
}

// maxShards bounds the files of an index: the largest networks have some 200.
const maxShards = 4096

// readShards reads the files that an index names for its tensors, as
// save_pretrained writes them. They lie beside it.
func readShards(path string) (*safetensors.File, error) {
	text, err := files.Read(path)
	if err != nil {
		return nil, err
	}
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(text, &index); err != nil {
		return nil, fmt.Errorf("it is not an index of shards: %w", err)
	}
	if len(index.WeightMap) == 0 {
		return nil, errors.New("it is not an index of shards: it has no weight_map")
	}
	var names []string
	for _, name := range index.WeightMap {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		if len(names) > maxShards {
			return nil, fmt.Errorf("it names more than %d files", maxShards)
		}
	}
	slices.Sort(names)
	var tensors []safetensors.Tensor
	var skipped []safetensors.Skipped
	var notes []string
	for i, name := range names {
		if !files.IsPlainName(name) || strings.HasSuffix(name, ".index.json") {
			return nil, fmt.Errorf("shard %q does not lie beside it", name)
		}
		part, err := Read(filepath.Join(filepath.Dir(path), name))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("shard %d of %d is missing: %s", i+1, len(names), name)
		} else if err != nil {
			return nil, fmt.Errorf("shard %d of %d: %w", i+1, len(names), err)
		}
		for _, tensor := range part.Names() {
			t, err := part.Tensor(tensor)
			if err != nil {
				return nil, err
			}
			if index.WeightMap[tensor] == name {
				tensors = append(tensors, t)
			}
		}
		skipped = append(skipped, part.Skipped...)
		for _, note := range part.Notes {
			notes = append(notes, name+": "+note)
		}
	}
	f, err := safetensors.New(nil, tensors)
	if err != nil {
		return nil, err
	}
	f.Skipped, f.Notes = skipped, notes
	for tensor, name := range index.WeightMap {
		if !f.Has(tensor) && !slices.ContainsFunc(skipped, func(s safetensors.Skipped) bool { return s.Name == tensor }) {
			return nil, fmt.Errorf("shard %s has no tensor %s", name, tensor)
		}
	}
	return f, nil
}
