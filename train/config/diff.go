package config

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/goccy/go-yaml"
	"github.com/zeebo/xxh3"
)

// Diff lists the keys in which two configurations differ, each with both
// values, sorted.
func Diff(a, b Config) ([]string, error) {
	da, err := toDocument(a)
	if err != nil {
		return nil, err
	}
	db, err := toDocument(b)
	if err != nil {
		return nil, err
	}
	var out []string
	diffDocuments("", da, db, &out)
	slices.Sort(out)
	return out, nil
}

func toDocument(c Config) (document, error) {
	text, err := c.YAML()
	if err != nil {
		return nil, err
	}
	return parse(text)
}

func diffDocuments(prefix string, a, b document, out *[]string) {
	keys := map[string]bool{}
	for k := range a {
		keys[k] = true
	}
	for k := range b {
		keys[k] = true
	}
	for k := range keys {
		sa, aIsMap := a[k].(document)
		sb, bIsMap := b[k].(document)
		if aIsMap && bIsMap {
			diffDocuments(prefix+k+".", sa, sb, out)
		} else if !reflect.DeepEqual(a[k], b[k]) {
			*out = append(*out, fmt.Sprintf("%s%s: %v, was %v", prefix, k, a[k], b[k]))
		}
	}
}

// Hash identifies the numbers a run computes. Where data lies is left out (its
// digest is compared instead), and so is what only decides how often state is
// written, or where it is kept in between.
func (c Config) Hash() (string, error) {
	c.Source.Dir, c.Target.Dir, c.Source.Stats, c.Patch.Pairs, c.Network.Weights, c.Network.Init = "", "", "", "", "", ""
	for _, d := range []*Data{&c.Source, &c.Target} {
		if _, mapped := d.ClassMap(); mapped {
			d.Format = custom // what the map means is in the data's digest
		}
	}
	c.Checkpoint = Checkpoint{}
	c.LogEvery, c.PanelsEvery, c.Eval.Every = 0, 0, 0
	c.Network.Checkpointing = false
	text, err := yaml.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("hash configuration: %w", err)
	}
	return fmt.Sprintf("%016x", xxh3.Hash(text)), nil
}
