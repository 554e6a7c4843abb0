package layout

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/internal/files"
	"golang.org/x/text/unicode/norm"
)

// A ListError is a list of a split's samples that does not say which they are.
type ListError struct {
	List    string
	Reason  string   // empty where names are wrong
	Twice   []string // that it has more than once
	Missing []string // of which there is no image
	Twins   []string // of which there is an image with the name in another Unicode form
	Names   int      // that it has
}

// maxNamed is how many names an error has.
const maxNamed = 20

func (e *ListError) Error() string {
	if e.Reason != "" {
		return fmt.Sprintf("list %s: %s", e.List, e.Reason)
	}
	var wrong []string
	for _, w := range []struct {
		names []string
		what  string
	}{{e.Missing, "has no image for"}, {e.Twins, "writes in another Unicode form than the images' names (NFC and NFD look the same)"}, {e.Twice, "has more than once"}} {
		if n := len(w.names); n > 0 {
			text := fmt.Sprintf("%s %d of its %d names: %s", w.what, n, e.Names, strings.Join(quoted(w.names[:min(n, maxNamed)]), ", "))
			if n > maxNamed {
				text += ", …"
			}
			wrong = append(wrong, text)
		}
	}
	return fmt.Sprintf("list %s %s", e.List, strings.Join(wrong, "; it "))
}

// quoted quotes the names whose ends would not be seen.
func quoted(names []string) []string {
	out := slices.Clone(names)
	for i, n := range out {
		if n != strings.TrimSpace(n) || strings.ContainsAny(n, ", ") || strings.ToValidUTF8(n, "") != n {
			out[i] = fmt.Sprintf("%q", n)
		}
	}
	return out
}

// A list is a split's samples by their names; the zero value has all.
type list struct {
	file  string
	names []string // as they stand in the lines
}

// list reads the first of a split's lists that is there: a name a line, of which
// spaces are a part, as a path or with an ending too.
func (l Layout) list(root fs.FS, s Split) (list, error) {
	for _, name := range s.Lists {
		file, variable, inMAT := strings.Cut(name, "#")
		data, err := fs.ReadFile(root, file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return list{}, fmt.Errorf("list %s: %w", name, err)
		}
		out := list{file: name}
		if inMAT {
			numbers, err := matNumbers(data, variable)
			if err != nil {
				return list{}, &ListError{List: name, Reason: err.Error()}
			}
			for _, n := range numbers {
				out.names = append(out.names, fmt.Sprintf("%05d", n))
			}
			return out, nil
		}
		text, err := files.Text(data)
		if err != nil {
			return list{}, &ListError{List: name, Reason: err.Error()}
		}
		for _, line := range strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }) {
			if strings.TrimSpace(line) != "" {
				out.names = append(out.names, line)
			}
		}
		if len(out.names) == 0 {
			return list{}, &ListError{List: name, Reason: "it has no names"}
		}
		return out, nil
	}
	if s.Lists != nil && !s.Unlisted {
		return list{}, &SplitError{Layout: l.Name, Split: s.Name, Lists: s.Lists}
	}
	return list{}, nil
}

// listed are the names that a line may mean, the likeliest first.
func listed(line string) []string {
	var names []string
	for _, text := range []string{line, strings.TrimSpace(line)} {
		base := path.Base(strings.ReplaceAll(text, `\`, "/"))
		names = append(names, base, strings.TrimSuffix(base, path.Ext(base)))
	}
	return names
}

// choose reports of samples whether the list has them. Each of its names is to be
// one of the samples', once.
func (l list) choose(samples []string) (func(sample string) bool, error) {
	if l.file == "" {
		return func(string) bool { return true }, nil
	}
	there, composed := map[string]bool{}, map[string]bool{}
	for _, s := range samples {
		there[path.Base(s)], composed[norm.NFC.String(path.Base(s))] = true, true
	}
	e := &ListError{List: l.file, Names: len(l.names)}
	chosen := map[string]bool{}
	take := func(line string) bool {
		names := listed(line)
		i := slices.IndexFunc(names, func(name string) bool { return there[name] })
		if i < 0 {
			return false
		}
		if chosen[names[i]] {
			e.Twice = append(e.Twice, names[i])
		}
		chosen[names[i]] = true
		return true
	}
	for _, line := range l.names {
		// A line may have the label's file after the image's.
		switch twin := func(name string) bool { return composed[norm.NFC.String(name)] }; {
		case take(line) || take(strings.Fields(line)[0]):
		case slices.ContainsFunc(listed(line), twin):
			e.Twins = append(e.Twins, line)
		default:
			e.Missing = append(e.Missing, line)
		}
	}
	if e.Missing != nil || e.Twins != nil || e.Twice != nil {
		return nil, e
	}
	return func(sample string) bool { return chosen[path.Base(sample)] }, nil
}
