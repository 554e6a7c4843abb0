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
)

// A Listing is what a split has in a folder. Names are below the folder.
type Listing struct {
	Pairs  []Pair
	Strays []Stray
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
	found, err := images.find(files, l.FollowLinks)
	if err != nil {
		return Listing{}, fmt.Errorf("images %s: %w", s.Images, err)
	}
	there, err := l.labelFiles(files, s, images)
	if err != nil {
		return Listing{}, err
	}
	chosen, err := l.chosen(files, s)
	if err != nil {
		return Listing{}, err
	}
	out := Listing{Labels: s.Labels}
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
			names, err := images.labelNames(s, image)
			if err != nil {
				return out, err
			}
			for _, name := range names {
				if other, twice := owner[name]; twice && other != image {
					return out, fmt.Errorf("%s and %s have the same label, %s: name it by all of the images' wildcards ({1}, {2}, …)", other, image, name)
				}
				owner[name] = image
			}
			p.Label, p.Kind, p.Missing = there.best(names)
		}
		out.Pairs = append(out.Pairs, p)
	}
	out.Strays = l.strays(files, s, images, there, owner)
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
	glob  *glob // of all names that the template can stand for
	there map[string]bool
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
		found, err := out[i].glob.find(files, l.FollowLinks)
		if err != nil {
			err = fmt.Errorf("labels %s: %w", lb.Files, err)
		}
		if errors.Is(err, fs.ErrNotExist) {
			away = err
		} else if err != nil {
			return nil, err
		}
		out[i].there = map[string]bool{}
		for _, name := range found {
			out[i].there[name], any = true, true
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
		if f[i].there[name] {
			return name, i, false
		}
	}
	for kind < len(f)-1 && len(f[kind].there) == 0 {
		kind++
	}
	return names[kind], kind, true
}

// strays are the labels that no image of any split asks for, one for each sample, but
// for what converters leave beside a label.
func (l Layout) strays(files fs.FS, s Split, images *glob, there labelFiles, owner map[string]string) []Stray {
	var out []Stray
	known, elsewhere := map[string]bool{}, map[string]bool(nil)
	for i, kind := range there {
		for _, label := range slices.Sorted(maps.Keys(kind.there)) {
			if owner[label] != "" {
				continue
			}
			if elsewhere == nil {
				elsewhere = l.labelsOfOthers(files, s)
			}
			if elsewhere[label] || converted(label, kind.there) {
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
	return out
}

// labelsOfOthers are the labels that the images of a layout's other splits ask for: one
// folder may hold those of several. Splits that cannot be listed ask for none.
func (l Layout) labelsOfOthers(files fs.FS, s Split) map[string]bool {
	asked := map[string]bool{}
	for _, other := range l.Splits {
		if other.Name == s.Name || other.Images == s.Images || !other.Labeled() {
			continue
		}
		images, err := parseGlob(other.Images)
		if err != nil {
			continue
		}
		found, err := images.find(files, l.FollowLinks)
		if err != nil {
			continue
		}
		for _, image := range found {
			names, _ := images.labelNames(other, image)
			for _, name := range names {
				asked[name] = true
			}
		}
	}
	return asked
}

// conversion is what the usual converters add to a label's name for what they make of
// it: 00001_labelTrainIds.png beside 00001.png.
var conversion = regexp.MustCompile(`(?i)^(.+?)[_.-](?:gtFine[_-]|gtCoarse[_-])?(?:label_?)?(?:(?:train_?|instance_?)?ids?|(?:train_?)?colou?rs?|colou?r_?mask|vis|overlay|blend)$`)

// converted reports whether a file is what a converter has made of another that is
// there.
func converted(label string, there map[string]bool) bool {
	m := conversion.FindStringSubmatch(strings.TrimSuffix(label, path.Ext(label)))
	return m != nil && there[m[1]+path.Ext(label)]
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
