package formats

import (
	"errors"
	"fmt"

	"github.com/pipa-uda/pipa/formats/folder"
)

// Own is the format of own data, which a class map describes: "folder:MAP.yaml".
const Own = "folder"

// openOwn lists a split of own data.
func openOwn(mapFile, dir string, o Options) (*Dataset, error) {
	m := o.Map
	if m == nil && mapFile == "" {
		return nil, errors.New("the format folder needs a class map: folder:MAP.yaml")
	}
	var err error
	if m == nil {
		if m, err = folder.Read(mapFile); err != nil {
			return nil, err
		}
	}
	fail := func(err error) (*Dataset, error) { return nil, fmt.Errorf("open %s dataset: %w", m.Name, err) }
	if dir, err = m.RootOf(mapFile, dir); err != nil {
		return fail(err)
	}
	d := &Dataset{files: tree{dir, o.Files}, Name: m.Name, Split: o.Split, Classes: m.Classes, Colors: m.Colors, format: Own, own: newOwnLabels(m), maxPixels: o.MaxPixels}
	if mapFile != "" {
		d.format += ":" + mapFile
	}
	if err := d.files.exists(); err != nil {
		return fail(err)
	}
	if d.files.remote == nil {
		d.files.remote = folder.Dir(dir)
	}
	pairs, strays, err := m.List(d.files.remote, o.Split, o.Unlabelled)
	if err != nil {
		return fail(err)
	}
	if len(pairs) == 0 {
		return fail(fmt.Errorf("no images of split %s: nothing under %s is %s", o.Split, dir, m.Splits[o.Split].Images))
	}
	d.pair(pairs, strays)
	return d, nil
}

// pair takes what a class map has listed.
func (d *Dataset) pair(pairs []folder.Pair, strays []string) {
	id := func(name string) string { return d.Name + "/" + d.Split + "/" + name }
	for _, p := range pairs {
		e := Entry{ID: id(p.Stem), Image: d.files.path(p.Image)}
		if p.Label != "" && !p.Missing {
			e.Label = d.files.path(p.Label)
		} else if p.Missing {
			d.missing = append(d.missing, Problem{e.ID, e.Image, fmt.Errorf("the image has no label: %s is missing", d.files.path(p.Label))})
		}
		d.Entries = append(d.Entries, e)
	}
	for _, label := range strays {
		d.missing = append(d.missing, Problem{id(label), d.files.path(label), errors.New("the label has no image")})
	}
	d.sort()
}
