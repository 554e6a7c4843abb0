package layout

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/pipa-uda/pipa/internal/files"
)

// anyFolders is the wildcard that stands for any number of folders.
const anyFolders = "**"

// maxPattern bounds a pattern, as file systems bound paths.
const maxPattern = 4096

// A glob is a slash-separated pattern of files: * stands for any part of a
// name, ** as a whole name for any folders. Neither stands for names that begin
// with a dot. A file's ending may be in capitals, as cameras write it.
type glob struct {
	segments []string
	whole    *regexp.Regexp // of the path; what each wildcard stands for is a group
	folders  []bool         // of each wildcard: it is **
}

func parseGlob(text string) (*glob, error) {
	switch {
	case text == "":
		return nil, errors.New(`it is empty, want a pattern such as "train/*.png"`)
	case len(text) > maxPattern:
		return nil, fmt.Errorf("it has %d bytes, the limit is %d", len(text), maxPattern)
	case !fs.ValidPath(text) || text == "." || strings.Contains(text, `\`):
		return nil, fmt.Errorf("%q, want names with single slashes between, below the root: no .. and no slash at the ends", text)
	case strings.ContainsAny(text, "?[]{}"):
		return nil, fmt.Errorf("%q, want no wildcards but * and **", text)
	}
	g := &glob{segments: strings.Split(text, "/")}
	var re strings.Builder
	re.WriteString("^")
	for i, s := range g.segments {
		last := i == len(g.segments)-1
		if s == anyFolders {
			if last || slices.Contains(g.folders, true) {
				return nil, fmt.Errorf("%q, want ** once at most, and a name after it, as in train/**/*.png", text)
			}
			g.folders = append(g.folders, true)
			re.WriteString("((?:[^/]+/)*)")
			continue
		}
		if strings.Contains(s, anyFolders) {
			return nil, fmt.Errorf("%q, want ** alone between slashes", text)
		}
		for range strings.Count(s, "*") {
			g.folders = append(g.folders, false)
		}
		ending := ""
		if last {
			ending = path.Ext(s)
		}
		wildcards := func(s string) string { return strings.ReplaceAll(regexp.QuoteMeta(s), `\*`, "([^/]*)") }
		re.WriteString(wildcards(strings.TrimSuffix(s, ending)) + "(?i:" + wildcards(ending) + ")")
		if !last {
			re.WriteString("/")
		}
	}
	var err error
	if g.whole, err = regexp.Compile(re.String() + "$"); err != nil {
		return nil, fmt.Errorf("%q: %w", text, err)
	}
	return g, nil
}

// fixed is the folder above the first wildcard, or the file's.
func (g *glob) fixed() string {
	n := slices.IndexFunc(g.segments, func(s string) bool { return strings.Contains(s, "*") })
	if n < 0 {
		n = len(g.segments) - 1
	}
	return path.Join(g.segments[:n]...)
}

// Find lists the files of a folder that a pattern as of [Split.Images] stands for.
// unnamed are files and folders whose names are not UTF-8.
func Find(files fs.FS, pattern string) (found, unnamed []string, err error) {
	g, err := parseGlob(pattern)
	if err != nil {
		return nil, nil, err
	}
	return g.find(files)
}

// find lists the files that the glob stands for. Links to folders are followed, but
// for those of which ** would go round in circles.
// unnamed are files and folders whose names are not UTF-8, which nothing can name.
func (g *glob) find(files fs.FS) (found, unnamed []string, err error) {
	w := walker{files, func(name string) {
		switch {
		case !utf8.ValidString(name):
			unnamed = append(unnamed, name)
		case g.whole.MatchString(name):
			found = append(found, name)
		}
	}}
	err = w.walk(".", g.segments, false, nil)
	return found, unnamed, err
}

// A walker finds files.
type walker struct {
	files fs.FS
	found func(string)
}

// walk finds the files below a folder, which below a wildcard need not be there.
// above are the folders that ** has come through.
func (w walker) walk(folder string, segments []string, below bool, above []fs.FileInfo) error {
	s, last := segments[0], len(segments) == 1
	if !last && !strings.Contains(s, "*") {
		return w.walk(path.Join(folder, s), segments[1:], below, nil)
	}
	if s == anyFolders {
		if info, err := fs.Stat(w.files, folder); err == nil {
			above = append(slices.Clip(above), info)
		}
		if err := w.walk(folder, segments[1:], true, nil); err != nil {
			return err
		}
	}
	entries, err := fs.ReadDir(w.files, folder)
	if below && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		full := path.Join(folder, name)
		if strings.HasPrefix(name, ".") && !strings.HasPrefix(s, ".") {
			continue
		}
		if last {
			name, s = smallEnding(name), smallEnding(s)
		}
		if ok, _ := path.Match(s, name); !ok { // the pattern has nothing but stars
			continue
		}
		if wanted, err := w.wanted(e, full, last, above); err != nil && (files.Passing(err) || !(s == anyFolders && isFile(segments, name))) {
			return err
		} else if !wanted {
			continue
		}
		switch {
		case last || !utf8.ValidString(full):
			w.found(full)
		case s == anyFolders:
			err = w.walk(full, segments, true, above)
		default:
			err = w.walk(full, segments[1:], true, nil)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// wanted reports whether an entry is a folder, before a pattern's last segment, or
// anything else, there: a pipe in a file's place is for whoever opens it to refuse.
func (w walker) wanted(e fs.DirEntry, full string, last bool, above []fs.FileInfo) (bool, error) {
	if last {
		return !e.IsDir(), nil
	}
	if e.Type()&fs.ModeSymlink == 0 {
		return e.IsDir(), nil
	}
	info, err := fs.Stat(w.files, full)
	round := func(folder fs.FileInfo) bool { return os.SameFile(folder, info) }
	return err == nil && info.IsDir() && !slices.ContainsFunc(above, round), err
}

// isFile reports whether a name below ** is one of the files that are looked for.
func isFile(segments []string, name string) bool {
	ok, _ := path.Match(smallEnding(segments[len(segments)-1]), smallEnding(name))
	return ok
}

// smallEnding is a file's name with its ending in small letters.
func smallEnding(name string) string {
	ending := path.Ext(name)
	return strings.TrimSuffix(name, ending) + strings.ToLower(ending)
}

// captures are what the wildcards stand for in a path that the glob has found.
func (g *glob) captures(name string) []string {
	groups := g.whole.FindStringSubmatch(name)
	for i := range groups {
		groups[i] = strings.TrimSuffix(groups[i], "/")
	}
	return groups[min(1, len(groups)):]
}

// placeholder is what a label's template may hold: {stem}, or {1}, {2}, … for
// the wildcards of its images.
var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

// stem is a file's name without its extension.
func stem(name string) string { return strings.TrimSuffix(path.Base(name), path.Ext(name)) }

// checkTemplate checks the labels' names that go with the glob's images.
func (g *glob) checkTemplate(text string) error {
	if strings.ContainsAny(placeholder.ReplaceAllString(text, ""), "*?[]{}") {
		return fmt.Errorf("%q, want a name with {stem}, the image's name without its extension, or {1}, {2}, … for its wildcards", text)
	}
	folders := 0
	for _, s := range strings.Split(text, "/") {
		for _, p := range placeholder.FindAllString(s, -1) {
			if p == "{stem}" {
				continue
			}
			n, err := strconv.Atoi(p[1 : len(p)-1])
			if err != nil || n < 1 || n > len(g.folders) || p != fmt.Sprintf("{%d}", n) {
				return fmt.Errorf("%q has %s, want {stem} or one of the images' %d wildcards, from {1} on", text, p, len(g.folders))
			}
			if g.folders[n-1] {
				if folders++; s != p || folders > 1 {
					return fmt.Errorf("%q has %s, which stands for folders: want it once, and alone between slashes", text, p)
				}
			}
		}
	}
	_, err := g.labels(text)
	return err
}

// labels is the glob of all names that a template can stand for.
func (g *glob) labels(template string) (*glob, error) {
	const any = "\x00" // which no path has
	text := placeholder.ReplaceAllStringFunc(template, func(p string) string {
		if n, err := strconv.Atoi(p[1 : len(p)-1]); err == nil && g.folders[n-1] {
			return anyFolders
		}
		return any
	})
	return parseGlob(adjacent.ReplaceAllString(text, "*"))
}

// adjacent placeholders are one wildcard.
var adjacent = regexp.MustCompile("\x00+")

// fill is a template for an image with what its wildcards stand for.
func fill(template, image string, captures []string) string {
	name := placeholder.ReplaceAllStringFunc(template, func(p string) string {
		if n, err := strconv.Atoi(p[1 : len(p)-1]); err == nil {
			return captures[n-1]
		}
		return stem(image)
	})
	// Folders that ** stands for may be none.
	return strings.TrimPrefix(strings.ReplaceAll(name, "//", "/"), "/")
}

// label is the name of an image's label.
func (g *glob) label(template, image string) (string, error) {
	name := fill(template, image, g.captures(image))
	if !fs.ValidPath(name) || strings.Contains(name, `\`) {
		return "", fmt.Errorf("the label of %s would be %q, which leads out of the folder", image, name)
	}
	return name, nil
}

// sample is the name of an image's sample; see [Split.Sample].
func (g *glob) sample(template, image string) string {
	if template != "" {
		return fill(template, image, g.captures(image))
	}
	return strings.TrimPrefix(strings.TrimSuffix(image, path.Ext(image)), g.fixed()+"/")
}

// sampleOf is the name that the sample of a label would have, if the label says
// what each of the sample's wildcards stands for. found is the glob of the label's
// template.
func (g *glob) sampleOf(sample, template, label string, found *glob) (name string, ok bool) {
	said, captures := found.captures(label), make([]string, len(g.folders))
	places := placeholder.FindAllString(template, -1)
	if sample == "" || len(places) != len(said) {
		return "", false
	}
	known := map[string]bool{}
	for i, p := range places {
		if n, err := strconv.Atoi(p[1 : len(p)-1]); err == nil {
			captures[n-1] = said[i]
			known[p] = true
		}
	}
	for _, p := range placeholder.FindAllString(sample, -1) {
		if !known[p] {
			return "", false
		}
	}
	return fill(sample, "", captures), true
}
