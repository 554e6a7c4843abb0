package folder

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/zeebo/xxh3"
)

// MaxClasses is how many classes a map may have: train IDs are bytes, 255 is
// ignored.
const MaxClasses = 254

// maxMapBytes bounds a map; one of 254 classes has about 20 kB.
const maxMapBytes = 64 << 10

// MaxID is the largest id of a label's pixel: that of a 16-bit PNG.
const MaxID = 1<<16 - 1

// How labels say classes.
const (
	LabelIDs     = "ids"     // grey values of 8 or 16 bits, or palette indices
	LabelColours = "colours" // of a palette, or RGB
)

// A Map is a class map. Those of [Parse] are valid.
type Map struct {
	Name string // of the dataset, the first part of its samples' ids
	// Root is the folder that the splits' names are relative to, itself
	// relative to the map's file and below it: "." where the map lies.
	Root    string
	Labels  string           // LabelIDs or LabelColours; empty where no split has labels
	Classes []string         // names by train ID
	Colors  [][3]uint8       // one for each class: the map's, else raster.Palette's
	Splits  map[string]Split // by name

	// OthersIgnored says that values which the map does not have are ignored,
	// rather than an error.
	OthersIgnored bool

	ids    map[int]raster.TrainID      // what a label's ids mean, where Labels is LabelIDs
	colors map[[3]uint8]raster.TrainID // what its colours mean, else
	text   []byte
}

// A Split names the files of one part of a dataset; see [Map.List].
type Split struct {
	Images string `yaml:"images"`
	Labels string `yaml:"labels"` // empty for images without labels
}

// Read reads and checks a map's file.
func Read(path string) (*Map, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read class map: %w", err)
	}
	if info.Size() > maxMapBytes {
		return nil, fmt.Errorf("read class map %s: it has %d bytes, the limit is %d", path, info.Size(), maxMapBytes)
	}
	text, err := files.Read(path)
	if err != nil {
		return nil, fmt.Errorf("read class map: %w", err)
	}
	m, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("class map %s: %w", path, err)
	}
	return m, nil
}

// Parse decodes a map and checks it. Errors name the key, the value and what
// is wanted; unknown keys are errors.
func Parse(text []byte) (*Map, error) {
	f, err := decode(text)
	if err != nil {
		return nil, err
	}
	m := &Map{Name: f.Name, Root: f.Root, Labels: f.Labels, Splits: f.Splits, OthersIgnored: f.Ignore.others, text: slices.Clone(text)}
	if m.Root == "" {
		m.Root = "."
	}
	if err := m.names(); err != nil {
		return nil, err
	}
	return m, m.classes(f)
}

var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// names checks the dataset's name, its root and its splits.
func (m *Map) names() error {
	if !plainName.MatchString(m.Name) {
		return fmt.Errorf("name is %q, want letters, digits, dots, underscores and hyphens", m.Name)
	}
	if !filepath.IsLocal(m.Root) || strings.Contains(m.Root, `\`) {
		return fmt.Errorf("root is %q, want a folder beside or below the map's file; where the data lie elsewhere, leave it out and give their folder on the command line", m.Root)
	}
	if len(m.Splits) == 0 {
		return errors.New(`splits is empty, want at least one, as in: train: {images: "train/*.png", labels: "trainannot/{stem}.png"}`)
	}
	for _, name := range m.SplitNames() {
		s := m.Splits[name]
		if !plainName.MatchString(name) {
			return fmt.Errorf("splits: the name %q, want letters, digits, dots, underscores and hyphens", name)
		}
		g, err := parseGlob(s.Images)
		if err != nil {
			return fmt.Errorf("splits.%s.images: %w", name, err)
		}
		if s.Labels == "" {
			continue
		}
		if err := g.checkTemplate(s.Labels); err != nil {
			return fmt.Errorf("splits.%s.labels: %w", name, err)
		}
	}
	return nil
}

// labelled tells whether any split has labels.
func (m *Map) labelled() bool {
	for _, s := range m.Splits {
		if s.Labels != "" {
			return true
		}
	}
	return false
}

// SplitNames are the splits' names, sorted.
func (m *Map) SplitNames() []string {
	var names []string
	for name := range m.Splits {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// OfID is what an id of a label means. An id that the map does not have, and
// does not ignore, is not ok.
func (m *Map) OfID(id int) (t raster.TrainID, ok bool) {
	if t, ok = m.ids[id]; !ok && m.OthersIgnored {
		return raster.Ignore, true
	}
	return t, ok
}

// OfColor is [Map.OfID] for a colour.
func (m *Map) OfColor(c [3]uint8) (t raster.TrainID, ok bool) {
	if t, ok = m.colors[c]; !ok && m.OthersIgnored {
		return raster.Ignore, true
	}
	return t, ok
}

// Text is the map's YAML as it was parsed.
func (m *Map) Text() string { return string(m.text) }

// Digest identifies what the map means: all but its colours, where labels are
// ids, and its comments.
func (m *Map) Digest() string {
	h := xxh3.New()
	fmt.Fprintf(h, "%q %q %q %v %v %v %q", m.Name, m.Labels, m.Classes, m.ids, m.colors, m.OthersIgnored, m.Splits) // maps print sorted
	return fmt.Sprintf("%016x", h.Sum64())
}
