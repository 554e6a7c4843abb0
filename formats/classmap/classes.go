package classmap

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/pipa-uda/pipa/formats/labels"
	"github.com/pipa-uda/pipa/formats/layout"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// encoding is what a map's classes, and what it ignores, mean by labels' values.
type encoding struct {
	labels.Encoding
	classes []string
	colors  [][3]uint8 // that the classes are shown in
}

// byID reports whether labels hold ids, rather than colors.
func (e *encoding) byID() bool { return e.Codec == labels.IDs || e.Codec == labels.Red }

// encodingOf checks a map's classes and makes the tables of what values mean.
func encodingOf(f file) (encoding, error) {
	e := encoding{Encoding: labels.Encoding{Codec: labels.Codec(f.Labels), OthersIgnored: f.Ignore.others}}
	err := e.take(f)
	return e, err
}

func (e *encoding) take(f file) error {
	switch {
	case len(f.Classes) == 0 && !f.labeled():
		if f.Labels != "" || f.Ignore.others || f.Ignore.ids != nil || f.Ignore.colors != nil {
			return errors.New("labels and ignore are for maps with classes, and this one has none")
		}
		return nil
	case len(f.Classes) == 0:
		return errors.New("classes is empty, and a split has labels")
	case len(f.Classes) > layout.MaxClasses:
		return fmt.Errorf("classes lists %d, want at most %d", len(f.Classes), layout.MaxClasses)
	case !e.byID() && e.Codec != labels.Colors:
		return fmt.Errorf("labels is %q, want %s (gray values or palette indices), %s (ids in the red channel) or %s (of a palette, or RGB)", f.Labels, labels.IDs, labels.Red, labels.Colors)
	case e.byID():
		e.IDs = map[int]raster.TrainID{}
	default:
		e.Colors = map[[3]uint8]raster.TrainID{}
	}
	shown := map[string][3]uint8{}
	for i, c := range f.Classes {
		if c.Name == "" || strings.ContainsFunc(c.Name, func(r rune) bool { return !unicode.IsPrint(r) || r == '\uFFFD' }) {
			return fmt.Errorf("classes: the name of number %d is %q, want text in one line", i, c.Name)
		}
		if slices.Contains(e.classes, c.Name) {
			return fmt.Errorf("classes: %s comes twice; values of one class are listed together, as in ids: [3, 4]", c.Name)
		}
		e.classes = append(e.classes, c.Name)
		colors, err := e.addClass(c, raster.TrainID(i))
		if err != nil {
			return fmt.Errorf("class %s: %w", c.Name, err)
		}
		if len(colors) > 0 {
			shown[c.Name] = colors[0]
		}
	}
	e.colors = raster.Palette(e.classes, shown)
	if err := e.ignore(f.Ignore); err != nil {
		return fmt.Errorf("ignore: %w", err)
	}
	return nil
}

// addClass enters a class's values, and returns its colors.
func (e *encoding) addClass(c class, train raster.TrainID) ([][3]uint8, error) {
	if c.ID != nil && c.IDs != nil || c.Color != nil && c.Colors != nil {
		return nil, errors.New("it has id and ids, or colour and colours: want one of them")
	}
	ids := c.IDs
	if c.ID != nil {
		ids = []int{*c.ID}
	}
	lists := c.Colors
	if c.Color != nil {
		lists = [][]int{c.Color}
	}
	colors, err := toColors(lists)
	switch {
	case err != nil:
		return nil, err
	case e.byID() && len(ids) == 0:
		return nil, fmt.Errorf("it has no id, and labels is %s", e.Codec)
	case e.Codec == labels.Colors && len(colors) == 0:
		return nil, errors.New("it has no colour, and labels is colours")
	case e.byID() && len(colors) > 1:
		return nil, fmt.Errorf("it has several colours, and labels is %s: want the one that it is shown in", e.Codec)
	case e.Codec == labels.Colors && len(ids) > 0:
		return nil, errors.New("it has ids, and labels is colours")
	}
	if e.byID() {
		return colors, e.addIDs(ids, train)
	}
	return colors, e.addColors(colors, train)
}

func (e *encoding) ignore(g ignored) error {
	switch {
	case e.byID() && g.colors != nil:
		return fmt.Errorf("it lists colours, and labels is %s", e.Codec)
	case e.Codec == labels.Colors && len(g.ids) > 0:
		return errors.New("it lists ids, and labels is colours")
	}
	if err := e.addIDs(g.ids, raster.Ignore); err != nil {
		return err
	}
	colors, err := toColors(g.colors)
	if err != nil {
		return err
	}
	return e.addColors(colors, raster.Ignore)
}

func (e *encoding) addIDs(ids []int, train raster.TrainID) error {
	for _, id := range ids {
		if id < 0 || id > maxID {
			return fmt.Errorf("id %d, want 0 to %d", id, maxID)
		}
		if other, twice := e.IDs[id]; twice {
			return fmt.Errorf("id %d is %s already", id, e.className(other))
		}
		e.IDs[id] = train
	}
	return nil
}

func (e *encoding) addColors(colors [][3]uint8, train raster.TrainID) error {
	for _, c := range colors {
		if other, twice := e.Colors[c]; twice {
			return fmt.Errorf("colour %v is %s already", c, e.className(other))
		}
		e.Colors[c] = train
	}
	return nil
}

func (e *encoding) className(t raster.TrainID) string {
	if t == raster.Ignore {
		return "ignored"
	}
	return "class " + e.classes[t]
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
