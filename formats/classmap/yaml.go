package classmap

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/pipa-uda/pipa/internal/nearest"
)

// file is a map as its YAML has it.
type file struct {
	Name    string           `yaml:"name"`
	Root    string           `yaml:"root"`
	Labels  string           `yaml:"labels"`
	Classes []class          `yaml:"classes"`
	Ignore  ignored          `yaml:"ignore"`
	Splits  map[string]split `yaml:"splits"`
}

type split struct {
	Images string `yaml:"images"`
	Labels string `yaml:"labels"` // empty for images without labels
}

type class struct {
	Name   string  `yaml:"name"`
	ID     *int    `yaml:"id"`
	IDs    []int   `yaml:"ids"`
	Color  []int   `yaml:"colour"`
	Colors [][]int `yaml:"colours"`
}

// keys are those of a map's YAML on all levels, for "did you mean".
var keys = []string{"name", "root", "labels", "classes", "ignore", "splits", "id", "ids", "colour", "colours", "images"}

// decode decodes a map strictly.
func decode(text []byte) (f file, err error) {
	if err := PlainYAML(text); err != nil {
		return f, err
	}
	err = yaml.UnmarshalWithOptions(text, &f, yaml.Strict())
	if unknown := (*yaml.UnknownFieldError)(nil); errors.As(err, &unknown) {
		key := unknown.Token.Value
		return f, fmt.Errorf("line %d: unknown key %s%s (all: %s)", unknown.Token.Position.Line, key, nearest.Hint(key, keys, "%s"), strings.Join(keys, ", "))
	}
	return f, err
}

// ignored is the word "others", or a list of ids, or of colors.
type ignored struct {
	others bool
	ids    []int
	colors [][]int
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
	if g.ids = nil; unmarshal(&g.colors) == nil {
		return nil
	}
	return errors.New("ignore wants a list of ids, a list of [red, green, blue], or the word others")
}
