package formats

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/formats/classmap"
	"github.com/pipa-uda/pipa/formats/layout"
	"github.com/pipa-uda/pipa/internal/nearest"
)

// A Layout is how a dataset lies in its folder, a value that Open takes: one that
// ships, one that a class map was read as, or a program's own.
type Layout = layout.Layout

// A Split is one part of a dataset.
type Split = layout.Split

// Labels are files of labels, and what is in them.
type Labels = layout.Labels

// Layouts are those that ship, each in a file of its own, or in that of its dataset.
func Layouts() []Layout {
	return []Layout{
		GTA(), SYNTHIA(), Cityscapes(),
		// More streets, synthetic and real.
		SYNTHIAMapped(), SYNTHIASequences(), UrbanSyn(), Synscapes(), VIPER(), SHIFT(), CARLA(), CARLA0913(),
		ACDC(), DarkZurich(), MUSES(), BDD100K(), IDD(), KITTI360(), WildDash2(),
		// With classes of their own.
		Mapillary(), Mapillary19(), Mapillary19Rein(), MapillaryV2(), MapillaryV219(), A2D2(), A2D219(),
		CamVid(), CamVid19(), CamVid32(), CamVid3219(),
		RUGD(), RELLIS(), LoveDA(), Potsdam(), Vaihingen(),
	}
}

// Own is what a class map's file is spelled after: "folder:MAP.yaml".
const Own = layout.ClassMap

// Names are what Named knows: the layouts that ship, and Own.
func Names() []string {
	var names []string
	for _, l := range Layouts() {
		names = append(names, l.Name)
	}
	return append(names, Own)
}

// An UnknownError is a name that no layout has.
type UnknownError struct {
	Name string
	All  []string
}

func (e *UnknownError) Error() string {
	if e.Name == Own {
		return "the format folder needs a class map: folder:MAP.yaml"
	}
	return fmt.Sprintf("no dataset format %q%s (all: %s)", e.Name, nearest.Hint(e.Name, e.All, "%q"), strings.Join(e.All, ", "))
}

// Named is a layout by its spelling: the name of one that ships, or a class map's
// file, "folder:MAP.yaml" or "MAP.yaml", which is read.
func Named(spelling string) (Layout, error) {
	for _, l := range Layouts() {
		if l.Name == spelling {
			return l, nil
		}
	}
	file, prefixed := strings.CutPrefix(spelling, Own+":")
	switch {
	case spelling == Own || prefixed && file == "":
		return Layout{}, &UnknownError{Own, Names()}
	case prefixed || isMap(spelling):
		return classmap.Read(file)
	}
	return Layout{}, &UnknownError{spelling, Names()}
}

func isMap(name string) bool { return slices.Contains([]string{".yaml", ".yml"}, filepath.Ext(name)) }

// ships reports whether a layout is one of Layouts, unchanged: its name then says
// what it means.
func ships(l Layout) bool {
	return slices.ContainsFunc(Layouts(), func(s Layout) bool { return s.Name == l.Name && reflect.DeepEqual(s, l) })
}

// A Place is a dataset as a user names it.
type Place struct {
	Layout Layout
	Dir    string // empty where a class map says it
	// Recognized says that the user named the folder alone: the layout is what it
	// looks like, which a user is to be told.
	Recognized bool
}

// spelledMap is a class map's file, with a folder after it or not.
var spelledMap = regexp.MustCompile(`^(.*?\.ya?ml)(?::(.*))?$`)

// Locate reads how a user names a dataset:
//
//	NAME:DIR        a layout that ships, and the dataset's folder or URL
//	DIR             the folder, whose layout is recognized
//	MAP.yaml        a class map, which says where the data lie
//	MAP.yaml:DIR    a class map, and the folder or URL
//	folder:…        either of the last two
func Locate(text string) (Place, error) {
	p, named, err := Spelled(text)
	if err == nil && !named {
		p.Layout, err = Recognize(p.Dir)
		p.Recognized = true
	}
	return p, err
}

// Spelled is Locate without a look at the folder: named is false where the text
// names no layout, and is all folder.
func Spelled(text string) (p Place, named bool, err error) {
	for _, l := range Layouts() {
		if dir, ok := strings.CutPrefix(text, l.Name+":"); ok && dir != "" {
			return Place{Layout: l, Dir: dir}, true, nil
		} else if ok {
			return Place{}, true, &RecognizeError{Dir: text, Err: errors.New("the folder after the colon is missing")}
		}
	}
	file, prefixed := strings.CutPrefix(text, Own+":")
	if m := spelledMap.FindStringSubmatch(file); m != nil {
		l, err := classmap.Read(m[1])
		return Place{Layout: l, Dir: m[2]}, true, err
	}
	if prefixed {
		l, err := Named(text)
		return Place{Layout: l}, true, err
	}
	if name, _, colon := strings.Cut(text, ":"); colon && nameOnly.MatchString(name) && !strings.Contains(text, "://") && !strings.ContainsAny(text, `*?[`) {
		if _, err := os.Stat(text); err != nil {
			return Place{}, true, &UnknownError{name, Names()}
		}
	}
	return Place{Dir: text}, false, nil
}

// nameOnly is what may be the name of a layout: one of a pattern of files may not.
var nameOnly = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]*$`)

// Recognize is the layout of a folder on this machine, by the folders in it. Its
// error is a *RecognizeError.
func Recognize(dir string) (Layout, error) {
	info, err := os.Stat(dir)
	switch {
	case err == nil && !info.IsDir():
		err = errors.New("it is not a folder")
	case err != nil && strings.Contains(dir, "://"):
		err = fmt.Errorf("the layout of a URL is not to be seen: say which it is, as in %s:%s", Layouts()[0].Name, dir)
	case err != nil && slices.Contains(Names(), dir):
		err = fmt.Errorf("it is the name of a format: say where the data lie too, as in %s:DIR", dir)
		if dir == Own {
			err = &UnknownError{Own, Names()}
		}
	}
	if err != nil {
		return Layout{}, &RecognizeError{Dir: dir, Err: err}
	}
	fits := slices.DeleteFunc(Layouts(), func(l Layout) bool {
		return len(l.Folders) == 0 || slices.ContainsFunc(l.Folders, func(name string) bool { return !holds(dir, name) })
	})
	// The folders of one may be those of another with more below: then it is this one.
	fits = slices.DeleteFunc(slices.Clone(fits), func(l Layout) bool {
		return slices.ContainsFunc(fits, func(other Layout) bool { return other.Name != l.Name && covers(other, l) && !covers(l, other) })
	})
	if len(fits) == 1 {
		return fits[0], nil
	}
	e := &RecognizeError{Dir: dir}
	for _, l := range fits {
		e.Fits = append(e.Fits, l.Name)
	}
	return Layout{}, e
}

// holds reports whether a folder has one of a name with wildcards.
func holds(dir, name string) bool {
	found, err := fs.Glob(os.DirFS(dir), name)
	return err == nil && slices.ContainsFunc(found, func(name string) bool {
		info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(name)))
		return err == nil && info.IsDir()
	})
}

// covers reports whether all folders of the other are a layout's too, or above those.
func covers(l, other Layout) bool {
	return !slices.ContainsFunc(other.Folders, func(folder string) bool {
		return !slices.ContainsFunc(l.Folders, func(f string) bool { return strings.HasPrefix(f+"/", folder+"/") })
	})
}

// A RecognizeError is a folder whose layout is not to be seen.
type RecognizeError struct {
	Dir  string
	Fits []string // the layouts that it may have, where these are several
	Err  error    // why it cannot be looked at
}

func (e *RecognizeError) Error() string {
	switch {
	case e.Err != nil:
		return fmt.Sprintf("%s is not a dataset's folder: %v", e.Dir, e.Err)
	case len(e.Fits) > 0:
		return fmt.Sprintf("%s looks like %s: say which it is, as in %s:%s", e.Dir, strings.Join(e.Fits, " and like "), e.Fits[0], e.Dir)
	}
	var looks []string
	for _, l := range Layouts()[:3] {
		looks = append(looks, fmt.Sprintf("%s/ for %s", strings.Join(l.Folders, "/ and "), l.Name))
	}
	return fmt.Sprintf("%s does not look like a dataset that is known: want %s, or the folders of another; or a class map, MAP.yaml:DIR", e.Dir, strings.Join(looks, ", "))
}

// Unwrap is why the folder cannot be looked at.
func (e *RecognizeError) Unwrap() error { return e.Err }
