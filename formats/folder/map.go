package folder

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/pipa-uda/pipa/pipeline"
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
	Colors  [][3]uint8       // one for each class: the map's, else pipeline.Palette's
	Splits  map[string]Split // by name

	// OthersIgnored says that values which the map does not have are ignored,
	// rather than an error.
	OthersIgnored bool

	ids    map[int]pipeline.TrainID      // what a label's ids mean, where Labels is LabelIDs
	colors map[[3]uint8]pipeline.TrainID // what its colours mean, else
	text   []byte
}

// A Split names the files of one part of a dataset; see [Map.List].
type Split struct {
	Images string `yaml:"images"`
	Labels string `yaml:"labels"` // empty for images without labels
}

// file is a map as its YAML has it.
type file struct {
	Name    string           `yaml:"name"`
	Root    string           `yaml:"root"`
	Labels  string           `yaml:"labels"`
	Classes []class          `yaml:"classes"`
	Ignore  ignored          `yaml:"ignore"`
	Splits  map[string]Split `yaml:"splits"`
}

type class struct {
	Name    string  `yaml:"name"`
	ID      *int    `yaml:"id"`
	IDs     []int   `yaml:"ids"`
	Colour  []int   `yaml:"colour"`
	Colours [][]int `yaml:"colours"`
}

// keys are those of a map's YAML on all levels, for "did you mean".
var keys = []string{"name", "root", "labels", "classes", "ignore", "splits", "id", "ids", "colour", "colours", "images"}

// ignored is the word "others", or a list of ids, or of colours.
type ignored struct {
	others  bool
	ids     []int
	colours [][]int
}

// UnmarshalYAML implements yaml.InterfaceUnmarshaler.
func (g *ignored) UnmarshalYAML(unmarshal func(any) error) error {
	var word string
	if unmarshal(&word) == nil {
		if g.others = word == "others"; !g.others {
			return fmt.Errorf("ignore is %q, want a list of values, or the word others", word)
		}
		return nil
	}
	if unmarshal(&g.ids) == nil {
		return nil
	}
	if g.ids = nil; unmarshal(&g.colours) == nil {
		return nil
	}
	return errors.New("ignore wants a list of ids, a list of [red, green, blue], or the word others")
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
	text, err := os.ReadFile(path)
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
	if len(text) > maxMapBytes {
		return nil, fmt.Errorf("it has %d bytes, the limit is %d", len(text), maxMapBytes)
	}
	if err := refuseNesting(text); err != nil {
		return nil, err
	}
	if err := refuseAliases(text); err != nil {
		return nil, err
	}
	var f file
	if err := yaml.UnmarshalWithOptions(text, &f, yaml.Strict()); err != nil {
		if unknown := (*yaml.UnknownFieldError)(nil); errors.As(err, &unknown) {
			key := unknown.Token.Value
			return nil, fmt.Errorf("line %d: unknown key %s: did you mean %s?", unknown.Token.Position.Line, key, pipeline.Nearest(key, keys))
		}
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

// maxNesting is far beyond a map's five levels.
const maxNesting = 64

// refuseNesting keeps the YAML parser from texts whose nesting takes it the
// square of their length. It looks at brackets, and at dashes that lines begin
// with, and need not know what stands in quotes.
func refuseNesting(text []byte) error {
	brackets, dashes, begins := 0, 0, true
	for _, c := range text {
		switch c {
		case '[', '{':
			brackets++
		case ']', '}':
			brackets = max(brackets-1, 0)
		case '\n', '\r':
			dashes, begins = 0, true
			continue
		case '-', '?':
			if begins {
				dashes++
			}
		}
		if begins = begins && (c == '-' || c == '?' || c == ' ' || c == '\t'); max(brackets, dashes) > maxNesting {
			return fmt.Errorf("it nests more than %d lists or mappings", maxNesting)
		}
	}
	return nil
}

// refuseAliases keeps small texts from standing for large ones: a map needs no
// YAML anchors.
func refuseAliases(text []byte) error {
	doc, err := parser.ParseBytes(text, 0)
	if err != nil {
		return err
	}
	var v aliases
	for _, d := range doc.Docs {
		if d.Body != nil {
			ast.Walk(&v, d.Body)
		}
	}
	if len(doc.Docs) > 1 {
		return fmt.Errorf("it holds %d YAML documents, want one", len(doc.Docs))
	}
	return v.err
}

type aliases struct{ err error }

func (v *aliases) Visit(n ast.Node) ast.Visitor {
	switch n.(type) {
	case *ast.AliasNode, *ast.AnchorNode, *ast.TagNode, *ast.MergeKeyNode:
		if v.err == nil {
			v.err = fmt.Errorf("line %d: anchors, aliases and tags are not for class maps: write the value out", n.GetToken().Position.Line)
		}
		return nil
	}
	return v
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

// classes checks the classes and makes the tables of what labels' values mean.
func (m *Map) classes(f file) error {
	switch {
	case len(f.Classes) == 0 && !m.labelled():
		if f.Labels != "" || f.Ignore.others || f.Ignore.ids != nil || f.Ignore.colours != nil {
			return errors.New("labels and ignore are for maps with classes, and this one has none")
		}
		return nil
	case len(f.Classes) == 0:
		return errors.New("classes is empty, and a split has labels")
	case len(f.Classes) > MaxClasses:
		return fmt.Errorf("classes lists %d, want at most %d", len(f.Classes), MaxClasses)
	case m.Labels != LabelIDs && m.Labels != LabelColours:
		return fmt.Errorf("labels is %q, want %s (grey values or palette indices) or %s (of a palette, or RGB)", m.Labels, LabelIDs, LabelColours)
	}
	m.ids, m.colors = map[int]pipeline.TrainID{}, map[[3]uint8]pipeline.TrainID{}
	shown := map[string][3]uint8{}
	for i, c := range f.Classes {
		if c.Name == "" || strings.ContainsFunc(c.Name, func(r rune) bool { return !unicode.IsPrint(r) || r == '\uFFFD' }) {
			return fmt.Errorf("classes: the name of number %d is %q, want text in one line", i, c.Name)
		}
		if slices.Contains(m.Classes, c.Name) {
			return fmt.Errorf("classes: %s comes twice; values of one class are listed together, as in ids: [3, 4]", c.Name)
		}
		m.Classes = append(m.Classes, c.Name)
		colors, err := m.addClass(c, pipeline.TrainID(i))
		if err != nil {
			return fmt.Errorf("class %s: %w", c.Name, err)
		}
		if len(colors) > 0 {
			shown[c.Name] = colors[0]
		}
	}
	m.Colors = pipeline.Palette(m.Classes, shown)
	if err := m.ignore(f.Ignore); err != nil {
		return fmt.Errorf("ignore: %w", err)
	}
	return nil
}

// addClass enters a class's values, and returns its colours.
func (m *Map) addClass(c class, train pipeline.TrainID) ([][3]uint8, error) {
	if c.ID != nil && c.IDs != nil || c.Colour != nil && c.Colours != nil {
		return nil, errors.New("it has id and ids, or colour and colours: want one of them")
	}
	ids := c.IDs
	if c.ID != nil {
		ids = []int{*c.ID}
	}
	lists := c.Colours
	if c.Colour != nil {
		lists = [][]int{c.Colour}
	}
	colors, err := toColors(lists)
	switch {
	case err != nil:
		return nil, err
	case m.Labels == LabelIDs && len(ids) == 0:
		return nil, errors.New("it has no id, and labels is ids")
	case m.Labels == LabelColours && len(colors) == 0:
		return nil, errors.New("it has no colour, and labels is colours")
	case m.Labels == LabelIDs && len(colors) > 1:
		return nil, errors.New("it has several colours, and labels is ids: want the one that it is shown in")
	case m.Labels == LabelColours && len(ids) > 0:
		return nil, errors.New("it has ids, and labels is colours")
	}
	if m.Labels == LabelIDs {
		return colors, m.addIDs(ids, train)
	}
	return colors, m.addColors(colors, train)
}

func (m *Map) ignore(g ignored) error {
	switch {
	case m.Labels == LabelIDs && g.colours != nil:
		return errors.New("it lists colours, and labels is ids")
	case m.Labels == LabelColours && len(g.ids) > 0:
		return errors.New("it lists ids, and labels is colours")
	}
	if err := m.addIDs(g.ids, pipeline.Ignore); err != nil {
		return err
	}
	colors, err := toColors(g.colours)
	if err != nil {
		return err
	}
	return m.addColors(colors, pipeline.Ignore)
}

func (m *Map) addIDs(ids []int, train pipeline.TrainID) error {
	for _, id := range ids {
		if id < 0 || id > MaxID {
			return fmt.Errorf("id %d, want 0 to %d", id, MaxID)
		}
		if other, twice := m.ids[id]; twice {
			return fmt.Errorf("id %d is %s already", id, m.className(other))
		}
		m.ids[id] = train
	}
	return nil
}

func (m *Map) addColors(colors [][3]uint8, train pipeline.TrainID) error {
	for _, c := range colors {
		if other, twice := m.colors[c]; twice {
			return fmt.Errorf("colour %v is %s already", c, m.className(other))
		}
		m.colors[c] = train
	}
	return nil
}

func (m *Map) className(t pipeline.TrainID) string {
	if t == pipeline.Ignore {
		return "ignored"
	}
	return "class " + m.Classes[t]
}

func toColors(lists [][]int) ([][3]uint8, error) {
	var colors [][3]uint8
	for _, c := range lists {
		if len(c) != 3 || min(c[0], c[1], c[2]) < 0 || max(c[0], c[1], c[2]) > 255 {
			return nil, fmt.Errorf("colour %v, want [red, green, blue] of 0 to 255", c)
		}
		colors = append(colors, [3]uint8{uint8(c[0]), uint8(c[1]), uint8(c[2])})
	}
	return colors, nil
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
func (m *Map) OfID(id int) (t pipeline.TrainID, ok bool) {
	if t, ok = m.ids[id]; !ok && m.OthersIgnored {
		return pipeline.Ignore, true
	}
	return t, ok
}

// OfColor is [Map.OfID] for a colour.
func (m *Map) OfColor(c [3]uint8) (t pipeline.TrainID, ok bool) {
	if t, ok = m.colors[c]; !ok && m.OthersIgnored {
		return pipeline.Ignore, true
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
