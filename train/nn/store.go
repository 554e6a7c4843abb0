package nn

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/weights/safetensors"
)

// Mode says how a forward pass treats the layers that behave differently in
// training. The student trains with both, the teacher normalizes by the batch
// without dropout, evaluation uses neither.
type Mode struct {
	BatchStatistics bool // batch norms use, and track, the batch's statistics
	Dropout         bool // dropout and drop path are active
	// Tape, where it is not nil, records the segments of a pass instead of
	// keeping their activations.
	Tape *Tape

	// Group is the ranks that share the batch, of which a pass sees the same
	// number of samples on each; nil is a process alone.
	Group *torch.Group
	// SyncBatchNorm gives batch norms the statistics of the whole batch.
	SyncBatchNorm bool
	// Views is how many times over a pass sees its samples, such as twice for
	// the first crops of all, then the second ones; 0 is once.
	Views int

	again bool // the segment has run before: batch norms have tracked this batch
}

// The modes the method uses (DAFormer, mmseg/models/uda/dacs.py: the EMA model
// stays in train mode with its dropout switched off).
var (
	Training = Mode{BatchStatistics: true, Dropout: true}
	Teaching = Mode{BatchStatistics: true}
	Scoring  = Mode{}
)

// An Entry is one named tensor of a Store.
type Entry struct {
	Name   string
	Tensor *torch.Tensor
	Buffer bool // not trained: a batch norm's running statistics
}

// A Store holds a network's tensors in the order they were made. The tensors
// live as long as its scope.
type Store struct {
	scope   *torch.Scope
	entries []Entry
	index   map[string]int
}

// NewStore makes an empty store whose tensors belong to scope.
func NewStore(scope *torch.Scope) *Store { return &Store{scope: scope, index: map[string]int{}} }

// Root is the path with the empty name.
func (s *Store) Root() Path { return Path{store: s} }

// Entries lists parameters and buffers in order.
func (s *Store) Entries() []Entry { return slices.Clone(s.entries) }

// Parameters lists the trained tensors in order.
func (s *Store) Parameters() []Entry {
	return slices.DeleteFunc(s.Entries(), func(e Entry) bool { return e.Buffer })
}

// Get returns the tensor of this name, or nil.
func (s *Store) Get(name string) *torch.Tensor {
	if i, ok := s.index[name]; ok {
		return s.entries[i].Tensor
	}
	return nil
}

// Count is the number of trained elements.
func (s *Store) Count() int {
	n := 0
	for _, e := range s.Parameters() {
		n += e.Tensor.Numel()
	}
	return n
}

// Freeze takes the parameters out of autograd.
func (s *Store) Freeze() {
	for _, e := range s.Parameters() {
		e.Tensor.SetRequiresGrad(false)
	}
}

// ClearGrads drops all gradients.
func (s *Store) ClearGrads() {
	for _, e := range s.Parameters() {
		e.Tensor.SetGrad(nil)
	}
}

// CopyFrom copies every tensor's values from the store's namesake in o, which
// may hold more.
func (s *Store) CopyFrom(o *Store) error {
	return s.scope.NoGrad(func(c *torch.Scope) error {
		for _, e := range s.entries {
			from := o.Get(e.Name)
			if from == nil {
				return fmt.Errorf("copy parameters: %s is missing", e.Name)
			}
			e.Tensor.In(c).CopyInPlace(from)
		}
		return nil
	})
}

// Tensors returns the store's values for a safetensors file, in order.
func (s *Store) Tensors() ([]safetensors.Tensor, error) {
	out := make([]safetensors.Tensor, 0, len(s.entries))
	for _, e := range s.entries {
		t, err := Export(e.Name, e.Tensor)
		if err != nil {
			return nil, err
		}
		out = append(out, t)
	}
	return out, nil
}

// Load sets every tensor from its namesake in f. It is strict: a missing or
// mis-shaped tensor, and one in f that the store lacks, are all named, and
// nothing is changed then.
func (s *Store) Load(f *safetensors.File) error { return s.LoadPart("", f) }

// floating reports whether a tensor has a floating type: the values of one of
// integers would be taken for others.
func floating(t *torch.Tensor) bool {
	return slices.Contains([]torch.DType{torch.Float16, torch.BFloat16, torch.Float32, torch.Float64}, t.DType())
}

// LoadPart is Load for the tensors whose names begin with prefix; in f they are
// named without it.
func (s *Store) LoadPart(prefix string, f *safetensors.File) error {
	var problems []error
	var part []Entry
	for _, e := range s.entries {
		bare, ok := strings.CutPrefix(e.Name, prefix)
		if !ok {
			continue
		}
		part = append(part, e)
		t, err := f.Tensor(bare)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s is missing", bare))
			continue
		}
		if want := shapeOf(e.Tensor); !slices.Equal(t.Shape, want) {
			problems = append(problems, fmt.Errorf("%s is %v, want %v", bare, t.Shape, want))
		}
		if floating(e.Tensor) != slices.Contains([]string{"F16", "BF16", "F32", "F64"}, t.DType) {
			problems = append(problems, fmt.Errorf("%s is %s, want the type of %v", bare, t.DType, e.Tensor))
		}
	}
	for _, name := range f.Names() {
		if _, ok := s.index[prefix+name]; !ok {
			problems = append(problems, fmt.Errorf("%s is unexpected", name))
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("load parameters: %w", errors.Join(problems...))
	}
	return s.scope.NoGrad(func(c *torch.Scope) error {
		for _, e := range part {
			t, err := f.Tensor(strings.TrimPrefix(e.Name, prefix))
			if err != nil {
				return err
			}
			from, err := Import(c, t)
			if err != nil {
				return err
			}
			e.Tensor.In(c).CopyInPlace(from)
		}
		return nil
	})
}

func shapeOf(t *torch.Tensor) []int {
	shape := make([]int, 0, 4)
	for _, d := range t.Shape() {
		shape = append(shape, int(d))
	}
	return shape
}

var dtypes = map[string]torch.DType{"F32": torch.Float32, "F64": torch.Float64, "I64": torch.Int64, "U8": torch.Uint8, "F16": torch.Float16, "BF16": torch.BFloat16, "I32": torch.Int32}

// Export copies a tensor to the host under a name.
func Export(name string, t *torch.Tensor) (safetensors.Tensor, error) {
	for text, dtype := range dtypes {
		if dtype == t.DType() {
			return safetensors.Tensor{Name: name, DType: text, Shape: shapeOf(t), Data: t.Bytes()}, nil
		}
	}
	return safetensors.Tensor{}, fmt.Errorf("save %s: type %v has no safetensors name", name, t.DType())
}

// Import copies a tensor from a file into a new one of scope.
func Import(scope *torch.Scope, t safetensors.Tensor) (*torch.Tensor, error) {
	dtype, ok := dtypes[t.DType]
	if !ok {
		return nil, fmt.Errorf("load %s: type %s is not supported", t.Name, t.DType)
	}
	return scope.FromBytes(t.Data, dtype, t.Shape...), nil
}

// A Path is a place in a store's naming.
type Path struct {
	store  *Store
	prefix string
}

// Sub is the path one name further down.
func (p Path) Sub(name string) Path { return Path{p.store, p.join(name)} }

// At is Sub for the i-th element of a list.
func (p Path) At(i int) Path { return p.Sub(strconv.Itoa(i)) }

func (p Path) join(name string) string {
	if p.prefix == "" {
		return name
	}
	return strings.Join([]string{p.prefix, name}, ".")
}

// Param makes a trained tensor of float32 and lets init fill it.
func (p Path) Param(name string, init Init, shape ...int) *torch.Tensor {
	t := p.store.scope.Zeros(torch.Float32, shape...)
	if err := p.store.scope.NoGrad(func(c *torch.Scope) error {
		init(t.In(c))
		return nil
	}); err != nil {
		panic(err)
	}
	t.SetRequiresGrad(true)
	p.store.add(Entry{p.join(name), t, false})
	return t
}

// Buffer makes a tensor that is saved but not trained.
func (p Path) Buffer(name string, value float64, dtype torch.DType, shape ...int) *torch.Tensor {
	t := p.store.scope.Full(value, dtype, shape...)
	p.store.add(Entry{p.join(name), t, true})
	return t
}

func (s *Store) add(e Entry) {
	if _, twice := s.index[e.Name]; twice {
		panic("nn: two tensors are named " + e.Name)
	}
	s.index[e.Name] = len(s.entries)
	s.entries = append(s.entries, e)
}
