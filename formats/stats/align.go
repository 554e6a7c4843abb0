package stats

import (
	"fmt"
	"path"

	"github.com/pipa-uda/pipa/formats"
)

// A StaleError says that statistics are of other data than the dataset's, or older,
// and are to be made anew.
type StaleError struct {
	Layout formats.Layout
	Dir    string // of the dataset
	Reason string
}

func (e *StaleError) Error() string { return "the class statistics are stale: " + e.Reason }

// A SplitError says that statistics are of another split than the one that is asked
// for.
type SplitError struct {
	Layout      formats.Layout
	Dir         string // of the dataset
	Split, Want string // theirs, and the one that is asked for
}

func (e *SplitError) Error() string {
	return fmt.Sprintf("the class statistics are of split %s, and not of %s", e.Split, e.Want)
}

// Align orders statistics as the dataset's samples are. It is a *SplitError where
// they are of another split, and a *StaleError where a sample has none, or a class is
// none of the dataset's. Labels are known by their names, converted ones by the last
// part of them.
func Align(d *formats.Dataset, labels []Label) ([]Label, error) {
	stale := func(format string, args ...any) error {
		return &StaleError{d.Layout, d.Dir(), fmt.Sprintf(format, args...)}
	}
	names := byName(d, labels)
	for _, l := range labels {
		for id := range l.Pixels {
			if int(id) >= len(d.Classes) {
				return nil, stale("%s has pixels of class %d, and there are %d classes", l.File, id, len(d.Classes))
			}
		}
	}
	out := make([]Label, d.Len())
	for i, e := range d.Entries {
		key, err := keyOf(d, i)
		if err != nil {
			return nil, err
		}
		l, ok := names[key]
		if !ok {
			if other := splitOf(d, labels); other != "" {
				return nil, &SplitError{d.Layout, d.Dir(), other, d.Split}
			}
			return nil, stale("they list %d files, and not %s", len(labels), e.ID)
		}
		out[i] = l
	}
	return out, nil
}

// byName are labels by what keyOf calls them.
func byName(d *formats.Dataset, labels []Label) map[string]Label {
	names := make(map[string]Label, len(labels))
	for _, l := range labels {
		if d.Layout.ConvertedStats {
			names[l.Sample()] = l
		} else {
			names[l.File] = l
		}
	}
	return names
}

// keyOf is what the label of a dataset's sample is known by.
func keyOf(d *formats.Dataset, i int) (string, error) {
	if d.Layout.ConvertedStats {
		return path.Base(d.Entries[i].ID), nil
	}
	return fileOf(d, i)
}

// splitOf is the other split of a dataset whose labels these are: they have some of
// its, and none of the dataset's own. It is empty where there is none, or none that
// can be listed.
func splitOf(d *formats.Dataset, labels []Label) string {
	names := byName(d, labels)
	listed := func(d *formats.Dataset) bool {
		for i := range d.Entries {
			if key, err := keyOf(d, i); err == nil {
				if _, ok := names[key]; ok {
					return true
				}
			}
		}
		return false
	}
	if listed(d) {
		return ""
	}
	for _, s := range d.Layout.Splits {
		if s.Name == d.Split || !s.Labeled() {
			continue
		}
		if other, err := formats.Open(d.Layout, d.Dir(), formats.Options{Split: s.Name}); err == nil && listed(other) {
			return s.Name
		}
	}
	return ""
}
