package config

import (
	"embed"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/pipa-uda/pipa/internal/nearest"
)

// What is published, in YAML: the reference (base.yaml), the recipes, the pairs
// of datasets and the datasets' sizes, and the presets for the fixtures.
//
//go:embed presets
var presets embed.FS

// Reference is the text of the lowest layer, which has a value and an
// explanation for every key: those of DAFormer's and PiPa's configurations.
func Reference() string { return string(embedded("base.yaml")) }

// Names lists the presets, each a whole configuration but for its data folders:
// those for the fixtures, and PAIR-RECIPE for every published pair of datasets.
func Names() []string {
	names := fixtures()
	for _, pair := range slices.Sorted(maps.Keys(pairs())) {
		for _, recipe := range Recipes() {
			names = append(names, pair+"-"+recipe)
		}
	}
	return names
}

// Recipes lists the recipes, which are for any pair of datasets.
func Recipes() []string { return list("recipes") }

func fixtures() []string { return list("fixtures") }

// list is the YAML files of an embedded folder, without the extension.
func list(dir string) []string {
	entries, err := fs.ReadDir(presets, "presets/"+dir)
	if err != nil {
		panic(err) // embedded
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".yaml"))
	}
	return names
}

func embedded(name string) []byte {
	text, err := presets.ReadFile("presets/" + name)
	if err != nil {
		panic(err)
	}
	return text
}

// unmarshal reads an embedded file.
func unmarshal[T any](name string) (v T) {
	if err := yaml.UnmarshalWithOptions(embedded(name), &v, yaml.Strict()); err != nil {
		panic(fmt.Sprintf("%s: %v", name, err))
	}
	return v
}

// A pair names the formats of two datasets.
type pair struct{ Source, Target string }

func pairs() map[string]pair { return unmarshal[map[string]pair]("pairs.yaml") }

// lowerLayers are those that over is laid on. Only over's formats matter, where
// the preset is a recipe.
func lowerLayers(preset string, over document) (document, error) {
	base := unmarshal[document]("base.yaml")
	name, recipe, paired := strings.Cut(preset, "-")
	p, known := pairs()[name]
	switch {
	case preset == "" || preset == "base":
		return base, nil
	case slices.Contains(fixtures(), preset):
		return extend(base, "fixtures", preset), nil
	case paired && known && slices.Contains(Recipes(), recipe):
		return recipeFor(base, recipe, p), nil
	case slices.Contains(Recipes(), preset):
		p = pair{text(over, "source", "format"), text(over, "target", "format")}
		doc := recipeFor(base, preset, p)
		adapts := value(doc, "adapt", "enabled")
		if v := value(over, "adapt", "enabled"); v != nil {
			adapts = v
		}
		if p.Source == "" || p.Target == "" && adapts != false {
			return nil, &UnpairedError{Recipe: preset, Source: p.Source, Target: p.Target}
		}
		return doc, nil
	}
	return nil, unknownPreset(preset)
}

// An UnpairedError says that a recipe was named without the formats of the
// datasets it is to be for.
type UnpairedError struct{ Recipe, Source, Target string }

func (e *UnpairedError) Error() string {
	missing := "source.format and target.format are"
	switch {
	case e.Source != "":
		missing = "target.format is"
	case e.Target != "":
		missing = "source.format is"
	}
	var published []string
	for _, pair := range slices.Sorted(maps.Keys(pairs())) {
		published = append(published, pair+"-"+e.Recipe)
	}
	return fmt.Sprintf("the recipe %q is for any datasets, and %s not given; for the published ones it is %s", e.Recipe, missing, strings.Join(published, " or "))
}

func unknownPreset(name string) error {
	all := append(Names(), Recipes()...)
	return fmt.Errorf("no preset %q%s (all: %s)", name, nearest.Hint(name, all, "%q"), strings.Join(all, ", "))
}

// extend lays a recipe of an embedded folder, and before it the one that it
// extends, onto doc.
func extend(doc document, dir, name string) document {
	recipe := unmarshal[document](dir + "/" + name + ".yaml")
	if under := text(recipe, "extends"); under != "base" {
		doc = extend(doc, dir, under)
	}
	delete(recipe, "extends")
	merge(doc, recipe)
	return doc
}

// recipeFor is a recipe for a pair of datasets: their names, and what their
// images are scaled to.
func recipeFor(base document, recipe string, p pair) document {
	doc := extend(base, "recipes", recipe)
	sizes := unmarshal[map[string][2]int]("datasets.yaml")
	fit := func(side, format, otherwise string) document {
		size, known := sizes[format]
		if !known {
			size = sizes[otherwise]
		}
		scale := number(value(doc, "scale", side))
		return document{"format": format, "resize": []any{int(scale * float64(size[0])), int(scale * float64(size[1]))}}
	}
	source, target := fit("source", p.Source, "gta"), fit("target", p.Target, "cityscapes")
	delete(doc, "scale")
	merge(doc, document{"source": source, "target": target, "eval": document{"resize": target["resize"]}})
	return doc
}

// value is what lies under keys of a document, or nil.
func value(doc document, keys ...string) any {
	var v any = doc
	for _, k := range keys {
		d, _ := v.(document)
		v = d[k]
	}
	return v
}

// text is value where it is a string.
func text(doc document, keys ...string) string {
	s, _ := value(doc, keys...).(string)
	return s
}

// number is a YAML number, whole or not.
func number(v any) float64 {
	switch n := v.(type) {
	case float64:
		return n
	case uint64:
		return float64(n)
	}
	panic(fmt.Sprintf("presets: %v is not a number", v)) // embedded
}
