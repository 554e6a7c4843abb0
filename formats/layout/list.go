package layout

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/internal/files"
)

// A Listing is what a split has in a folder. Names are below the folder.
type Listing struct {
	Pairs  []Pair
	Strays []Stray
	// Unnamed are images, or folders of some, whose names are not UTF-8.
	Unnamed []string
	// Labels are those that pairs say theirs is one of; none for a listing without.
	Labels []Labels
}

// A Pair is an image and its label.
type Pair struct {
	Sample string // its name, below the split's
	Image  string
	Label  string // where its label is, or would be; empty where the split has none
	Kind   int    // which of the listing's labels it is
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
	selection, err := l.list(files, s)
	if err != nil {
		return Listing{}, err
	}
	found, unnamed, err := images.find(files)
	if err != nil {
		return Listing{}, fmt.Errorf("images %s: %w", s.Images, err)
	}
	if selection.file != "" { // which names none of them
		unnamed = nil
	}
	if len(found) == 0 {
		return Listing{Unnamed: unnamed}, nil
	}
	there, err := l.labelFiles(files, s, images)
	if err != nil {
		return Listing{}, err
	}
	names := make([]string, len(found))
	for i, image := range found {
		names[i] = images.sample(s.Sample, image)
	}
	chosen, err := selection.choose(names)
	if err != nil {
		return Listing{}, err
	}
	out := Listing{Labels: s.Labels, Unnamed: unnamed}
	samples, owner := map[string]string{}, map[string]string{}
	for i, image := range found {
		p := Pair{Image: image, Sample: names[i]}
		if !chosen(p.Sample) {
			continue
		}
		if other, twice := samples[p.Sample]; twice {
			return out, fmt.Errorf("%s and %s have the same name", other, image)
		}
		samples[p.Sample] = image
		if s.Labeled() {
			names, err := images.labelNames(s, image)
			if err != nil {
				return out, err
			}
			for _, name := range names {
				if other, twice := owner[smallEnding(name)]; twice && other != image {
					return out, fmt.Errorf("%s and %s have the same label, %s: name it by all of the images' wildcards ({1}, {2}, …)", other, image, name)
				}
				owner[smallEnding(name)] = image
			}
			if p.Label, p.Kind, p.Missing = there.best(names); p.Missing && s.LabeledOnly {
				continue
			}
		}
		out.Pairs = append(out.Pairs, p)
	}
	if out.Strays, err = l.strays(files, s, images, there, owner); err != nil {
		return out, err
	}
	out.Strays = slices.DeleteFunc(out.Strays, func(s Stray) bool { return s.Sample != s.Label && !chosen(s.Sample) })
	return out, nil
}

// labelNames are where an image's label may lie, by the split's labels.
func (g *glob) labelNames(s Split, image string) ([]string, error) {
	var names []string
	for _, lb := range s.Labels {
		name, err := g.label(lb.Files, image)
		if err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}

// labelFiles are the files of a split's labels, for each kind of them.
type labelFiles []struct {
	glob  *glob             // of all names that the template can stand for
	there map[string]string // by their names with a small ending
}

// labelFiles finds the files of a split's labels. A kind whose folder is not there has
// none where another kind has some.
func (l Layout) labelFiles(files fs.FS, s Split, images *glob) (labelFiles, error) {
	out := make(labelFiles, len(s.Labels))
	any, away := false, error(nil)
	for i, lb := range s.Labels {
		var err error
		if out[i].glob, err = images.labels(lb.Files); err != nil {
			return nil, err
		}
		found, _, err := out[i].glob.find(files) // an unnamed label is one that its image misses
		if err != nil {
			err = fmt.Errorf("labels %s: %w", lb.Files, err)
		}
		if errors.Is(err, fs.ErrNotExist) {
			away = err
		} else if err != nil {
			return nil, err
		}
		out[i].there = map[string]string{}
		for _, name := range found {
			if other, twice := out[i].there[smallEnding(name)]; twice {
				return nil, fmt.Errorf("labels %s: %s and %s differ in their ending alone", lb.Files, other, name)
			}
			out[i].there[smallEnding(name)], any = name, true
		}
	}
	if !any && away != nil {
		return nil, away
	}
	return out, nil
}

// best is the first of an image's labels that is there, by its name and kind, or the
// one that would be: the first kind of which there is any file, or the last.
func (f labelFiles) best(names []string) (name string, kind int, missing bool) {
	for i, name := range names {
		if there, ok := f[i].there[smallEnding(name)]; ok {
			return there, i, false
		}
	}
	for kind < len(f)-1 && len(f[kind].there) == 0 {
		kind++
	}
	return names[kind], kind, true
}

// strays are the labels that no image of any split asks for, one for each sample, but
// for what converters leave beside a label.
func (l Layout) strays(files fs.FS, s Split, images *glob, there labelFiles, owner map[string]string) ([]Stray, error) {
	var out []Stray
	known, elsewhere := map[string]bool{}, map[string]bool(nil)
	for i, kind := range there {
		for _, key := range slices.Sorted(maps.Keys(kind.there)) {
			if owner[key] != "" {
				continue
			}
			label := kind.there[key]
			if elsewhere == nil {
				var err error
				if elsewhere, err = l.labelsOfOthers(files, s); err != nil {
					return nil, err
				}
			}
			if elsewhere[key] || converted(key, kind.there) {
				continue
			}
			name, ok := images.sampleOf(s.Sample, s.Labels[i].Files, label, kind.glob)
			if !ok {
				name = label
			}
			if !known[name] {
				out = append(out, Stray{name, label})
			}
			known[name] = true
		}
	}
	return out, nil
}

// labelsOfOthers are the labels that the images of a layout's other splits ask for: one
// folder may hold those of several. Splits that are not there ask for none.
func (l Layout) labelsOfOthers(folder fs.FS, s Split) (map[string]bool, error) {
	asked := map[string]bool{}
	for _, other := range l.Splits {
		if other.Name == s.Name || other.Images == s.Images || !other.Labeled() {
			continue
		}
		images, err := parseGlob(other.Images)
		if err != nil {
			continue
		}
		found, _, err := images.find(folder)
		if files.Passing(err) {
			return nil, fmt.Errorf("images %s: %w", other.Images, err)
		}
		if err != nil {
			continue
		}
		for _, image := range found {
			names, _ := images.labelNames(other, image)
			for _, name := range names {
				asked[smallEnding(name)] = true
			}
		}
	}
	return asked, nil
}

// conversion is what the usual converters add to a label's name for what they make of
// it: 00001_labelTrainIds.png beside 00001.png.
var conversion = regexp.MustCompile(`(?i)^(.+?)[_.-](?:gtFine[_-]|gtCoarse[_-])?(?:label_?)?(?:(?:train_?|instance_?)?ids?|(?:train_?)?colou?rs?|colou?r_?mask|vis|overlay|blend)$`)

// converted reports whether a file is what a converter has made of another that is
// there.
func converted(label string, there map[string]string) bool {
	m := conversion.FindStringSubmatch(strings.TrimSuffix(label, path.Ext(label)))
	return m != nil && there[m[1]+path.Ext(label)] != ""
}
