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
	"strings"

	"github.com/nlpodyssey/gopickle/pickle"
	"github.com/nlpodyssey/gopickle/types"
	"github.com/pipa-uda/pipa/formats/safetensors"
	"github.com/pipa-uda/pipa/pipeline"
)

// Limits on what a checkpoint may hold: MiT-B5 with its optimizer has 1 GB.
const (
	maxFile   = 16 << 30
	maxPickle = 256 << 20
	maxMarks  = 1000
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
	data, err := pipeline.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return Parse(data)
}

// Parse is Open for a file's contents.
func Parse(data []byte) (_ *safetensors.File, err error) {
	// The pickle library panics on some malformed input.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("malformed pickle: %v", r)
		}
	}()
	var object any
	switch {
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		object, err = parseZip(data)
	case len(data) > 0 && data[0] == 0x80:
		object, err = parseLegacy(data)
	default:
		return nil, errors.New("it is no file of torch.save: neither a zip archive nor a pickle")
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

// storageClass stands for torch.FloatStorage and its like.
type storageClass struct{ name string }

// view is a tensor: strided elements of a storage.
type view struct {
	storage       *storage
	offset        int
	shape, stride []int
}

// unpickle parses one pickle. load turns a persistent id into a storage.
func unpickle(data []byte, load func(id *types.Tuple) (any, error)) (any, error) {
	u := pickle.NewUnpickler(bytes.NewReader(data))
	u.FindClass = func(module, name string) (any, error) {
		switch {
		case module == "torch._utils" && name == "_rebuild_tensor_v2":
			return rebuildTensor{}, nil
		case module == "torch._utils" && name == "_rebuild_parameter":
			return rebuildParameter{}, nil
		case module == "torch" && elements[name].size > 0:
			return storageClass{name}, nil
		}
		return inert{}, nil
	}
	u.PersistentLoad = func(id any) (any, error) {
		tuple, ok := id.(*types.Tuple)
		if !ok || load == nil {
			return nil, errors.New("unexpected persistent id") // not printed: a pickle's values may hold themselves
		}
		return load(tuple)
	}
	return u.Load()
}

// inert stands for every other class: it can be called, and becomes nothing.
type inert struct{}

func (inert) Call(...any) (any, error)     { return inert{}, nil }
func (inert) PyNew(...any) (any, error)    { return &inert{}, nil }
func (*inert) PySetState(any) error        { return nil }
func (*inert) PyDictSet(_, _ any) error    { return nil }
func (*inert) Set(_, _ any)                {}
func (*inert) Append(any)                  {}
func (*inert) PySetAttr(string, any) error { return nil }

type rebuildTensor struct{}

// Call is _rebuild_tensor_v2(storage, offset, size, stride, …).
func (rebuildTensor) Call(args ...any) (any, error) {
	if len(args) < 4 {
		return nil, errors.New("a tensor has too few fields")
	}
	s, ok1 := args[0].(*storage)
	offset, ok2 := args[1].(int)
	shape, err1 := ints(args[2])
	stride, err2 := ints(args[3])
	if !ok1 || !ok2 || err1 != nil || err2 != nil || len(shape) != len(stride) {
		return nil, errors.New("a tensor's fields have unexpected types")
	}
	return &view{s, offset, shape, stride}, nil
}

type rebuildParameter struct{}

// Call is _rebuild_parameter(tensor, …).
func (rebuildParameter) Call(args ...any) (any, error) {
	if len(args) == 0 {
		return nil, errors.New("a parameter has no tensor")
	}
	return args[0], nil
}

func ints(v any) ([]int, error) {
	tuple, ok := v.(*types.Tuple)
	if !ok {
		return nil, errors.New("no tuple")
	}
	out := make([]int, tuple.Len())
	for i := range out {
		n, ok := tuple.Get(i).(int)
		if !ok || n < 0 {
			return nil, errors.New("no sizes")
		}
		out[i] = n
	}
	return out, nil
}

// describe reads a persistent id ("storage", class, key, location, count, …).
func describe(id *types.Tuple) (s *storage, key string, bytes int, err error) {
	if id.Len() < 5 || id.Get(0) != "storage" {
		return nil, "", 0, errors.New("unexpected persistent id")
	}
	class, ok1 := id.Get(1).(storageClass)
	key, ok2 := id.Get(2).(string)
	count, ok3 := id.Get(4).(int)
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
	if _, err := checkPickle(text); err != nil {
		return nil, err
	}
	loaded := map[string]*storage{}
	left := int64(len(data)) // of the storages' bytes: records may lie over each other
	return unpickle(text, func(id *types.Tuple) (any, error) {
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
}

// legacyMagic is the number that begins the older format.
var legacyMagic, _ = new(big.Int).SetString("1950a86a20f9469cfc6c", 16)

// parseLegacy reads the format before torch 1.6: pickles of the magic number,
// the version, the system, the object and the storages' keys, then the storages
// themselves, each with its count before it.
func parseLegacy(data []byte) (any, error) {
	loaded := map[string]*storage{}
	sizes := map[string]int{}
	next := func(load func(*types.Tuple) (any, error)) (any, error) {
		n, err := checkPickle(data)
		if err != nil {
			return nil, err
		}
		object, err := unpickle(data[:n], load)
		data = data[n:]
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
	object, err := next(func(id *types.Tuple) (any, error) {
		s, key, size, err := describe(id)
		if err != nil {
			return nil, err
		}
		if id.Len() > 5 && id.Get(5) != nil {
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
	list, ok := keys.(*types.List)
	if !ok {
		return nil, errors.New("its list of storages is none")
	}
	for _, k := range *list {
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
		items, err := dict(object)
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

// dict lists a dictionary's entries whose keys are strings.
func dict(object any) ([]item, error) {
	var items []item
	add := func(key, value any) {
		if name, ok := key.(string); ok {
			items = append(items, item{name, value})
		}
	}
	switch d := object.(type) {
	case *types.Dict:
		for _, e := range *d {
			add(e.Key, e.Value)
		}
	case *types.OrderedDict:
		for e := d.List.Front(); e != nil; e = e.Next() {
			entry := e.Value.(*types.OrderedDictEntry)
			add(entry.Key, entry.Value)
		}
	default:
		return nil, errors.New("it holds no dictionary of tensors")
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

// checkPickle walks a pickle's opcodes up to its end, whose offset it returns,
// and fails where an argument is longer than what is left.
func checkPickle(data []byte) (end int, err error) {
	at := 0
	short := errors.New("the pickle is cut off")
	skip := func(n uint64) error {
		if n > uint64(len(data)-at) {
			return short
		}
		at += int(n)
		return nil
	}
	sized := func(width int) error {
		if len(data)-at < width {
			return short
		}
		var n uint64
		for i := range width {
			n |= uint64(data[at+i]) << (8 * i)
		}
		at += width
		return skip(n)
	}
	line := func() error {
		i := bytes.IndexByte(data[at:], '\n')
		if i < 0 {
			return short
		}
		at += i + 1
		return nil
	}
	marks := 0
	for at < len(data) {
		op := data[at]
		at++
		// Each open mark has a stack of its own. Pickles nest some tens.
		if op == '(' {
			marks++
		} else if strings.IndexByte("tldueo1i\x90\x91", op) >= 0 {
			marks--
		}
		switch {
		case marks > maxMarks:
			return 0, fmt.Errorf("the pickle nests more than %d values", maxMarks)
		case op == '.':
			return at, nil
		case strings.IndexByte("(012)]}ltdaesuRboQN\x81\x85\x86\x87\x88\x89\x8f\x90\x91\x93\x94", op) >= 0:
		case strings.IndexByte("Khq\x80", op) >= 0:
			err = skip(1)
		case op == 'M':
			err = skip(2)
		case strings.IndexByte("Jjr", op) >= 0:
			err = skip(4)
		case op == 'G':
			err = skip(8)
		case strings.IndexByte("UC\x8c\x8a", op) >= 0:
			err = sized(1)
		case strings.IndexByte("XTB\x8b", op) >= 0:
			err = sized(4)
		case op == '\x8d' || op == '\x8e':
			err = sized(8)
		case op == '\x95': // the frame's content follows and is walked
			if len(data)-at < 8 || binary.LittleEndian.Uint64(data[at:]) > uint64(len(data)-at-8) {
				return 0, short
			}
			at += 8
		case strings.IndexByte("IFLSVgpP", op) >= 0:
			err = line()
		case op == 'c' || op == 'i':
			if err = line(); err == nil {
				err = line()
			}
		default:
			return 0, fmt.Errorf("pickle opcode 0x%02x is not supported", op)
		}
		if err != nil {
			return 0, err
		}
	}
	return 0, short
}
