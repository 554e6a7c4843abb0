package weights

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/train/weights/safetensors"
)

// Fit is the student's tensors whose names begin with part ("backbone.", or ""
// for all), named without it, for a network that wants these, named with it. It
// is strict: each is there in its shape, and nothing else in the part but the
// encoder's classification head and the contrasts' heads. Where they do not fit
// the error is a *[Misfit].
func (f *File) Fit(part string, want []Want) (*safetensors.File, error) {
	return f.fit(f.Student, part, want)
}

// Published is the whole network of the file, an encoder with one of pipa's
// decoders, so that it can be built: the student's tensors, and the teacher's,
// nil where there is none, without the contrasts' heads.
func (f *File) Published() (n Network, student, teacher *safetensors.File, err error) {
	n = f.Network
	if n.Decoder == "" {
		return n, nil, nil, fmt.Errorf("%s is %s\nwhat is wanted is a whole network, with one of the decoders daformer, daformer-aspp, daformer-conv1, segformer and deeplabv2", f.Path, n)
	}
	want := n.Wants()
	if student, err = f.fit(f.Student, "", want); err != nil {
		return n, nil, nil, err
	}
	if f.Teacher != nil {
		if teacher, err = f.fit(f.Teacher, "", want); err != nil {
			return n, nil, nil, fmt.Errorf("the teacher: %w", err)
		}
	}
	return n, student, teacher, nil
}

// Check is the [Misfit] of the student and the network that it is, nil where it
// is whole and nothing is in it that the network does not have. A decoder that
// pipa does not have is left aside.
func (f *File) Check() error {
	part := ""
	if f.Network.Decoder == "" {
		part = "backbone."
	}
	_, err := f.fit(f.Student, part, f.Network.Wants())
	return err
}

func (f *File) fit(of *safetensors.File, part string, want []Want) (*safetensors.File, error) {
	m := &Misfit{Path: f.Path, Network: f.Network}
	var out []safetensors.Tensor
	wanted := map[string]bool{}
	skipped := map[string]safetensors.Skipped{}
	for _, s := range of.Skipped {
		skipped[s.Name] = s
	}
	for _, w := range want {
		bare, ok := strings.CutPrefix(w.Name, part)
		if !ok {
			continue
		}
		wanted[w.Name] = true
		p := Problem{Tensor: w.Name, Want: w.Shape, Wanted: true}
		if !of.Has(w.Name) {
			if strings.HasSuffix(w.Name, ".num_batches_tracked") { // older files lack them, and nothing computes with them
				out = append(out, safetensors.Tensor{Name: bare, DType: "I64", Shape: []int{}, Data: make([]byte, 8)})
				continue
			}
			if s, ok := skipped[w.Name]; ok {
				p.Type, p.Shape = s.DType+" (a type that is not read)", s.Shape
			}
			m.Problems = append(m.Problems, p)
			continue
		}
		t, err := of.Tensor(w.Name)
		if err != nil {
			return nil, err
		}
		if !slices.Equal(t.Shape, w.Shape) {
			p.Type, p.Shape = t.DType, t.Shape
			m.Problems = append(m.Problems, p)
			continue
		}
		t.Name = bare
		out = append(out, t)
	}
	for _, name := range of.Names() {
		bare, ok := strings.CutPrefix(name, "backbone.")
		first, _, _ := strings.Cut(name, ".")
		if !strings.HasPrefix(name, part) || wanted[name] || contrastHeads[first] || ok && (strings.HasPrefix(bare, "head.") || strings.HasPrefix(bare, "fc.")) {
			continue
		}
		t, err := of.Tensor(name)
		if err != nil {
			return nil, err
		}
		m.Problems = append(m.Problems, Problem{Tensor: name, Type: t.DType, Shape: t.Shape})
	}
	if len(m.Problems) > 0 {
		return nil, m
	}
	if len(out) == 0 {
		return nil, errors.New("no tensor is wanted")
	}
	return safetensors.New(nil, out)
}

// A Misfit is the error of weights that are not those of a network.
type Misfit struct {
	Path     string
	Network  Network // what the file has
	Problems []Problem
}

// A Problem is a tensor that does not fit.
type Problem struct {
	Tensor string // pipa's name
	Type   string // safetensors' name of its type; empty where it is missing
	Shape  []int
	Wanted bool // else it is one that the network does not have
	Want   []int
}

// lines says what is there, and what is wanted.
func (p Problem) lines() (is, wanted string) {
	is, wanted = p.Tensor+" is missing", "wanted no such tensor"
	if p.Type != "" {
		is = fmt.Sprintf("%s is %s %v", p.Tensor, p.Type, p.Shape)
	}
	if p.Wanted {
		wanted = fmt.Sprintf("wanted %v", p.Want)
	}
	return is, wanted
}

// Error is three lines: what the file is, the first tensor that does not fit, and
// what was wanted.
func (m *Misfit) Error() string {
	is, wanted := m.Problems[0].lines()
	text := fmt.Sprintf("%s is %s\n%s\n%s", m.Path, m.Network, is, wanted)
	if n := len(m.Problems) - 1; n > 0 {
		text += fmt.Sprintf("; %s not fit either", counted(n, "tensor does", "tensors do"))
	}
	return text
}

// Report is a line for each tensor that does not fit.
func (m *Misfit) Report() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s is %s\n", m.Path, m.Network)
	for _, p := range m.Problems {
		is, wanted := p.lines()
		fmt.Fprintf(&b, "%s: %s\n", is, wanted)
	}
	return b.String()
}

// Summary says in a few lines what the file is and what should be known of it.
func (f *File) Summary() []string {
	lines := []string{fmt.Sprintf("%s is %s", f.Path, f.Network)}
	if f.Teacher != nil {
		lines[0] += ", and its teacher"
	}
	lines = append(lines, f.Notes...)
	if m := (*Misfit)(nil); errors.As(f.Check(), &m) {
		is, wanted := m.Problems[0].lines()
		lines = append(lines, fmt.Sprintf("it is not whole: %s, %s", is, wanted))
		if n := len(m.Problems) - 1; n > 0 {
			lines[len(lines)-1] += fmt.Sprintf("; and %s", counted(n, "tensor more", "tensors more"))
		}
	}
	return lines
}

// Report says of every tensor where it comes from, and of every one that the
// network has and the file has not.
func (f *File) Report() string {
	var b strings.Builder
	for _, line := range f.Summary() {
		b.WriteString(line + "\n")
	}
	b.WriteString("\n")
	for _, name := range slices.Sorted(maps.Keys(f.Sources)) {
		fmt.Fprintf(&b, "%s from %s\n", name, f.Sources[name])
	}
	if m := (*Misfit)(nil); errors.As(f.Check(), &m) {
		b.WriteString("\n" + m.Report())
	}
	return b.String()
}
