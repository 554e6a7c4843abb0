// Package torchfile reads the tensors of files that torch.save wrote, zip
// archives and the older stream of pickles alike. The pickle is parsed, never
// executed: classes outside a short list become inert values. Every length is
// checked against the file before memory is taken for it.
//
//	f, err := torchfile.Open("mit_b5.pth")
//	t, err := f.Tensor("patch_embed1.proj.weight")
package torchfile

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"path"
	"slices"

	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/train/weights/safetensors"
)

// Limits on what a checkpoint may hold: MiT-B5 with its optimizer has 1 GB.
const (
	maxFile   = 16 << 30
	maxPickle = 256 << 20
)

// Open reads the file at path. A checkpoint that wraps its tensors
// ("state_dict", "model") is unwrapped. Tensors are copied out of the file.
func Open(path string) (f *safetensors.File, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("read %s: %w", path, err)
		}
	}()
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("it has %d GiB", info.Size()>>30)
	}
	data, err := files.Read(path)
	if err != nil {
		return nil, err
	}
	return Parse(data)
}

// Parse is Open for a file's contents.
func Parse(data []byte) (*safetensors.File, error) {
	var object any
	var err error
	switch {
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		object, err = parseZip(data)
	case len(data) > 0 && data[0] == 0x80:
		object, err = parseLegacy(data)
	default:
		return nil, errors.New("it is not a file of torch.save: neither a zip archive nor a pickle")
	}
	if err != nil {
		return nil, err
	}
	return collect(object, len(data))
}

// storage is where tensors' elements lie.
type storage struct {
	dtype string
	count int
	data  []byte // little-endian
}

// elements are safetensors' names and sizes of torch's storage classes.
var elements = map[string]struct {
	dtype string
	size  int
}{
	"FloatStorage": {"F32", 4}, "DoubleStorage": {"F64", 8}, "HalfStorage": {"F16", 2}, "BFloat16Storage": {"BF16", 2},
	"LongStorage": {"I64", 8}, "IntStorage": {"I32", 4}, "ShortStorage": {"I16", 2}, "CharStorage": {"I8", 1}, "ByteStorage": {"U8", 1}, "BoolStorage": {"BOOL", 1},
}

// view is a tensor: strided elements of a storage.
type view struct {
	storage       *storage
	offset        int
	shape, stride []int
}

// describe reads a persistent id ("storage", class, key, location, count, …).
func describe(id *tuple) (s *storage, key string, bytes int, err error) {
	if len(id.items) < 5 || id.items[0] != "storage" {
		return nil, "", 0, errors.New("unexpected persistent id")
	}
	class, ok1 := id.items[1].(storageClass)
	key, ok2 := id.items[2].(string)
	count, ok3 := id.items[4].(int)
	if !ok1 || !ok2 || !ok3 || count < 0 || count > maxFile {
		return nil, "", 0, errors.New("a storage's description has unexpected types")
	}
	e := elements[class.name]
	return &storage{dtype: e.dtype, count: count}, key, count * e.size, nil
}

// parseZip reads the format of torch 1.6 and later: data.pkl, and a record for
// each storage.
func parseZip(data []byte) (any, error) {
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	// Names are looked up here, and lead nowhere else.
	records := map[string]*zip.File{}
	root, pickles := "", 0
	for _, f := range archive.File {
		if records[f.Name] != nil {
			return nil, fmt.Errorf("the archive has %q twice", f.Name)
		}
		records[f.Name] = f
		if dir, name := path.Split(f.Name); name == "data.pkl" {
			if root, pickles = dir, pickles+1; pickles > 1 {
				return nil, errors.New("the archive has more than one data.pkl")
			}
		} else if name == "constants.pkl" {
			return nil, errors.New("it is a TorchScript archive: save the state dict instead")
		}
	}
	read := func(name string, least, most int64) ([]byte, error) {
		f := records[name]
		if f == nil {
			return nil, fmt.Errorf("the archive has no %s", name)
		}
		if f.Method != zip.Store { // which torch.save never does
			return nil, fmt.Errorf("%s is compressed", name)
		}
		if size := f.UncompressedSize64; size < uint64(least) || size > uint64(min(most, int64(len(data)))) {
			return nil, fmt.Errorf("%s has %d bytes, want %d to %d", name, size, least, most)
		}
		r, err := f.Open()
		if err != nil {
			return nil, err
		}
		defer r.Close()
		return io.ReadAll(io.LimitReader(r, most+1))
	}
	if order, err := read(root+"byteorder", 0, 16); err == nil && string(order) != "little" {
		return nil, fmt.Errorf("its byte order is %q, want little", order)
	}
	text, err := read(root+"data.pkl", 1, maxPickle)
	if err != nil {
		return nil, err
	}
	loaded := map[string]*storage{}
	left := int64(len(data)) // of the storages' bytes: records may lie over each other
	object, _, err := unpickle(text, func(id *tuple) (any, error) {
		s, key, size, err := describe(id)
		if err != nil {
			return nil, err
		}
		if known := loaded[key]; known != nil {
			return known, nil
		}
		if left -= int64(size); left < 0 {
			return nil, errors.New("its storages have more bytes than the file")
		}
		if s.data, err = read(root+"data/"+key, int64(size), int64(size)); err != nil {
			return nil, err
		}
		if len(s.data) != size {
			return nil, fmt.Errorf("storage %s has %d bytes, want %d", key, len(s.data), size)
		}
		loaded[key] = s
		return s, nil
	})
	return object, err
}

// legacyMagic is the number that begins the older format.
var legacyMagic, _ = new(big.Int).SetString("1950a86a20f9469cfc6c", 16)

// parseLegacy reads the format before torch 1.6: pickles of the magic number,
// the version, the system, the object and the storages' keys, then the storages
// themselves, each with its count before it.
func parseLegacy(data []byte) (any, error) {
	loaded := map[string]*storage{}
	sizes := map[string]int{}
	next := func(load func(*tuple) (any, error)) (any, error) {
		object, end, err := unpickle(data, load)
		data = data[end:]
		return object, err
	}
	magic, err := next(nil)
	if n, ok := magic.(*big.Int); err != nil || !ok || n.Cmp(legacyMagic) != 0 {
		return nil, errors.New("it is a pickle, and not one of torch.save")
	}
	if version, err := next(nil); err != nil || version != 1001 {
		return nil, errors.New("its protocol is not 1001")
	}
	if _, err := next(nil); err != nil {
		return nil, fmt.Errorf("system description: %w", err)
	}
	object, err := next(func(id *tuple) (any, error) {
		s, key, size, err := describe(id)
		if err != nil {
			return nil, err
		}
		if len(id.items) > 5 && id.items[5] != nil {
			return nil, errors.New("storages that are views of others (torch before 0.4) are not supported")
		}
		if known := loaded[key]; known != nil {
			return known, nil
		}
		loaded[key], sizes[key] = s, size
		return s, nil
	})
	if err != nil {
		return nil, err
	}
	keys, err := next(nil)
	if err != nil {
		return nil, err
	}
	stored, ok := keys.(*list)
	if !ok {
		return nil, errors.New("its list of storages is none")
	}
	for _, k := range stored.items {
		key, _ := k.(string)
		s := loaded[key]
		if s == nil {
			return nil, fmt.Errorf("storage %q belongs to no tensor", key)
		}
		if len(data) < 8 || binary.LittleEndian.Uint64(data) != uint64(s.count) || len(data)-8 < sizes[key] {
			return nil, fmt.Errorf("storage %s is cut off, or has another size than its tensors say", key)
		}
		s.data, data = data[8:8+sizes[key]], data[8+sizes[key]:]
	}
	for key, s := range loaded {
		if len(s.data) != sizes[key] {
			return nil, fmt.Errorf("storage %s is missing", key)
		}
	}
	return object, nil
}

// maxShared is how often the tensors may have a file's bytes: networks share
// storages among a few tensors, as tied weights.
const maxShared = 8

// collect finds the named tensors of what was pickled in a file of most bytes.
func collect(object any, most int) (*safetensors.File, error) {
	for range 3 { // checkpoints nest once or twice
		items, err := named(object)
		if err != nil {
			return nil, err
		}
		var tensors []safetensors.Tensor
		copied := 0
		for _, it := range items {
			if v, ok := it.value.(*view); ok {
				t, err := v.tensor(it.key)
				if err != nil {
					return nil, err
				}
				if copied += len(t.Data); copied > maxShared*most {
					return nil, fmt.Errorf("its tensors have more than %d times the file's bytes", maxShared)
				}
				tensors = append(tensors, t)
			}
		}
		if len(tensors) > 0 {
			return safetensors.New(nil, tensors)
		}
		i := slices.IndexFunc(items, func(it item) bool { return it.key == "state_dict" || it.key == "model" || it.key == "model_state_dict" })
		if i < 0 {
			break
		}
		object = items[i].value
	}
	return nil, errors.New("it holds no state dict: no tensors by name, alone or under \"state_dict\" or \"model\"")
}

type item struct {
	key   string
	value any
}

// named lists a dictionary's entries whose keys are strings. Of two with one key
// the later counts.
func named(object any) ([]item, error) {
	d, ok := object.(*dict)
	if !ok {
		return nil, errors.New("it holds no dictionary of tensors")
	}
	var items []item
	place := map[string]int{}
	for _, e := range d.items {
		key, ok := e.key.(string)
		if !ok {
			continue
		}
		if i, known := place[key]; known {
			items[i].value = e.value
			continue
		}
		place[key] = len(items)
		items = append(items, item{key, e.value})
	}
	return items, nil
}

// tensor copies a view's elements, row-major.
func (v *view) tensor(name string) (safetensors.Tensor, error) {
	t := safetensors.Tensor{Name: name, DType: v.storage.dtype, Shape: slices.Clone(v.shape)}
	outside := fmt.Errorf("tensor %s of shape %v reaches outside its storage of %d elements", name, v.shape, v.storage.count)
	if slices.Contains(v.shape, 0) {
		return t, nil
	}
	count := 1
	for _, n := range v.shape {
		if count > v.storage.count/n {
			return t, outside // more elements than there are
		}
		count *= n
	}
	last := v.offset
	for i, n := range v.shape {
		if n > 1 && v.stride[i] > v.storage.count/(n-1) {
			return t, outside
		}
		last += (n - 1) * v.stride[i]
	}
	if v.offset < 0 || last >= v.storage.count {
		return t, outside
	}
	size := len(v.storage.data) / max(v.storage.count, 1)
	t.Data = make([]byte, 0, count*size)
	index := make([]int, len(v.shape))
	for range count {
		at := v.offset
		for i, k := range index {
			at += k * v.stride[i]
		}
		t.Data = append(t.Data, v.storage.data[at*size:(at+1)*size]...)
		for i := len(index) - 1; i >= 0; i-- {
			if index[i]++; index[i] < v.shape[i] {
				break
			}
			index[i] = 0
		}
	}
	return t, nil
}
