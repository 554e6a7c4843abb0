package formats

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/pipa-uda/pipa/formats/labels"
	"github.com/pipa-uda/pipa/formats/layout"
	"github.com/pipa-uda/pipa/formats/png"
	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/zeebo/xxh3"
	"golang.org/x/text/unicode/norm"
)

// Options says what of a dataset to read.
type Options struct {
	Split string // one of the layout's; the empty string means train
	// Unlabeled reads images alone: a target's labels need not exist.
	Unlabeled bool
	// MaxPixels bounds an image's declared size; 0 means raster.MaxPixels.
	MaxPixels int
	// Files is the dataset's folder where it does not lie on this machine; dir is
	// then its name in messages alone.
	Files fs.FS
}

// An Entry is one sample's files.
type Entry struct {
	ID    string // dataset/split/sample
	Image string
	Label string // empty for an unlabeled dataset
	kind  int    // which of the dataset's kinds of labels it is
}

// A Dataset is a folder of images, matched with their labels. It is safe for
// concurrent use.
type Dataset struct {
	Layout  Layout // none of loose images
	Name    string // the layout's
	Split   string
	Classes []string
	Colors  [][3]uint8 // of the classes
	Entries []Entry    // sorted by id

	files     tree
	unmatched []Problem
	problemOf map[string]int    // of unmatched, by id
	labels    []*labels.Decoder // of each kind
	maxPixels int
}

// A Problem is one thing that is wrong with a dataset.
type Problem struct {
	ID   string
	File string
	Err  error
	// Missing is the file that should be there, where that is what is wrong.
	Missing string
}

func (p Problem) Error() string {
	text := p.Err.Error()
	if p.File != "" && !strings.Contains(text, p.File) {
		text = p.File + ": " + text
	}
	if p.Missing != "" {
		text += ": " + p.Missing + " is missing"
	}
	return text
}

// Unwrap is the reason.
func (p Problem) Unwrap() error { return p.Err }

// unusable is the error of a sample whose file cannot be read or decoded: a [Problem],
// unless what failed may pass, which says nothing about the file.
func unusable(id, file string, err error) error {
	if files.Passing(err) {
		return fmt.Errorf("read sample %s: %w", id, err)
	}
	return Problem{ID: id, File: file, Err: err}
}

// An EmptyError is a folder in which a split has no images.
type EmptyError struct {
	Layout, Split, Dir string
	Images             string // what was looked for
}

func (e *EmptyError) Error() string {
	return fmt.Sprintf("no images of split %s: nothing under %s is %s", e.Split, e.Dir, e.Images)
}

// Open lists a dataset of a layout in a folder. Images and labels are matched by
// name; one without the other is not an error yet, but its Read is, and Check reports
// it. dir may be empty where the layout's class map says where its data lie.
func Open(l Layout, dir string, o Options) (*Dataset, error) {
	if o.Split == "" {
		o.Split = "train"
	}
	if o.MaxPixels == 0 {
		o.MaxPixels = raster.MaxPixels
	}
	d := &Dataset{Layout: l, Name: l.Name, Split: o.Split, Classes: l.Classes, Colors: l.Colors, maxPixels: o.MaxPixels}
	if err := d.open(dir, o); err != nil {
		return nil, fmt.Errorf("open %s dataset: %w", l.Name, err)
	}
	return d, nil
}

func (d *Dataset) open(dir string, o Options) (err error) {
	if err := d.Layout.Validate(); err != nil {
		return err
	}
	if dir == "" && d.Layout.Map.Root != "" {
		if dir, err = root(d.Layout.Map); err != nil {
			return err
		}
	}
	if d.files, err = newTree(dir, o.Files, d.Layout); err != nil {
		return err
	}
	listing, err := d.Layout.List(d.files.FS, d.Split, o.Unlabeled)
	if err != nil {
		return err
	}
	if len(listing.Pairs)+len(listing.Unnamed) == 0 {
		s, err := d.Layout.Split(d.Split)
		return errors.Join(err, &EmptyError{d.Name, d.Split, dir, s.Images})
	}
	for _, kind := range listing.Labels {
		d.labels = append(d.labels, labels.New(kind.Encoding))
	}
	d.take(listing)
	return nil
}

// root is the folder that a class map says, which no link leads out of the map's
// to.
func root(m layout.Map) (string, error) {
	base := filepath.Dir(m.File)
	f, err := files.OpenIn(base, m.Root)
	if err != nil {
		return "", fmt.Errorf("root %s of class map %s: %w", m.Root, m.File, err)
	}
	return filepath.Join(base, m.Root), f.Close()
}

// take makes the listed files entries, and problems.
func (d *Dataset) take(l layout.Listing) {
	twins := map[string]string{} // strays by their names as most systems write them
	for _, s := range l.Strays {
		twins[norm.NFC.String(s.Label)] = s.Label
	}
	for _, p := range l.Pairs {
		e := Entry{ID: d.sampleID(p.Sample), Image: d.files.path(p.Image)}
		if p.Missing {
			missing := Problem{ID: e.ID, File: e.Image, Err: errors.New("the image has no label"), Missing: d.files.path(p.Label)}
			if twin, ok := twins[norm.NFC.String(p.Label)]; ok {
				missing.Err = fmt.Errorf("the image's label has its name in another Unicode form (NFC and NFD look the same): rename %q to %q", twin, p.Label)
				missing.Missing = ""
				l.Strays = slices.DeleteFunc(l.Strays, func(s layout.Stray) bool { return s.Label == twin })
			}
			d.unmatched = append(d.unmatched, missing)
		} else if p.Label != "" {
			e.Label, e.kind = d.files.path(p.Label), p.Kind
		}
		d.Entries = append(d.Entries, e)
	}
	for _, name := range l.Unnamed {
		d.addUnnamed(d.files.path(name), name)
	}
	for _, s := range l.Strays {
		d.unmatched = append(d.unmatched, Problem{ID: d.sampleID(s.Sample), File: d.files.path(s.Label), Err: errors.New("the label has no image")})
	}
	d.sort()
}

// sampleID is the ID of a sample by its name.
func (d *Dataset) sampleID(sample string) string { return d.Name + "/" + d.Split + "/" + sample }

// addUnnamed adds an image at a path whose name is not UTF-8, in which streams and
// lists name samples: a sample with that problem.
func (d *Dataset) addUnnamed(whole, name string) {
	quoted := func(s string) string { return strings.Trim(strconv.Quote(s), `"`) }
	e := Entry{ID: d.sampleID(strings.TrimSuffix(quoted(name), path.Ext(name)))}
	d.unmatched = append(d.unmatched, Problem{ID: e.ID, File: quoted(whole), Err: errors.New("its name is not UTF-8: rename it")})
	d.Entries = append(d.Entries, e)
}

// sort brings entries and problems into their order.
func (d *Dataset) sort() {
	slices.SortFunc(d.Entries, func(a, b Entry) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(d.unmatched, func(a, b Problem) int { return strings.Compare(a.File, b.File) })
	d.problemOf = map[string]int{}
	for i, p := range d.unmatched {
		d.problemOf[p.ID] = i
	}
}

// Len is the number of samples.
func (d *Dataset) Len() int { return len(d.Entries) }

// Dir is the folder of the dataset, or its name where it lies elsewhere.
func (d *Dataset) Dir() string { return d.files.dir }

// Unmatched are the images without a label, the labels without an image, and the
// files whose names are not UTF-8.
func (d *Dataset) Unmatched() []Problem { return d.unmatched }

// Labeled reports whether samples have labels.
func (d *Dataset) Labeled() bool {
	return slices.ContainsFunc(d.Entries, func(e Entry) bool { return e.Label != "" })
}

// Header describes a stream of the dataset's samples.
func (d *Dataset) Header() pipeline.Header {
	return pipeline.Header{Kind: pipeline.KindSample, Classes: d.Classes, Colors: d.Colors, Datasets: []string{d.Name}, Labeled: d.Labeled()}
}

// Encoded is a sample as its files have it.
type Encoded struct {
	Entry
	ImageBytes, LabelBytes []byte // LabelBytes is nil for an unlabeled dataset
}

// Load reads sample i's files.
func (d *Dataset) Load(ctx context.Context, i int) (Encoded, error) {
	e := Encoded{Entry: d.Entries[i]}
	if err := ctx.Err(); err != nil {
		return e, err
	}
	if i, bad := d.problemOf[e.ID]; bad {
		return e, d.unmatched[i]
	}
	var err error
	if e.ImageBytes, err = d.files.readFile(e.Image); err != nil {
		return e, unusable(e.ID, e.Image, err)
	}
	if e.Label != "" {
		if e.LabelBytes, err = d.files.readFile(e.Label); err != nil {
			return e, unusable(e.ID, e.Label, err)
		}
	}
	return e, nil
}

// Decode decodes what Load has read. The rasters are the caller's.
func (d *Dataset) Decode(e Encoded) (pipeline.Sample, error) {
	s := pipeline.Sample{ID: e.ID, Dataset: d.Name, Split: d.Split}
	p := decoders.Get().(*decoder)
	defer decoders.Put(p)
	m, err := openImage(e.Image, e.ImageBytes, d.maxPixels)
	if err == nil {
		s.Image, err = m.decode(p, nil, png.Rows{})
	}
	if err != nil {
		return s, unusable(e.ID, e.Image, err)
	}
	if e.Label == "" {
		return s, nil
	}
	if s.Label, err = d.decodeLabel(&p.png, nil, e.Entry, e.LabelBytes); err == nil {
		err = sameSize(s.Label, m)
	}
	if err != nil {
		return s, unusable(e.ID, e.Label, err)
	}
	return s, nil
}

// decodeLabel decodes an entry's label as train IDs, [H,W,1], into buf, which grows where
// it is too small.
func (d *Dataset) decodeLabel(p *png.Decoder, buf []byte, e Entry, data []byte) (raster.Raster, error) {
	label, err := d.labels[e.kind].Decode(p, buf, data, d.maxPixels)
	if err != nil {
		return label, fmt.Errorf("decode %s: %w", e.Label, err)
	}
	return label, nil
}

// sameSize checks a label's size against its image's, as that is shown.
func sameSize(label raster.Raster, m imageFile) error {
	if label.Height() == m.height && label.Width() == m.width {
		return nil
	}
	err := fmt.Errorf("label is %dx%d, image is %dx%d", label.Width(), label.Height(), m.width, m.height)
	if m.orientation.turned() && label.Height() == m.width && label.Width() == m.height {
		return fmt.Errorf("%w as its EXIF orientation %d turns it: the label fits the image as it lies in the file; turn the label, or write the image anew without the orientation", err, m.orientation)
	}
	return err
}

// Label reads sample i's label alone, as train IDs. The raster is the caller's.
func (d *Dataset) Label(ctx context.Context, i int) (raster.Raster, error) {
	e := d.Entries[i]
	if err := ctx.Err(); err != nil {
		return raster.Raster{}, err
	}
	if i, bad := d.problemOf[e.ID]; bad {
		return raster.Raster{}, d.unmatched[i]
	}
	if e.Label == "" {
		return raster.Raster{}, Problem{ID: e.ID, File: e.Image, Err: errors.New("the image has no label")}
	}
	p := decoders.Get().(*decoder)
	defer decoders.Put(p)
	data, err := d.files.readFile(e.Label)
	if err == nil {
		var label raster.Raster
		if label, err = d.decodeLabel(&p.png, nil, e, data); err == nil {
			return label, nil
		}
	}
	return raster.Raster{}, unusable(e.ID, e.Label, err)
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
	for _, p := range d.unmatched {
		report(p)
		c.Problems++
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
		if verdict != nil && !errors.As(verdict, &p) {
			return c, verdict
		}
		if _, known := d.problemOf[p.ID]; verdict != nil && !known {
			report(p)
			c.Problems++
		}
		if done++; progress != nil {
			progress(done)
		}
	}
	return c, nil
}

// Digest identifies the dataset by its ids and its files' sizes, and by what its
// layout means where that is not one of those that ship.
func (d *Dataset) Digest() (string, error) {
	h := xxh3.New()
	if len(d.Layout.Splits) > 0 && !ships(d.Layout) {
		h.WriteString(fmt.Sprintln(d.Layout.Digest()))
	}
	for _, e := range d.Entries {
		h.WriteString(fmt.Sprintln(e.ID))
		for _, file := range []string{e.Image, e.Label} {
			if file == "" {
				continue
			}
			info, err := d.files.stat(file)
			if err != nil {
				return "", fmt.Errorf("digest of %s: %w", d.Name, err)
			}
			h.WriteString(fmt.Sprintln(info.Size()))
		}
	}
	return fmt.Sprintf("%016x", h.Sum64()), nil
}
