package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// anyFolders is the wildcard that stands for any number of folders.
const anyFolders = "**"

// maxPattern bounds a pattern, as file systems bound paths.
const maxPattern = 4096

// A glob is a slash-separated pattern of files: * stands for any part of a
// name, ** as a whole name for any folders. Neither stands for names that begin
// with a dot.
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
		re.WriteString(strings.ReplaceAll(regexp.QuoteMeta(s), `\*`, "([^/]*)"))
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

// find lists the files that the glob stands for.
func (g *glob) find(files fs.FS) ([]string, error) {
	var found []string
	err := walk(files, ".", g.segments, false, func(name string) {
		if g.whole.MatchString(name) {
			found = append(found, name)
		}
	})
	return found, err
}

// walk finds the files below a folder, which below a wildcard need not be there.
// Links to folders are not followed by wildcards, which might go round in
// circles.
func walk(files fs.FS, folder string, segments []string, below bool, found func(string)) error {
	s, last := segments[0], len(segments) == 1
	if !last && !strings.Contains(s, "*") {
		return walk(files, path.Join(folder, s), segments[1:], below, found)
	}
	if s == anyFolders {
		if err := walk(files, folder, segments[1:], true, found); err != nil {
			return err
		}
	}
	entries, err := fs.ReadDir(files, folder)
	if below && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		isFile := e.Type().IsRegular() || e.Type()&fs.ModeSymlink != 0
		if strings.HasPrefix(name, ".") && !strings.HasPrefix(s, ".") || last != isFile && (last || !e.IsDir()) {
			continue
		}
		full := path.Join(folder, name)
		if s == anyFolders {
			err = walk(files, full, segments, true, found)
		} else if ok, _ := path.Match(s, name); !ok { // the pattern has nothing but stars
			continue
		} else if !fs.ValidPath(full) {
			return fmt.Errorf("%q is no name in UTF-8: rename it", full)
		} else if last {
			found(full)
		} else {
			err = walk(files, full, segments[1:], true, found)
		}
		if err != nil {
			return err
		}
	}
	return nil
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

// label is the name of an image's label.
func (g *glob) label(template, image string) (string, error) {
	captures := g.captures(image)
	name := placeholder.ReplaceAllStringFunc(template, func(p string) string {
		if n, err := strconv.Atoi(p[1 : len(p)-1]); err == nil {
			return captures[n-1]
		}
		return stem(image)
	})
	// Folders that ** stands for may be none.
	name = strings.TrimPrefix(strings.ReplaceAll(name, "//", "/"), "/")
	if !fs.ValidPath(name) || strings.Contains(name, `\`) {
		return "", fmt.Errorf("the label of %s would be %q, which leads out of the folder", image, name)
	}
	return name, nil
}
