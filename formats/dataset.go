package formats

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/formats/folder"
	"github.com/pipa-uda/pipa/formats/png"
	"github.com/pipa-uda/pipa/internal/nearest"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/zeebo/xxh3"
)

// Names are the published formats that Open knows, and [Own].
func Names() []string { return []string{"gta", "synthia", "cityscapes", Own} }

// Options says what of a dataset to read.
type Options struct {
	// Split is train (the empty string's meaning), val or test, or one of a class
	// map's.
	Split string
	// Unlabelled reads images alone: a target's labels need not exist.
	Unlabelled bool
	// MaxPixels bounds an image's declared size; 0 means raster.MaxPixels.
	MaxPixels int
	// Files is the dataset's folder where it does not lie on this machine; dir is
	// then its name in messages alone.
	Files fs.FS
	// Map is the class map of own data; nil reads the file that the format names.
	Map *folder.Map
}

// An Entry is one sample's files.
type Entry struct {
	ID    string // dataset/split/stem
	Image string
	Label string // empty for an unlabelled dataset
}

// A Dataset is a folder of images, matched with their labels. It is safe for
// concurrent use.
type Dataset struct {
	Name    string // the format's, or the class map's
	Split   string
	Classes []string
	Colors  [][3]uint8 // of the classes
	Entries []Entry    // sorted by id

	format    string // as it was opened
	files     tree
	missing   []Problem
	own       *ownLabels // of own data; the next two are those of other formats
	kind      labelKind
	ids       *labelMap
	maxPixels int
}

// A Problem is one thing that is wrong with a dataset.
type Problem struct {
	ID   string
	File string
	Err  error
}

func (p Problem) Error() string {
	if p.File != "" && !strings.Contains(p.Err.Error(), p.File) {
		return fmt.Sprintf("%s: %v", p.File, p.Err)
	}
	return p.Err.Error()
}

// Unwrap is the reason.
func (p Problem) Unwrap() error { return p.Err }

// Open lists a dataset. Images and labels are matched by name; one without the
// other is no error yet, but its Read is, and Check reports it.
//
// Format is one of Names. Own data are "folder:MAP.yaml", with the path of their
// class map; their dir may be empty where the map's own root is meant.
func Open(format, dir string, o Options) (*Dataset, error) {
	if o.Split == "" {
		o.Split = "train"
	}
	if o.MaxPixels == 0 {
		o.MaxPixels = raster.MaxPixels
	}
	if name, mapFile, _ := strings.Cut(format, ":"); name == Own {
		return openOwn(mapFile, dir, o)
	}
	if !slices.Contains([]string{"train", "val", "test"}, o.Split) {
		return nil, fmt.Errorf("open %s: no split %q: want train, val or test", format, o.Split)
	}
	if !slices.Contains(Names(), format) {
		return nil, fmt.Errorf("no dataset format %q: did you mean %q? (all: %s)", format, nearest.Word(format, Names()), strings.Join(Names(), ", "))
	}
	files := tree{dir, o.Files}
	if err := files.exists(); err != nil {
		return nil, fmt.Errorf("open %s dataset: %w", format, err)
	}
	d := &Dataset{files: files, Name: format, Split: o.Split, Classes: raster.CityscapesClasses(), Colors: raster.CityscapesColors(), format: format, maxPixels: o.MaxPixels}
	var images, labels map[string]string
	var err error
	switch format {
	case "gta":
		d.kind, d.ids = paletteLabel, cityscapesMap(35)
		images, labels, err = flat(files, "images", "labels", o)
	case "synthia":
		d.kind, d.ids = redLabel, synthiaMap()
		images, labels, err = flat(files, "RGB", "GT/LABELS", o)
	case "cityscapes":
		d.kind, d.ids = grayLabel, cityscapesMap(34)
		images, labels, err = d.cityscapes(o)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s dataset: %w", format, err)
	}
	d.match(images, labels, o.Unlabelled)
	if len(d.Entries) == 0 {
		return nil, fmt.Errorf("open %s dataset: no images of split %s under %s: is this the folder that holds %s?", format, o.Split, dir, layout(format))
	}
	return d, nil
}

func layout(format string) string {
	return map[string]string{"gta": "images/ and labels/", "synthia": "RGB/ and GT/LABELS/", "cityscapes": "leftImg8bit/ and gtFine/"}[format]
}

// match pairs images and labels by stem.
func (d *Dataset) match(images, labels map[string]string, unlabelled bool) {
	for stem, image := range images {
		e := Entry{ID: d.Name + "/" + d.Split + "/" + stem, Image: image}
		if !unlabelled {
			e.Label = labels[stem]
			if e.Label == "" {
				d.missing = append(d.missing, Problem{e.ID, image, errors.New("the image has no label")})
			}
		}
		d.Entries = append(d.Entries, e)
	}
	if !unlabelled {
		for stem, label := range labels {
			if images[stem] == "" {
				d.missing = append(d.missing, Problem{d.Name + "/" + d.Split + "/" + stem, label, errors.New("the label has no image")})
			}
		}
	}
	d.sort()
}

func (d *Dataset) sort() {
	slices.SortFunc(d.Entries, func(a, b Entry) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(d.missing, func(a, b Problem) int { return strings.Compare(a.File, b.File) })
}

// flat lists two folders of PNGs with equal names. GTA5 and SYNTHIA publish no
// split of the frames into folders: a file splits/SPLIT.txt or SPLIT.txt with
// one stem a line selects, and without one everything is train.
func flat(files tree, imageDir, labelDir string, o Options) (images, labels map[string]string, err error) {
	if images, err = files.pngs(imageDir, ".png"); err != nil {
		return nil, nil, err
	}
	if !o.Unlabelled {
		if labels, err = files.pngs(labelDir, ".png"); err != nil {
			return nil, nil, err
		}
	}
	var list []byte
	for _, name := range []string{"splits/" + o.Split + ".txt", o.Split + ".txt"} {
		if list, err = files.readFile(files.path(name)); err == nil {
			break
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, nil, err
		}
	}
	if err != nil {
		if o.Split == "train" {
			return images, labels, nil
		}
		return nil, nil, fmt.Errorf("no split %s: %s has no splits/%s.txt", o.Split, files.dir, o.Split)
	}
	chosen := map[string]bool{}
	for _, line := range strings.Fields(string(list)) {
		chosen[strings.TrimSuffix(filepath.Base(line), ".png")] = true
	}
	keep := func(m map[string]string) {
		for stem := range m {
			if !chosen[stem] {
				delete(m, stem)
			}
		}
	}
	keep(images)
	keep(labels)
	return images, labels, nil
}

// cityscapes lists leftImg8bit/SPLIT/CITY/*_leftImg8bit.png and
// gtFine/SPLIT/CITY/*_gtFine_labelTrainIds.png, or _labelIds.png where a split
// has none of the former.
func (d *Dataset) cityscapes(o Options) (images, labels map[string]string, err error) {
	if images, err = d.files.cities("leftImg8bit/"+o.Split, "_leftImg8bit.png"); err != nil || o.Unlabelled {
		return images, nil, err
	}
	root := "gtFine/" + o.Split
	if labels, err = d.files.cities(root, "_gtFine_labelTrainIds.png"); err != nil {
		return nil, nil, err
	}
	if len(labels) > 0 {
		d.ids = trainIDMap()
		return images, labels, nil
	}
	labels, err = d.files.cities(root, "_gtFine_labelIds.png")
	return images, labels, err
}

// Len is the number of samples.
func (d *Dataset) Len() int { return len(d.Entries) }

// Dir is the folder of the dataset, or its name where it lies elsewhere.
func (d *Dataset) Dir() string { return d.files.dir }

// Map is the class map of own data, nil for other formats.
func (d *Dataset) Map() *folder.Map {
	if d.own == nil {
		return nil
	}
	return d.own.Map
}

// command is how a user calls a command on the dataset.
func (d *Dataset) command(name string) string {
	return strings.TrimSpace("pipa " + name + " " + d.format + " " + d.files.dir)
}

// Labelled tells whether samples have labels.
func (d *Dataset) Labelled() bool {
	return slices.ContainsFunc(d.Entries, func(e Entry) bool { return e.Label != "" })
}

// Header describes a stream of the dataset's samples.
func (d *Dataset) Header() pipeline.Header {
	return pipeline.Header{Kind: pipeline.KindSample, Classes: d.Classes, Colors: d.Colors, Datasets: []string{d.Name}, Labelled: d.Labelled()}
}

// Encoded is a sample as its files have it.
type Encoded struct {
	Entry
	ImageBytes, LabelBytes []byte // LabelBytes is nil for an unlabelled dataset
}

// Load reads sample i's files.
func (d *Dataset) Load(ctx context.Context, i int) (Encoded, error) {
	e := Encoded{Entry: d.Entries[i]}
	if err := ctx.Err(); err != nil {
		return e, err
	}
	if err := d.unmatched(e.ID); err != nil {
		return e, err
	}
	var err error
	if e.ImageBytes, err = d.files.readFile(e.Image); err != nil {
		return e, Problem{e.ID, e.Image, err}
	}
	if e.Label != "" {
		if e.LabelBytes, err = d.files.readFile(e.Label); err != nil {
			return e, Problem{e.ID, e.Label, err}
		}
	}
	return e, nil
}

// Decode decodes what Load has read. The rasters are the caller's.
func (d *Dataset) Decode(e Encoded) (pipeline.Sample, error) {
	s := pipeline.Sample{ID: e.ID, Dataset: d.Name, Split: d.Split}
	p := decoders.Get().(*png.Decoder)
	defer decoders.Put(p)
	var err error
	if s.Image, err = decodeImage(p, nil, e.Image, e.ImageBytes, png.Rows{}, d.maxPixels); err != nil {
		return s, Problem{e.ID, e.Image, err}
	}
	if e.Label == "" {
		return s, nil
	}
	if s.Label, err = d.decodeLabel(p, nil, e.Label, e.LabelBytes); err == nil {
		err = sameSize(s.Label, s.Image.Height(), s.Image.Width())
	}
	if err != nil {
		return s, Problem{e.ID, e.Label, err}
	}
	return s, nil
}

// Read is Load and Decode of sample i.
func (d *Dataset) Read(ctx context.Context, i int) (pipeline.Sample, error) {
	e, err := d.Load(ctx, i)
	if err != nil {
		return pipeline.Sample{ID: e.ID, Dataset: d.Name, Split: d.Split}, err
	}
	return d.Decode(e)
}

// Counts are what Check has seen.
type Counts struct {
	Samples  int
	Problems int
}

// Check decodes every sample on up to workers goroutines and reports every
// problem, in the order of the samples, those without a partner first. progress
// is called after each sample; nil is silent.
func (d *Dataset) Check(ctx context.Context, workers int, report func(Problem), progress func(done int)) (Counts, error) {
	c := Counts{Samples: len(d.Entries)}
	unmatched := map[string]bool{}
	for _, p := range d.missing {
		report(p)
		c.Problems++
		unmatched[p.ID] = true
	}
	indices := func(yield func(int, error) bool) {
		for i := range d.Entries {
			if !yield(i, nil) {
				return
			}
		}
	}
	verdicts := pipeline.Map(ctx, workers, indices, func(ctx context.Context, i int) (error, error) {
		_, err := d.Read(ctx, i)
		return err, nil
	}, nil)
	done := 0
	for verdict, err := range verdicts {
		if err != nil {
			return c, err
		}
		var p Problem
		if errors.As(verdict, &p) && !unmatched[p.ID] {
			report(p)
			c.Problems++
		} else if verdict != nil && !errors.As(verdict, &p) {
			return c, verdict
		}
		if done++; progress != nil {
			progress(done)
		}
	}
	return c, nil
}

// Digest identifies the dataset by its ids and its files' sizes, and own data by
// what their class map means.
func (d *Dataset) Digest() (string, error) {
	h := xxh3.New()
	if d.own != nil {
		fmt.Fprintln(h, d.own.Digest())
	}
	for _, e := range d.Entries {
		fmt.Fprintln(h, e.ID)
		for _, file := range []string{e.Image, e.Label} {
			if file == "" {
				continue
			}
			info, err := d.files.stat(file)
			if err != nil {
				return "", fmt.Errorf("digest of %s: %w", d.Name, err)
			}
			fmt.Fprintln(h, info.Size())
		}
	}
	return fmt.Sprintf("%016x", h.Sum64()), nil
}
