package torchfile

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/pipa-uda/pipa/train/weights/safetensors"
)

// Limits on what is collected. A pickle can say in a few bytes what takes much
// memory: a dictionary that lies in itself many times, a tensor that is one
// element a million times.
const (
	maxDepth   = 64 // of dictionaries and modules in each other
	maxTuple   = 16 // values of a tuple or list that may hold a state dict
	maxEntries = 1 << 18
	maxName    = 512
	maxCopied  = 64 << 20 // beside twice the file's bytes
)

// collector gathers the tensors below an object.
type collector struct {
	tensors []safetensors.Tensor
	skipped []safetensors.Skipped
	texts   map[string]string
	entries int // that were looked at
	left    int // bytes that may still be copied
}

// collect finds the tensors of what was pickled in a file of so many bytes.
func collect(root any, bytes int) (*safetensors.File, error) {
	c := &collector{texts: map[string]string{}, left: 2*bytes + maxCopied}
	if err := c.walk("", root, 0); err != nil {
		return nil, err
	}
	if len(c.tensors)+len(c.skipped) == 0 {
		return nil, errors.New("it holds no state dict: no dictionary of tensors by name")
	}
	f, err := safetensors.New(c.texts, c.tensors)
	if err == nil {
		f.Skipped = c.skipped
	}
	return f, err
}

// walk goes through a value whose keys so far are prefix, with a dot at its end.
func (c *collector) walk(prefix string, value any, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("its dictionaries lie more than %d deep in each other", maxDepth)
	}
	switch v := value.(type) {
	case *dict:
		return c.entriesOf(prefix, v.items, depth)
	case *tuple:
		return c.tuple(prefix, v.items, depth)
	case *list:
		return c.tuple(prefix, v.items, depth)
	case *object:
		if err := c.entriesOf(prefix, v.items, depth); err != nil {
			return err
		}
		state := v.state
		if t, ok := state.(*tuple); ok && len(t.items) == 2 { // (attributes, slots)
			state = t.items[0]
		}
		if attributes, ok := state.(*dict); ok {
			return c.attributes(prefix, attributes.items, depth)
		}
	}
	return nil
}

// tuple goes through what torch.save((model.state_dict(), epoch), …) saves; the
// keys are the places.
func (c *collector) tuple(prefix string, items []any, depth int) error {
	if len(items) > maxTuple {
		return nil
	}
	for i, item := range items {
		if c.entries++; c.entries > maxEntries {
			return errEntries
		}
		if err := c.walk(prefix+strconv.Itoa(i)+".", item, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// errEntries is of a file that would take too long.
var errEntries = fmt.Errorf("it has more than %d entries", maxEntries)

// attributes goes through those of an instance. A module's parameters, buffers
// and modules lie in dictionaries that its state_dict does not name.
func (c *collector) attributes(prefix string, items []entry, depth int) error {
	var own []entry
	for _, e := range items {
		switch e.key {
		case "_parameters", "_buffers", "_modules":
			if err := c.walk(prefix, e.value, depth+1); err != nil {
				return err
			}
		default:
			own = append(own, e)
		}
	}
	if len(own) == len(items) { // not a module, but an object that may have one
		return c.entriesOf(prefix, own, depth)
	}
	return nil
}

// entriesOf goes through those whose keys are strings. Of two with one key the
// later counts.
func (c *collector) entriesOf(prefix string, items []entry, depth int) error {
	last := map[string]int{}
	for i, e := range items {
		if key, ok := e.key.(string); ok {
			last[key] = i
		}
	}
	for i, e := range items {
		if c.entries++; c.entries > maxEntries {
			return errEntries
		}
		key, ok := e.key.(string)
		if !ok || last[key] != i || len(prefix)+len(key) > maxName {
			continue
		}
		name := prefix + key
		var err error
		switch v := e.value.(type) {
		case *view:
			err = c.tensor(name, v)
		case string:
			c.texts[name] = v
		default:
			err = c.walk(name+".", v, depth+1)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// tensor takes one in, or says why not.
func (c *collector) tensor(name string, v *view) error {
	if v.odd == "" && v.dtype == "" {
		v.odd = v.name
	}
	if v.odd != "" {
		c.skipped = append(c.skipped, safetensors.Skipped{Name: name, DType: v.odd, Shape: v.shape})
		return nil
	}
	t := safetensors.Tensor{Name: name, DType: v.dtype, Shape: slices.Clone(v.shape)}
	count, err := v.check(name)
	if err != nil {
		return err
	}
	if from, whole := v.offset*v.size, count*v.size; v.contiguous() {
		if count > 0 {
			t.Data = v.storage.data[from : from+whole : from+whole]
		}
	} else {
		if whole > c.left {
			return fmt.Errorf("tensor %s of shape %v repeats its elements: its %d bytes are too many for this file", name, v.shape, whole)
		}
		c.left -= whole
		t.Data = v.copied(count)
	}
	c.tensors = append(c.tensors, t)
	return nil
}

// check is the number of elements, all of which lie in the storage.
func (v *view) check(name string) (count int, err error) {
	has := len(v.storage.data) / v.size
	outside := fmt.Errorf("tensor %s of shape %v and strides %v reaches outside its storage of %d elements", name, v.shape, v.stride, has)
	if slices.Contains(v.shape, 0) {
		return 0, nil
	}
	count = 1
	last := v.offset
	for i, n := range v.shape {
		if count > maxFile/n {
			return 0, outside
		}
		count *= n
		// Each step alone stays inside, so that sums cannot overflow.
		if n > 1 && v.stride[i] > has/(n-1) {
			return 0, outside
		}
		last += (n - 1) * v.stride[i]
	}
	if v.offset < 0 || v.offset > has || last >= has {
		return 0, outside
	}
	return count, nil
}

// contiguous reports whether the elements lie row-major one after the other.
func (v *view) contiguous() bool {
	step := 1
	for i := len(v.shape) - 1; i >= 0; i-- {
		if n := v.shape[i]; n != 1 {
			if v.stride[i] != step && n != 0 {
				return false
			}
			step *= n
		}
	}
	return true
}

// copied is the elements row-major. A stride of 0 repeats them, as
// torch.Tensor.expand does.
func (v *view) copied(count int) []byte {
	out := make([]byte, 0, count*v.size)
	index := make([]int, len(v.shape))
	at := v.offset
	for range count {
		out = append(out, v.storage.data[at*v.size:(at+1)*v.size]...)
		for i := len(index) - 1; i >= 0; i-- {
			at += v.stride[i]
			if index[i]++; index[i] < v.shape[i] {
				break
			}
			at -= index[i] * v.stride[i]
			index[i] = 0
		}
	}
	return out
}
