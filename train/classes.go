package train

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/pipeline/shards"
	"github.com/pipa-uda/pipa/train/eval"
	"github.com/pipa-uda/pipa/train/loss"
)

// setClasses takes the source's classes, which the network learns to tell
// apart, and checks what else has to fit them.
func (t *trainer) setClasses() error {
	h := t.feeds.source.Header()
	if len(h.Classes) == 0 {
		return errors.New("source: it names no classes")
	}
	t.names, t.colors, t.classes = h.Classes, h.Colors, len(h.Classes)
	if err := t.cfg.checkThings(t.names); err != nil {
		return err
	}
	if !t.cfg.Target.given() || t.cfg.Target.streamed() {
		return nil
	}
	classes, labelled, err := t.cfg.Target.describe(t.cfg.Eval.Split)
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	if t.scored = labelled; labelled {
		return sameClasses("the source", t.names, "the target", classes)
	}
	return nil
}

// describe says a side's classes, and whether the samples of a split have
// labels, without reading any.
func (c DataConfig) describe(split string) (classes []string, labelled bool, err error) {
	if c.precomputed() {
		d, err := shards.Open(c.Dir)
		if err != nil {
			return nil, false, err
		}
		return d.Header().Classes, d.Header().Labelled, d.Close()
	}
	l, err := formats.Named(c.Format)
	if err != nil {
		return nil, false, err
	}
	s, err := l.Split(split)
	return l.Classes, err == nil && s.Labeled(), nil
}

// plannedClasses are the source's, or Cityscapes' where it is not there yet or
// comes as a stream.
func plannedClasses(cfg Config) ([]string, error) {
	if !cfg.Source.given() || cfg.Source.streamed() {
		return raster.CityscapesClasses(), nil
	}
	classes, _, err := cfg.Source.describe(cfg.Source.Split)
	if err == nil {
		err = cfg.checkThings(classes)
	}
	return classes, err
}

// sameClasses fails, saying how they differ, unless both sides have the same
// classes in the same order.
func sameClasses(nameA string, a []string, nameB string, b []string) error {
	if slices.Equal(a, b) {
		return nil
	}
	at := 0
	for at < min(len(a), len(b)) && a[at] == b[at] {
		at++
	}
	of := func(classes []string) string {
		if at < len(classes) {
			return fmt.Sprintf("%q", classes[at])
		}
		return "none"
	}
	return fmt.Errorf("%s has %d classes and %s has %d, and number %d is %s in one and %s in the other: where both have labels, their classes are to be the same, in the same order",
		nameA, len(a), nameB, len(b), at, of(a), of(b))
}

// checkThings checks the classes of the feature distance, which the recipes name
// for Cityscapes.
func (c Config) checkThings(names []string) error {
	f := c.FeatureDistance
	if f.Weight == 0 {
		return nil
	}
	list := func() string {
		var all []string
		for id, name := range names {
			all = append(all, fmt.Sprintf("%d %s", id, name))
		}
		return strings.Join(all, ", ")
	}
	base, err := Resolve("", "", nil)
	if err != nil {
		return err
	}
	if !eval.AreCityscapes(names) && slices.Equal(f.Classes, base.FeatureDistance.Classes) {
		return fmt.Errorf("configuration: feature_distance.classes is %v, the things among Cityscapes' classes, and the source has others: name its things (--set feature_distance.classes=[…]) by their numbers, or set feature_distance.weight=0; its classes are: %s", f.Classes, list())
	}
	if err := (loss.FeatureDistance{Classes: f.Classes, Ratio: f.Ratio, Labels: len(names)}).Validate(); err != nil {
		return fmt.Errorf("configuration: feature_distance.classes is %v: %w; the source's classes are: %s", f.Classes, err, list())
	}
	return nil
}
