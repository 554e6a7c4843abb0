package train

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/pipa-uda/pipa/formats/classmap"
	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/internal/nearest"
)

//go:embed presets/*.yaml
var presets embed.FS

// document is a parsed YAML mapping, before it is known to be a Config.
type document = map[string]any

// PresetNames lists the presets, sorted.
func PresetNames() []string {
	entries, err := fs.ReadDir(presets, "presets")
	if err != nil {
		panic(err) // embedded
	}
	var names []string
	for _, e := range entries {
		if name := strings.TrimSuffix(e.Name(), ".yaml"); name != "base" {
			names = append(names, name)
		}
	}
	return names
}

// Preset returns a preset's configuration, with its data folders still empty.
func Preset(name string) (Config, error) { return Resolve(name, "", nil) }

// Resolve layers a configuration: a preset (with what it extends), then a
// YAML file, then "key=value" settings with dotted keys, as in
// "patch.weight=0.05". Empty arguments are left out; without a preset or an
// extends line the file extends "base". The result is decoded strictly, and
// still to be validated once the data folders are known.
func Resolve(preset, file string, set []string) (Config, error) {
	var text []byte
	if file != "" {
		var err error
		if text, err = os.ReadFile(file); err != nil { // a pipe, where the user says so
			return Config{}, fmt.Errorf("read configuration: %w", err)
		}
	}
	return resolve(preset, file, text, set)
}

// ResolveRun is Resolve for the configuration that a run directory holds.
func ResolveRun(run string, set []string) (Config, error) {
	text, err := files.ReadIn(run, configFile)
	if err != nil {
		return Config{}, fmt.Errorf("read configuration: %w", err)
	}
	return resolve("", filepath.Join(run, configFile), text, set)
}

// resolve is Resolve with the file's contents.
func resolve(preset, file string, text []byte, set []string) (Config, error) {
	var cfg Config
	doc, err := document{}, error(nil)
	if preset != "" {
		if doc, err = loadPreset(preset); err != nil {
			return cfg, err
		}
	}
	if file != "" {
		var over document
		if err = classmap.PlainYAML(text); err == nil {
			over, err = parse(text)
		}
		if err != nil {
			return cfg, fmt.Errorf("configuration %s: %w", file, err)
		}
		if base, ok := over["extends"].(string); ok {
			if preset != "" {
				return cfg, fmt.Errorf("configuration %s extends %q and --preset names %q: give one of them", file, base, preset)
			}
			if doc, err = loadPreset(base); err != nil {
				return cfg, fmt.Errorf("configuration %s: %w", file, err)
			}
			delete(over, "extends")
		}
		merge(doc, over)
	}
	if _, complete := doc["optimizer"]; !complete {
		base, err := loadPreset("base")
		if err != nil {
			return cfg, err
		}
		merge(base, doc)
		doc = base
	}
	for _, s := range set {
		key, value, ok := strings.Cut(s, "=")
		if !ok || key == "" {
			return cfg, fmt.Errorf("setting %q: want key=value, such as patch.weight=0.05", s)
		}
		var v any
		if err := yaml.Unmarshal([]byte(value), &v); err != nil {
			return cfg, fmt.Errorf("setting %s: %w", key, err)
		}
		for _, part := range slices.Backward(strings.Split(key, ".")) {
			v = document{part: v}
		}
		merge(doc, v.(document))
	}
	return decode(doc)
}

func loadPreset(name string) (document, error) {
	text, err := presets.ReadFile("presets/" + name + ".yaml")
	if err != nil {
		names := PresetNames()
		return nil, fmt.Errorf("no preset %q: did you mean %q? (all: %s)", name, nearest.Word(name, names), strings.Join(names, ", "))
	}
	doc, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("preset %s: %w", name, err)
	}
	base, ok := doc["extends"].(string)
	if !ok {
		return doc, nil
	}
	delete(doc, "extends")
	under, err := loadPreset(base)
	if err != nil {
		return nil, fmt.Errorf("preset %s: %w", name, err)
	}
	merge(under, doc)
	return under, nil
}

func parse(text []byte) (document, error) {
	doc := document{}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	return doc, nil
}

// merge lays over onto doc: mappings key by key, everything else whole.
func merge(doc, over document) {
	for k, v := range over {
		sub, isMap := v.(document)
		under, hasMap := doc[k].(document)
		if isMap && hasMap {
			merge(under, sub)
			continue
		}
		doc[k] = v
	}
}

func decode(doc document) (Config, error) {
	var cfg Config
	if err := checkKeys(doc); err != nil {
		return cfg, err
	}
	text, err := yaml.Marshal(doc)
	if err != nil {
		return cfg, fmt.Errorf("configuration: %w", err)
	}
	if err := yaml.UnmarshalWithOptions(text, &cfg, yaml.Strict()); err != nil {
		return cfg, fmt.Errorf("configuration: %w", err)
	}
	return cfg, nil
}

// checkKeys reports a key that Config does not have, with the nearest it has.
func checkKeys(doc document) error {
	// The known keys are those of a fully written Config.
	text, err := yaml.Marshal(Config{Network: NetworkConfig{Dims: []int{1}, Depths: []int{1}}})
	if err != nil {
		return err
	}
	known, err := parse(text)
	if err != nil {
		return err
	}
	return unknownKey("", doc, known)
}

func unknownKey(prefix string, doc, known document) error {
	var names []string
	for k := range known {
		names = append(names, k)
	}
	slices.Sort(names)
	var errs []error
	for k, v := range doc {
		under, ok := known[k]
		if !ok {
			errs = append(errs, fmt.Errorf("configuration: unknown key %s%s: did you mean %s%s?", prefix, k, prefix, nearest.Word(k, names)))
			continue
		}
		section, isSection := under.(document)
		sub, isMap := v.(document)
		switch {
		case isSection && isMap:
			errs = append(errs, unknownKey(prefix+k+".", sub, section))
		case isSection:
			errs = append(errs, fmt.Errorf("configuration: %s%s is a section, want keys under it", prefix, k))
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return errors.Join(errs...)
}

// YAML writes the configuration as a file that [Resolve] reads back equal.
func (c Config) YAML() ([]byte, error) {
	text, err := yaml.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("write configuration: %w", err)
	}
	return text, nil
}
