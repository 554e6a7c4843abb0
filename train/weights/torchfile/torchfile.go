// Package torchfile reads the tensors of files that torch.save wrote, zip
// archives and the older stream of pickles alike. The pickle is parsed, never
// executed: what other classes than a short list would make is kept as nothing
// but what was put into it. Every length is checked against the file before
// memory is taken for it.
//
//	f, err := torchfile.Open("mit_b5.pth")
//	t, err := f.Tensor("state_dict.patch_embed1.proj.weight")
package torchfile

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/big"
	"os"
	"path"
	"strings"

	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/train/weights/safetensors"
)

// Limits on what a checkpoint may hold: MiT-B5 with its optimizer has 1 GB.
const (
	maxFile   = 16 << 30
	maxPickle = 256 << 20
)

// Open reads the tensors of the file at path, wherever they lie in it, named by
// the keys that lead to them: "state_dict.conv.weight" of {"state_dict":
// {"conv.weight": …}}, and of a pickled module as its state_dict would name
// them. Metadata has the texts that lie beside, such as mmcv's "meta.config".
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

// Parse is Open for a file's contents, which the tensors may be views into.
func Parse(data []byte) (*safetensors.File, error) {
	var object any
	var err error
	unchecked := false
	switch {
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		object, unchecked, err = parseZip(data)
	case len(data) > 0 && data[0] == 0x80:
		object, err = parseLegacy(data)
	default:
		return nil, errors.New("it is not a file of torch.save: neither a zip archive nor a pickle")
	}
	if err != nil {
		return nil, err
	}
	f, err := collect(object, len(data))
	if err == nil && unchecked {
		f.Notes = append(f.Notes, "it was saved without checksums: damage to it would not be seen")
	}
	return f, err
}

// element is a type of tensors' elements.
type element struct {
	dtype string // safetensors' name; empty for a type that is not read
	name  string // torch's name
	size  int    // in bytes; 0 where it is not known
}

// elements are by torch's names of storages' classes, without "Storage".
var elements = map[string]element{
	"Float": {"F32", "float32", 4}, "Double": {"F64", "float64", 8}, "Half": {"F16", "float16", 2}, "BFloat16": {"BF16", "bfloat16", 2},
	"Long": {"I64", "int64", 8}, "Int": {"I32", "int32", 4}, "Short": {"I16", "int16", 2}, "Char": {"I8", "int8", 1}, "Byte": {"U8", "uint8", 1}, "Bool": {"BOOL", "bool", 1},

	"Untyped": {"", "bytes", 1}, "ComplexFloat": {"", "complex64", 8}, "ComplexDouble": {"", "complex128", 16},
	"QInt8": {"", "qint8", 1}, "QUInt8": {"", "quint8", 1}, "QInt32": {"", "qint32", 4}, "QUInt4x2": {"", "quint4x2", 1}, "QUInt2x4": {"", "quint2x4", 1},
}

// storage is where tensors' elements lie.
type storage struct {
	element
	count int
	data  []byte // little-endian; none for a type that is not read
}

// view is a tensor: strided elements of a storage.
type view struct {
	storage *storage
	element
	offset        int
	shape, stride []int
	odd           string // the kind of a tensor that is not read
}

// cast gives the elements of an untyped storage a type by torch's name of it.
func (v *view) cast(name string) {
	v.element = element{name: name}
	for _, e := range elements {
		if e.name == name {
			v.element = e
		}
	}
	if v.element.dtype == "" {
		v.odd = name
	}
}

// describe reads a persistent id ("storage", class, key, location, count, …).
func describe(id *tuple) (s *storage, key string, bytes int, err error) {
	if len(id.items) < 5 || id.items[0] != "storage" {
		return nil, "", 0, errors.New("unexpected persistent id")
	}
	of, ok1 := id.items[1].(class)
	key, ok2 := id.items[2].(string)
	count, ok3 := id.items[4].(int)
	if !ok1 || !ok2 || !ok3 || count < 0 || count > maxFile {
		return nil, "", 0, errors.New("a storage's description has unexpected types")
	}
	name, ok := strings.CutSuffix(of.name, "Storage")
	e, known := elements[name]
	if !ok || !known {
		return nil, "", 0, fmt.Errorf("its storages are of a class %.40q, which is not one of torch's", of.name)
	}
	return &storage{element: e, count: count}, key, count * e.size, nil
}

// errCutZip is a zip archive without its end, where its table of contents lies.
var errCutZip = errors.New("the file is cut off: it begins as a zip archive of torch.save and lacks the end; copy or download it again")

// parseZip reads the format of torch 1.6 and later: data.pkl, and a record for
// each storage. It is unchecked where records have no checksums.
func parseZip(data []byte) (object any, unchecked bool, err error) {
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if errors.Is(err, zip.ErrFormat) {
		return nil, false, errCutZip
	} else if err != nil {
		return nil, false, err
	}
	// Names are looked up here, and lead nowhere else.
	records := map[string]*zip.File{}
	root, pickles := "", 0
	for _, f := range archive.File {
		if records[f.Name] != nil {
			return nil, false, fmt.Errorf("the archive has %q twice", f.Name)
		}
		records[f.Name] = f
		if dir, name := path.Split(f.Name); name == "data.pkl" {
			if root, pickles = dir, pickles+1; pickles > 1 {
				return nil, false, errors.New("the archive has more than one data.pkl")
			}
		} else if name == "constants.pkl" {
			return nil, false, errors.New("it is a TorchScript archive: save the state dict instead")
		}
	}
	if pickles == 0 {
		return nil, false, errors.New("it is a zip archive, and not one of torch.save: it has no data.pkl")
	}
	// read is the bytes of a record, where they lie in the file.
	read := func(name string, least, most int64) ([]byte, error) {
		f := records[name]
		if f == nil {
			return nil, fmt.Errorf("the archive has no %s", name)
		}
		if f.Method != zip.Store { // which torch.save never does
			return nil, fmt.Errorf("%s is compressed, which torch.save never does: the archive was zipped again; unzip it and zip it without compression (zip -0)", name)
		}
		size := f.UncompressedSize64
		if size < uint64(least) || size > uint64(min(most, int64(len(data)))) {
			return nil, fmt.Errorf("%s has %d bytes, want %d to %d", name, size, least, most)
		}
		from, err := f.DataOffset()
		if err != nil {
			return nil, err
		}
		if from < 0 || from > int64(len(data)) || size > uint64(int64(len(data))-from) {
			return nil, fmt.Errorf("%s reaches outside the archive", name)
		}
		record := data[from : from+int64(size) : from+int64(size)]
		if sum := crc32.ChecksumIEEE(record); f.CRC32 == 0 && sum != 0 { // torch.serialization.set_crc32_options(False)
			unchecked = true
		} else if sum != f.CRC32 {
			return nil, fmt.Errorf("%s is damaged: its checksum does not match", name)
		}
		return record, nil
	}
	if order, err := read(root+"byteorder", 0, 16); err == nil && string(order) != "little" {
		return nil, false, fmt.Errorf("its byte order is %q, want little", order)
	}
	text, err := read(root+"data.pkl", 1, maxPickle)
	if err != nil {
		return nil, false, err
	}
	loaded := map[string]*storage{}
	left := int64(len(data)) // of the storages' bytes: records may lie over each other
	object, _, err = unpickle(text, func(id *tuple) (any, error) {
		s, key, size, err := describe(id)
		if err != nil {
			return nil, err
		}
		if known := loaded[key]; known != nil {
			return known.again(s, key)
		}
		if left -= int64(size); left < 0 {
			return nil, errors.New("its storages have more bytes than the file")
		}
		if s.data, err = read(root+"data/"+key, int64(size), int64(size)); err != nil {
			return nil, err
		}
		loaded[key] = s
		return s, nil
	})
	return object, unchecked, err
}

// again is a storage that tensors before it have named.
func (s *storage) again(now *storage, key string) (*storage, error) {
	if s.element != now.element || s.count != now.count {
		return nil, fmt.Errorf("storage %.40q is %d of %s and %d of %s", key, s.count, s.name, now.count, now.name)
	}
	return s, nil
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
		return nil, errors.New("it is a pickle, and not one of torch.save: load it in Python and write its state dict by torch.save")
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
			return known.again(s, key)
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
		return nil, errors.New("its list of storages is not a list")
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
