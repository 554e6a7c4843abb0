package folder

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/pipa-uda/pipa/pipeline/raster"
)

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
	m.ids, m.colors = map[int]raster.TrainID{}, map[[3]uint8]raster.TrainID{}
	shown := map[string][3]uint8{}
	for i, c := range f.Classes {
		if c.Name == "" || strings.ContainsFunc(c.Name, func(r rune) bool { return !unicode.IsPrint(r) || r == '\uFFFD' }) {
			return fmt.Errorf("classes: the name of number %d is %q, want text in one line", i, c.Name)
		}
		if slices.Contains(m.Classes, c.Name) {
			return fmt.Errorf("classes: %s comes twice; values of one class are listed together, as in ids: [3, 4]", c.Name)
		}
		m.Classes = append(m.Classes, c.Name)
		colors, err := m.addClass(c, raster.TrainID(i))
		if err != nil {
			return fmt.Errorf("class %s: %w", c.Name, err)
		}
		if len(colors) > 0 {
			shown[c.Name] = colors[0]
		}
	}
	m.Colors = raster.Palette(m.Classes, shown)
	if err := m.ignore(f.Ignore); err != nil {
		return fmt.Errorf("ignore: %w", err)
	}
	return nil
}

// addClass enters a class's values, and returns its colours.
func (m *Map) addClass(c class, train raster.TrainID) ([][3]uint8, error) {
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
	if err := m.addIDs(g.ids, raster.Ignore); err != nil {
		return err
	}
	colors, err := toColors(g.colours)
	if err != nil {
		return err
	}
	return m.addColors(colors, raster.Ignore)
}

func (m *Map) addIDs(ids []int, train raster.TrainID) error {
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

func (m *Map) addColors(colors [][3]uint8, train raster.TrainID) error {
	for _, c := range colors {
		if other, twice := m.colors[c]; twice {
			return fmt.Errorf("colour %v is %s already", c, m.className(other))
		}
		m.colors[c] = train
	}
	return nil
}

func (m *Map) className(t raster.TrainID) string {
	if t == raster.Ignore {
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
