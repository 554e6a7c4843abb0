package folder

import (
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/pipa-uda/pipa/internal/nearest"
)

// A Pair is an image and its label, as names below the root.
type Pair struct {
	Stem  string // the image's name below the folder above its glob's first wildcard, without extension
	Image string
	Label string // where its label is, or would be; empty where the split has none
	// Missing says that the label is not there.
	Missing bool
}

// Split is a split by its name.
func (m *Map) Split(name string) (Split, error) {
	s, ok := m.Splits[name]
	if !ok {
		names := m.SplitNames()
		return s, fmt.Errorf("the class map %s has no split %q: did you mean %q? (all: %s)", m.Name, name, nearest.Word(name, names), strings.Join(names, ", "))
	}
	return s, nil
}

// List lists a split's images with their labels, and the labels without an
// image. An unlabelled list looks for no labels.
func (m *Map) List(files fs.FS, split string, unlabelled bool) (pairs []Pair, strays []string, err error) {
	s, err := m.Split(split)
	if err != nil {
		return nil, nil, err
	}
	images, err := parseGlob(s.Images)
	if err != nil {
		return nil, nil, err
	}
	found, err := images.find(files)
	if err != nil {
		return nil, nil, fmt.Errorf("images %s: %w", s.Images, err)
	}
	rest := map[string]bool{} // labels that no image has asked for yet
	if s.Labels != "" && !unlabelled {
		if rest, err = images.labelled(files, s.Labels); err != nil {
			return nil, nil, fmt.Errorf("labels %s: %w", s.Labels, err)
		}
	}
	stems, owner := map[string]string{}, map[string]string{}
	for _, image := range found {
		p := Pair{Image: image, Stem: strings.TrimPrefix(strings.TrimSuffix(image, path.Ext(image)), images.fixed()+"/")}
		if other, twice := stems[p.Stem]; twice {
			return nil, nil, fmt.Errorf("%s and %s have the same name", other, image)
		}
		stems[p.Stem] = image
		if s.Labels != "" && !unlabelled {
			if p.Label, err = images.label(s.Labels, image); err != nil {
				return nil, nil, err
			}
			if other, twice := owner[p.Label]; twice {
				return nil, nil, fmt.Errorf("%s and %s have the same label, %s: name it by all of the images' wildcards ({1}, {2}, …)", other, image, p.Label)
			}
			owner[p.Label] = image
			p.Missing = !rest[p.Label]
			delete(rest, p.Label)
		}
		pairs = append(pairs, p)
	}
	for label := range rest {
		strays = append(strays, label)
	}
	return pairs, strays, nil
}

// labelled is the set of files that a template can stand for.
func (g *glob) labelled(files fs.FS, template string) (map[string]bool, error) {
	labels, err := g.labels(template)
	if err != nil {
		return nil, err
	}
	found, err := labels.find(files)
	set := make(map[string]bool, len(found))
	for _, name := range found {
		set[name] = true
	}
	return set, err
}
