package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/pipa-uda/pipa/formats/classmap"
	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/internal/nearest"
)

// File is the configuration in a run directory.
const File = "config.yaml"

// document is a parsed YAML mapping, before it is known to be a Config.
type document = map[string]any

// Preset returns a preset's configuration, with its data folders still empty.
func Preset(name string) (Config, error) { return Resolve(name, "", nil) }

// Resolve layers a configuration: the [Reference], a preset, a YAML file, then
// "key=value" settings with dotted keys, as in "patch.weight=0.05". Empty
// arguments are left out. A preset is PAIR-RECIPE (see [Names]), or a RECIPE
// alone (see [Recipes]) where the file or the settings say source.format and
// target.format; instead of the argument, the file may name it as "extends". The
// result has a value for every key, and is still to be validated once the data
// folders are known.
func Resolve(preset, file string, set []string) (Config, error) {
	text, err := ReadFile(file)
	if err != nil {
		return Config{}, err
	}
	return ResolveText(preset, file, text, set)
}

// maxFile bounds a configuration; the reference has 10 kB.
const maxFile = 1 << 20

// ReadFile reads a configuration's file, or a pipe, which can be read but once; that
// of no name is empty.
func ReadFile(file string) ([]byte, error) {
	if file == "" {
		return nil, nil
	}
	text, err := files.ReadNamed(file, maxFile)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return text, nil
}

// ResolveRun is Resolve for the configuration that a run directory holds.
func ResolveRun(run string, set []string) (Config, error) {
	cfg, _, err := readRun(run, set)
	return cfg, err
}

// ReadRun returns a run's configuration, also as the text it was written as.
func ReadRun(run string) (Config, string, error) {
	cfg, text, err := readRun(run, nil)
	if errors.Is(err, os.ErrNotExist) {
		return Config{}, "", fmt.Errorf("%s is not a run: it has no %s", run, File)
	}
	return cfg, text, err
}

func readRun(run string, set []string) (Config, string, error) {
	text, err := files.ReadIn(run, File)
	if err != nil {
		return Config{}, "", fmt.Errorf("read configuration: %w", err)
	}
	cfg, err := ResolveText("", filepath.Join(run, File), text, set)
	return cfg, string(text), err
}

// ResolveText is [Resolve] with what the file holds.
func ResolveText(preset, file string, text []byte, set []string) (Config, error) {
	over, err := parseFile(file, text)
	if err != nil {
		return Config{}, err
	}
	if base, ok := over["extends"].(string); ok {
		if preset != "" {
			return Config{}, fmt.Errorf("configuration %s extends %q, and the preset %q is given too: give one of them", file, base, preset)
		}
		preset = base
		delete(over, "extends")
		if preset == "" {
			return Config{}, fmt.Errorf("configuration %s: %w", file, unknownPreset(preset))
		}
	}
	for _, s := range set {
		v, err := parseSetting(s)
		if err != nil {
			return Config{}, err
		}
		merge(over, v)
	}
	doc, err := lowerLayers(preset, over)
	if err != nil {
		if file != "" {
			err = fmt.Errorf("configuration %s: %w", file, err)
		}
		return Config{}, err
	}
	merge(doc, over)
	return decode(doc)
}

// parseFile is the mapping that a user's file holds; without a file it is empty.
func parseFile(file string, text []byte) (document, error) {
	if file == "" {
		return document{}, nil
	}
	plain, err := files.Text(text)
	if err == nil {
		err = classmap.PlainYAML([]byte(plain))
	}
	if err != nil {
		return nil, fmt.Errorf("configuration %s: %w", file, err)
	}
	doc, err := parse([]byte(plain))
	if err != nil {
		return nil, fmt.Errorf("configuration %s: %w", file, err)
	}
	return doc, nil
}

// parseSetting is the mapping that "key=value" stands for.
func parseSetting(s string) (document, error) {
	key, value, ok := strings.Cut(s, "=")
	if !ok || key == "" {
		return nil, fmt.Errorf("setting %q: want key=value, such as patch.weight=0.05", s)
	}
	var v any
	if err := yaml.Unmarshal([]byte(value), &v); err != nil {
		return nil, fmt.Errorf("setting %s: %w", key, err)
	}
	for _, part := range slices.Backward(strings.Split(key, ".")) {
		v = document{part: v}
	}
	return v.(document), nil
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
	known, err := keys()
	if err != nil {
		return err
	}
	return unknownKey("", doc, known)
}

// keys are those of a fully written Config, and of the [Reference]: what is left
// out of a Config where it is zero stands there.
func keys() (document, error) {
	text, err := yaml.Marshal(Config{Losses: []string{""}, Network: Network{Init: "any", Dims: []int{1}, Depths: []int{1}}})
	if err != nil {
		return nil, err
	}
	known, err := parse([]byte(Reference()))
	if err != nil {
		return nil, err
	}
	written, err := parse(text)
	merge(known, written)
	return known, err
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
			hint := nearest.Hint(k, names, prefix+"%s")
			if hint == "" {
				hint = " (all: " + prefix + strings.Join(names, ", "+prefix) + ")"
			}
			errs = append(errs, fmt.Errorf("configuration: unknown key %s%s%s", prefix, k, hint))
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
