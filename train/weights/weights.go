package weights

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pipa-uda/pipa/train/weights/safetensors"
)

// A File is a network's weights under pipa's names, its floats widened to
// float32.
type File struct {
	Path    string
	Network Network           // what the student is
	Student *safetensors.File // or what is there instead, which Notes say
	Teacher *safetensors.File // nil where there is none
	Notes   []string          // what was left out, and other things to know
	Sources map[string]string // of the student's tensors, their names in the file
}

// Open reads a file, an index of shards or a folder of either. It fails where no
// encoder of a kind that pipa knows is in it.
func Open(path string) (*File, error) {
	raw, err := Read(path)
	if err != nil {
		return nil, err
	}
	f, err := find(raw)
	if err != nil {
		return nil, fmt.Errorf("read weights %s: %w", path, err)
	}
	f.Path = path
	return f, nil
}

// wrapping are the names that a module is given by what wraps it, wherever that
// is: DataParallel and DDP, torch.compile, FSDP, checkpointing, DeepSpeed.
var wrapping = map[string]bool{
	"module": true, "_orig_mod": true, "_fsdp_wrapped_module": true, "_checkpoint_wrapped_module": true, "_forward_module": true,
}

// encoders are the names of a network's encoder in it.
var encoders = map[string]bool{"backbone": true, "encoder": true, "segformer": true}

// Keys and prefixes that say which of several networks one is. A name of none of
// these is a student's.
var (
	teachers = map[string]bool{
		"teacher": true, "ema": true, "ema_model": true, "model_ema": true, "state_dict_ema": true, "ema_state_dict": true, "model_ema_state_dict": true,
		"ema_net": true, "ema_network": true, "network_ema": true, "teacher_model": true, "model_teacher": true, "momentum_encoder": true, "swa_model": true,
	}
	imageNets = map[string]bool{"imnet_model": true, "imnet": true}
)

// roles of a network in a file.
type role int

const (
	student role = iota
	teacher
	imageNet // the frozen encoder of DAFormer's feature distance
)

func (r role) String() string { return [...]string{"student", "teacher", "ImageNet encoder"}[r] }

// candidate is an encoder that was found, with what belongs to it.
type candidate struct {
	family family
	prefix string // of the encoder's names, which have no wrapping names
	parent string // of its network's names
	role   role
}

// clean is a name without what wrapping adds.
func clean(name string) string {
	parts := strings.Split(name, ".")
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return wrapping[p] }), ".")
}

// maxNetworks bounds those of one file: DAFormer's have three.
const maxNetworks = 64

// find makes a File of the tensors of a file.
func find(raw *safetensors.File) (*File, error) {
	f := &File{Sources: map[string]string{}, Notes: slices.Clone(raw.Notes)}
	own := map[string]string{} // the file's name of a clean one
	var names, twice []string  // clean; those whose clean name another has
	for _, name := range raw.Names() {
		c := clean(name)
		if _, known := own[c]; known {
			twice = append(twice, name)
			continue
		}
		own[c] = name
		names = append(names, c)
	}
	has := func(name string) bool { return own[name] != "" }
	found, err := candidates(names, has)
	if err != nil {
		return nil, err
	}
	if len(found) == 0 {
		return nil, noEncoder(raw.Names(), raw.Skipped)
	}

	var chosen [3]*candidate // by role
	for i, c := range found {
		if chosen[c.role] == nil {
			chosen[c.role] = &found[i]
		} else {
			f.Notes = append(f.Notes, fmt.Sprintf("it has a second %s, %s…, which is left out", c.role, c.prefix))
		}
	}
	main := slices.IndexFunc(chosen[:], func(c *candidate) bool { return c != nil })
	if role(main) != student {
		f.Notes = append(f.Notes, fmt.Sprintf("it has no student: the %s is taken", role(main)))
	}
	// take is the tensors of a network under pipa's names; sources learns the
	// file's.
	take := func(c *candidate, sources map[string]string) (*safetensors.File, error) {
		var tensors []safetensors.Tensor
		for _, name := range names {
			to := c.rename(name, has, int(c.role) == main)
			if to == "" {
				continue
			}
			t, err := raw.Tensor(own[name])
			if err != nil {
				return nil, err
			}
			sources[to], t.Name = own[name], to
			if t, err = widened(t); err != nil {
				return nil, err
			}
			tensors = append(tensors, t)
		}
		tensors, err := reshape(tensors)
		if err != nil {
			return nil, err
		}
		return safetensors.New(nil, withoutUnused(tensors))
	}
	if f.Student, err = take(chosen[main], f.Sources); err != nil {
		return nil, err
	}
	if c := chosen[teacher]; c != nil && role(main) == teacher {
		f.Teacher = f.Student
	} else if c != nil {
		if f.Teacher, err = take(c, map[string]string{}); err != nil {
			return nil, err
		}
	}
	f.Network = Describe(f.Student, chosen[main].family.name)
	f.Network.Crop = detailCrop(raw.Metadata)
	var odd []string
	for _, s := range raw.Skipped {
		odd = append(odd, fmt.Sprintf("%s (%s)", s.Name, s.DType))
		s.Name = chosen[main].rename(clean(s.Name), has, true)
		f.Student.Skipped = append(f.Student.Skipped, s)
	}
	var beside []string
	for _, name := range names {
		if !slices.ContainsFunc(found, func(c candidate) bool { return c.rename(name, has, true) != "" }) {
			beside = append(beside, own[name])
		}
	}
	for _, left := range []struct {
		names     []string
		one, more string
	}{
		{beside, "tensor beside the network is", "tensors beside the network are"},
		{odd, "tensor of a type that is not read is", "tensors of types that are not read are"},
		{twice, "tensor that is there under another prefix too is", "tensors that are there under another prefix too are"},
	} {
		if len(left.names) > 0 {
			f.Notes = append(f.Notes, fmt.Sprintf("%s left out: %s", counted(len(left.names), left.one, left.more), some(left.names)))
		}
	}
	if slices.Equal(f.Student.Names(), raw.Names()) {
		f.Notes = append(f.Notes, "its names are pipa's already")
	}
	return f, nil
}

// candidates are the encoders among clean names, as they lie in the file.
func candidates(names []string, has func(name string) bool) ([]candidate, error) {
	places := map[string]int{} // of prefixes, in found
	var found []candidate
	for _, f := range families {
		for _, name := range names {
			prefix, ok := strings.CutSuffix(name, f.anchor)
			if !ok || prefix != "" && !strings.HasSuffix(prefix, ".") || f.with != "" && !has(prefix+f.with) {
				continue
			}
			if _, known := places[prefix]; known {
				continue // as an earlier family, which has this one's anchor too
			}
			c := candidate{family: f, prefix: prefix}
			for _, part := range strings.Split(prefix, ".") {
				if teachers[part] {
					c.role = teacher
				} else if imageNets[part] {
					c.role = imageNet
				}
			}
			places[prefix] = len(found)
			if found = append(found, c); len(found) > maxNetworks {
				return nil, fmt.Errorf("it has more than %d networks", maxNetworks)
			}
		}
	}
	for i := range found {
		found[i].parent = parent(found[i].prefix, names)
	}
	at := func(c candidate) int { return slices.Index(names, c.prefix+c.family.anchor) }
	slices.SortStableFunc(found, func(a, b candidate) int { return at(a) - at(b) })
	return found, nil
}

// parent is the prefix of the network whose encoder has a prefix: the longest
// below which there is a decoder too, or else what is left without the encoder's
// own names.
func parent(prefix string, names []string) string {
	own := prefix
	for {
		if slices.ContainsFunc(names, func(n string) bool { return strings.HasPrefix(n, own+"decode_head.") }) {
			return own
		}
		last := lastPart(own)
		if last == "" || !encoders[last] && last != "model" {
			break
		}
		own = strings.TrimSuffix(own, last+".")
	}
	own = prefix
	for encoders[lastPart(own)] {
		own = strings.TrimSuffix(own, lastPart(own)+".")
	}
	return own
}

// lastPart is the last name of a prefix, which ends with a dot or is empty.
func lastPart(prefix string) string {
	prefix = strings.TrimSuffix(prefix, ".")
	return prefix[strings.LastIndexByte(prefix, '.')+1:]
}

// rename is pipa's name of a tensor, and empty where it is not the network's.
// The contrasts' heads belong to a main network alone; PiPa's code keeps two of
// them beside its networks.
func (c candidate) rename(name string, has func(name string) bool, main bool) string {
	backbone := lastPart(c.prefix) == "backbone"
	if rest, ok := strings.CutPrefix(name, c.prefix); ok && (c.family.has(rest) || backbone) {
		return "backbone." + c.family.rename(rest)
	}
	if rest, ok := strings.CutPrefix(name, c.parent+"decode_head."); ok {
		for _, part := range []string{"head.", "scale_attention.", ""} {
			if rest, ok := strings.CutPrefix(rest, part); ok {
				return "decode_head." + part + rename(head(func(n string) bool { return has(c.parent + "decode_head." + part + n) }), rest)
			}
		}
	}
	if !main || !backbone {
		return ""
	}
	for _, of := range []string{c.parent, strings.TrimSuffix(c.parent, "model.")} {
		rest, ok := strings.CutPrefix(name, of)
		if first, _, _ := strings.Cut(rest, "."); ok && contrastHeads[first] {
			return rest
		}
	}
	return ""
}

// contrastHeads are PiPa's, which only training needs.
var contrastHeads = map[string]bool{"cls_head": true, "proj_head": true, "project": true, "classifier": true}

// withoutUnused drops what published networks hold and do not use: the
// classifier that SegFormer's decoder inherits.
func withoutUnused(tensors []safetensors.Tensor) []safetensors.Tensor {
	for _, prefix := range []string{"decode_head.", "decode_head.head.", "decode_head.scale_attention."} {
		if slices.ContainsFunc(tensors, func(t safetensors.Tensor) bool { return t.Name == prefix+"linear_pred.weight" }) {
			tensors = slices.DeleteFunc(tensors, func(t safetensors.Tensor) bool { return strings.HasPrefix(t.Name, prefix+"conv_seg.") })
		}
	}
	return tensors
}

// widened is a tensor whose floats are float32.
func widened(t safetensors.Tensor) (safetensors.Tensor, error) {
	switch t.DType {
	case "F16", "BF16", "F64":
		values, err := t.Float32s()
		if err != nil {
			return t, err
		}
		t.DType, t.Data = "F32", make([]byte, 0, 4*len(values))
		for _, v := range values {
			bits := math.Float32bits(v)
			t.Data = append(t.Data, byte(bits), byte(bits>>8), byte(bits>>16), byte(bits>>24))
		}
	}
	return t, nil
}

// detailCrop is the size of HRDA's detail as a configuration beside the tensors
// says it, rows first; zero where none does.
func detailCrop(metadata map[string]string) (crop [2]int) {
	for key, text := range metadata {
		if !strings.HasSuffix(key, "meta.config") {
			continue
		}
		if m := regexp.MustCompile(`hr_crop_size\s*=\s*[(\[]\s*(\d+),\s*(\d+)`).FindStringSubmatch(text); m != nil {
			crop[0], _ = strconv.Atoi(m[1])
			crop[1], _ = strconv.Atoi(m[2])
		}
	}
	return crop
}

// noEncoder says what is there instead.
func noEncoder(names []string, skipped []safetensors.Skipped) error {
	for _, s := range skipped {
		for _, f := range families {
			if strings.HasSuffix(clean(s.Name), f.anchor) {
				return fmt.Errorf("%s has the type %s, which is not read: save the network's full state dict as float32", s.Name, s.DType)
			}
		}
	}
	if len(names) == 0 {
		return errors.New("it has no tensors")
	}
	return fmt.Errorf("it has no encoder that pipa knows: %s, such as %s\n%s", counted(len(names), "tensor", "tensors"), some(names), Sources)
}

// some is the first few names.
func some(names []string) string {
	const most = 3
	text := strings.Join(names[:min(most, len(names))], ", ")
	if len(names) > most {
		text += ", …"
	}
	return text
}

func counted(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// NonFinite lists the tensors that have values which are not finite, with how
// many.
func NonFinite(f *safetensors.File) ([]string, error) {
	var out []string
	for _, name := range f.Names() {
		t, err := f.Tensor(name)
		if err != nil {
			return nil, err
		}
		if t.DType != "F32" && t.DType != "F64" && t.DType != "F16" && t.DType != "BF16" {
			continue
		}
		values, err := t.Float32s()
		if err != nil {
			return nil, err
		}
		bad := 0
		for _, v := range values {
			if v-v != 0 {
				bad++
			}
		}
		if bad > 0 {
			out = append(out, fmt.Sprintf("%s (%d of %d values)", name, bad, len(values)))
		}
	}
	return out, nil
}
