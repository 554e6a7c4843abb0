package formats

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/pipa-uda/pipa/formats/layout"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// imagesName is the name that loose images have as a dataset.
const imagesName = "images"

// OpenImages makes an unlabeled dataset, images/test, of PNG and JPEG files:
// those that paths name, match as patterns of [filepath.Match], or hold as
// folders, at any depth. Links are followed, but for folders that are those above
// them. A sample's ID is images/test/ and the file's name without its extension,
// below a folder with the folders in between. The order is that of the IDs. Two
// files of one ID are an error, and so is a path without an image.
func OpenImages(paths []string, maxPixels int) (*Dataset, error) {
	if maxPixels == 0 {
		maxPixels = raster.MaxPixels
	}
	d := &Dataset{Name: imagesName, Split: "test", files: tree{FS: layout.Linked("")}, maxPixels: maxPixels}
	for _, path := range paths {
		matches := []string{path}
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			if matches, err = filepath.Glob(path); err != nil {
				return nil, fmt.Errorf("look for images: %s: %w", path, err)
			}
		}
		before := len(d.Entries)
		for _, m := range matches {
			if err := d.addImages(m); err != nil {
				return nil, err
			}
		}
		if len(d.Entries) == before {
			return nil, fmt.Errorf("look for images: no PNG or JPEG file is at %s", path)
		}
	}
	d.sort()
	for i := 1; i < len(d.Entries); i++ {
		if a, b := d.Entries[i-1], d.Entries[i]; a.ID == b.ID {
			return nil, fmt.Errorf("look for images: %s and %s have the same name: take them one after the other, or give the folder that holds both", a.Image, b.Image)
		}
	}
	return d, nil
}

// addImages adds a file, or the images below a folder.
func (d *Dataset) addImages(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("look for images: %w", err)
	}
	if !info.IsDir() {
		if !isImage(path) {
			return fmt.Errorf("look for images: %s is not a .png, .jpg, .jpeg, .jpe or .jfif file", path)
		}
		d.addImage(path, filepath.Base(path))
		return nil
	}
	// Names that begin with a dot are of what is still being written.
	found, unnamed, err := layout.Find(layout.Linked(path), "**/*")
	if err != nil {
		return fmt.Errorf("look for images: %w", err)
	}
	for _, name := range found {
		if isImage(name) {
			d.addImage(filepath.Join(path, name), name)
		}
	}
	for _, name := range unnamed {
		whole := filepath.Join(path, name)
		if info, err := os.Stat(whole); isImage(name) || err == nil && info.IsDir() {
			d.addUnnamed(whole, name)
		}
	}
	return nil
}

func (d *Dataset) addImage(path, name string) {
	if !utf8.ValidString(name) {
		d.addUnnamed(path, name)
		return
	}
	d.Entries = append(d.Entries, Entry{ID: d.sampleID(strings.TrimSuffix(name, filepath.Ext(name))), Image: path})
}

func isImage(path string) bool {
	return slices.Contains([]string{".png", ".jpg", ".jpeg", ".jpe", ".jfif"}, strings.ToLower(filepath.Ext(path)))
}
