package layout

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/pipa-uda/pipa/formats/labels"
	"github.com/pipa-uda/pipa/internal/nearest"
	"github.com/zeebo/xxh3"
)

// MaxClasses is how many classes a layout may have: train IDs are bytes, 255 is
// ignored.
const MaxClasses = 254

// A Layout is how a dataset lies in its folder. It is data alone: copy it, change
// the copy, compare it.
type Layout struct {
	Name    string // of the dataset, the first part of its samples' ids
	Splits  []Split
	Classes []string   // names by train ID; none where no split has labels
	Colors  [][3]uint8 // what each class is shown in

	// FollowLinks follows links out of the folder, as where a published dataset lies
	// on several disks; others are errors.
	FollowLinks bool

	// Folders are those that a dataset of the layout is recognized by: all are there.
	// They may have wildcards, as those of [path.Match]. A layout without has to be
	// named.
	Folders []string

	// ConvertedStats names labels in class statistics as DAFormer's converters name
	// what they make of them: labels/00001_labelTrainIds.png.
	ConvertedStats bool

	License    string // what its authors allow, in a word or two
	Commercial bool   // whether that is commercial use, too
	URL        string // where to get it
	Note       string // what else a user is to know, in a sentence

	Map Map
}

// A Map is the class map that a layout was read from; the zero value is none.
type Map struct {
	File   string // its path, empty where the text came from elsewhere
	Root   string // the data's folder, relative to the file's and below it
	Text   string // YAML
	Digest string // of what it means
}

// A Split is one part of a dataset.
type Split struct {
	Name string

	// Images are its images' files: a pattern of names below the dataset's folder,
	// in which * stands for any part of a name and ** for any folders. Neither stands
	// for names that begin with a dot.
	Images string

	// Sample is a sample's name: a template like a label's, such as "{2}" for what
	// the second * stands for. Empty, it is an image's path below the folder above the
	// first wildcard, without extension.
	Sample string

	// Labels are where an image's label may lie, best first: the first that is there
	// is read. None is a split without labels.
	Labels []Labels

	// LabeledOnly leaves out images whose label is not there, as of videos of which
	// some frames have one; of other splits that is what is wrong with a sample.
	LabeledOnly bool

	// Lists are files that may list the split's samples by name, one a line, where
	// the images are those of several splits: the first that is there is read. A
	// *ListError says which names are not there. FILE.mat#VARIABLE is an array in a
	// MATLAB file, of numbers of frames that are named by five digits.
	Lists []string
	// Unlisted says that the split has all images where none of its lists is there,
	// rather than being an error.
	Unlisted bool
}

// Labels are files of labels, and what is in them.
type Labels struct {
	// Files is the name of an image's label: a template with {stem} for the image's
	// name without its extension, or {1}, {2}, … for what its wildcards stand for.
	Files    string
	Encoding labels.Encoding
}

// Labeled reports whether the split has labels.
func (s Split) Labeled() bool { return len(s.Labels) > 0 }

// A SplitError says that a layout has no such split.
type SplitError struct {
	Layout, Split string
	Splits        []string // that it has
	Lists         []string // that the folder lacks, where the layout knows the split
}

func (e *SplitError) Error() string {
	if e.Lists != nil {
		return fmt.Sprintf("%s has no split %s here: there is no %s", e.Layout, e.Split, strings.Join(e.Lists, " or "))
	}
	return fmt.Sprintf("%s has no split %q%s (all: %s)", e.Layout, e.Split, nearest.Hint(e.Split, e.Splits, "%q"), strings.Join(e.Splits, ", "))
}

// Split is a split by its name, or a *SplitError.
func (l Layout) Split(name string) (Split, error) {
	for _, s := range l.Splits {
		if s.Name == name {
			return s, nil
		}
	}
	return Split{}, &SplitError{Layout: l.Name, Split: name, Splits: l.SplitNames()}
}

// SplitNames are the splits' names, in order.
func (l Layout) SplitNames() []string {
	var names []string
	for _, s := range l.Splits {
		names = append(names, s.Name)
	}
	return names
}

// Spelling is how the layout is named to formats.Named: its name, or its map's
// file.
func (l Layout) Spelling() string {
	if l.Map.File != "" {
		return ClassMap + ":" + l.Map.File
	}
	return l.Name
}

// ClassMap is the word that a class map's file is spelled after.
const ClassMap = "folder"

// Digest identifies what the layout means: all but how it is shown, found and
// licensed.
func (l Layout) Digest() string {
	if l.Map.Digest != "" {
		return l.Map.Digest
	}
	l.Colors, l.Folders, l.License, l.Commercial, l.URL, l.Note, l.Map = nil, nil, "", false, "", "", Map{}
	return fmt.Sprintf("%016x", xxh3.HashString(newer.Replace(fmt.Sprintf("%q %+v", l.Classes, l)))) // maps print sorted
}

// newer are fields that layouts did not always have: without a value they leave a
// digest what it was.
var newer = strings.NewReplacer(" Commercial:false", "", " Note:", "", " LabeledOnly:false", "")

var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// Validate checks a layout. Errors name the field, the value and what is wanted.
func (l Layout) Validate() error {
	if !plainName.MatchString(l.Name) {
		return fmt.Errorf("name is %q, want letters, digits, dots, underscores and hyphens", l.Name)
	}
	if len(l.Classes) > MaxClasses || len(l.Colors) != len(l.Classes) {
		return fmt.Errorf("%d classes with %d colors, want at most %d, with one color each", len(l.Classes), len(l.Colors), MaxClasses)
	}
	if len(l.Splits) == 0 {
		return errors.New(`splits is empty, want at least one, as in: train: {images: "train/*.png", labels: "trainannot/{stem}.png"}`)
	}
	seen := map[string]bool{}
	for _, s := range l.Splits {
		if !plainName.MatchString(s.Name) {
			return fmt.Errorf("splits: the name %q, want letters, digits, dots, underscores and hyphens", s.Name)
		}
		if seen[s.Name] {
			return fmt.Errorf("splits: %s comes twice", s.Name)
		}
		seen[s.Name] = true
		if err := s.validate(len(l.Classes)); err != nil {
			return fmt.Errorf("splits.%s.%w", s.Name, err)
		}
	}
	return nil
}

func (s Split) validate(classes int) error {
	g, err := parseGlob(s.Images)
	if err != nil {
		return fmt.Errorf("images: %w", err)
	}
	if s.Sample != "" {
		if err := g.checkTemplate(s.Sample); err != nil {
			return fmt.Errorf("sample: %w", err)
		}
	}
	for _, lb := range s.Labels {
		if err := g.checkTemplate(lb.Files); err != nil {
			return fmt.Errorf("labels: %w", err)
		}
		if err := lb.Encoding.Validate(classes); err != nil {
			return fmt.Errorf("labels: %s: %w", lb.Files, err)
		}
	}
	for _, name := range s.Lists {
		if !filepath.IsLocal(name) {
			return fmt.Errorf("lists: %q leads out of the folder", name)
		}
	}
	return nil
}
