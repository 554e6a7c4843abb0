package layout

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/pipa-uda/pipa/formats/labels"
)

// A Listing is what a split has in a folder. Names are below the folder.
type Listing struct {
	Pairs  []Pair
	Strays []Stray
	// Labels is how the labels are encoded; zero for a listing without.
	Labels labels.Encoding
}

// A Pair is an image and its label.
type Pair struct {
	Sample string // its name, below the split's
	Image  string
	Label  string // where its label is, or would be; empty where the split has none
	// Missing says that the label is not there.
	Missing bool
}

// A Stray is a label without an image.
type Stray struct {
	Sample string // the name that its sample would have, or the label's where that is not known
	Label  string
}

// List lists a split's images with their labels, and the labels without an
// image. An unlabeled list looks for no labels.
func (l Layout) List(files fs.FS, split string, unlabeled bool) (Listing, error) {
	s, err := l.Split(split)
	if err != nil {
		return Listing{}, err
	}
	if unlabeled {
		s.Labels = nil
	}
	images, err := parseGlob(s.Images)
	if err != nil {
		return Listing{}, err
	}
	found, err := images.find(files, l.FollowLinks)
	if err != nil {
		return Listing{}, fmt.Errorf("images %s: %w", s.Images, err)
	}
	lb, err := l.labelFiles(files, s, images)
	if err != nil {
		return Listing{}, err
	}
	chosen, err := l.chosen(files, s)
	if err != nil {
		return Listing{}, err
	}
	out := Listing{Labels: lb.Encoding}
	samples, owner := map[string]string{}, map[string]string{}
	for _, image := range found {
		p := Pair{Image: image, Sample: images.sample(s.Sample, image)}
		if !chosen(p.Sample) {
			continue
		}
		if other, twice := samples[p.Sample]; twice {
			return out, fmt.Errorf("%s and %s have the same name", other, image)
		}
		samples[p.Sample] = image
		if s.Labeled() {
			if p.Label, err = images.label(lb.Files, image); err != nil {
				return out, err
			}
			if other, twice := owner[p.Label]; twice {
				return out, fmt.Errorf("%s and %s have the same label, %s: name it by all of the images' wildcards ({1}, {2}, …)", other, image, p.Label)
			}
			owner[p.Label] = image
			p.Missing = !lb.there[p.Label]
		}
		out.Pairs = append(out.Pairs, p)
	}
	for label := range lb.there {
		if owner[label] != "" {
			continue
		}
		name, known := images.sampleOf(s.Sample, lb.Files, label, lb.glob)
		if !known {
			name = label
		} else if !chosen(name) {
			continue
		}
		out.Strays = append(out.Strays, Stray{name, label})
	}
	return out, nil
}

// labelFiles are labels that are read, and those of their files that are there.
type labelFiles struct {
	Labels
	glob  *glob // of all names that the template can stand for
	there map[string]bool
}

// labelFiles are the first of a split's labels of which there are files, or the
// last.
func (l Layout) labelFiles(files fs.FS, s Split, images *glob) (out labelFiles, err error) {
	for i, lb := range s.Labels {
		out = labelFiles{Labels: lb, there: map[string]bool{}}
		if out.glob, err = images.labels(lb.Files); err != nil {
			return out, err
		}
		found, err := out.glob.find(files, l.FollowLinks)
		if err != nil {
			return out, fmt.Errorf("labels %s: %w", lb.Files, err)
		}
		for _, name := range found {
			out.there[name] = true
		}
		if len(found) > 0 || i == len(s.Labels)-1 {
			break
		}
	}
	return out, nil
}

// chosen reports of samples whether the split's list has them.
func (l Layout) chosen(files fs.FS, s Split) (func(sample string) bool, error) {
	for _, name := range s.Lists {
		text, err := fs.ReadFile(files, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", name, err)
		}
		listed := map[string]bool{}
		for _, line := range strings.Fields(string(text)) {
			listed[strings.TrimSuffix(path.Base(line), path.Ext(s.Images))] = true
		}
		return func(sample string) bool { return listed[path.Base(sample)] }, nil
	}
	if s.Lists != nil && !s.Unlisted {
		return nil, &SplitError{Layout: l.Name, Split: s.Name, Lists: s.Lists}
	}
	return func(string) bool { return true }, nil
}
