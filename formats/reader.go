package formats

import (
	"context"

	"github.com/pipa-uda/pipa/formats/png"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// A Reader reads a dataset's samples into memory that it keeps, for a consumer
// that is done with each before it asks for the next, and decodes no more of an
// image than is asked for. It serves one goroutine at a time.
type Reader struct {
	set          *Dataset
	decoder      decoder
	files        [2][]byte // of image and label
	image, label []byte    // pixels
	entry        Entry
	opened       imageFile
}

// NewReader makes a reader of the dataset.
func (d *Dataset) NewReader() *Reader { return &Reader{set: d} }

// Open reads sample i: its label, mapped to train IDs, and its image's size. The
// image itself is decoded by Image. All rasters are valid until the next Open.
func (r *Reader) Open(ctx context.Context, i int) (s pipeline.Sample, height, width int, err error) {
	d := r.set
	r.entry = d.Entries[i]
	s = pipeline.Sample{ID: r.entry.ID, Dataset: d.Name, Split: d.Split}
	if err := ctx.Err(); err != nil {
		return s, 0, 0, err
	}
	if i, bad := d.problemOf[r.entry.ID]; bad {
		return s, 0, 0, d.unmatched[i]
	}
	if r.files[0], err = d.files.readInto(r.files[0], r.entry.Image); err == nil {
		r.opened, err = openImage(r.entry.Image, r.files[0], d.maxPixels)
	}
	if err != nil {
		return s, 0, 0, unusable(r.entry.ID, r.entry.Image, err)
	}
	height, width = r.opened.height, r.opened.width
	if r.entry.Label == "" {
		return s, height, width, nil
	}
	if r.files[1], err = d.files.readInto(r.files[1], r.entry.Label); err == nil {
		s.Label, err = d.decodeLabel(&r.decoder.png, r.label, r.entry, r.files[1])
	}
	if err == nil {
		r.label = s.Label.Pix()
		err = sameSize(s.Label, r.opened)
	}
	if err != nil {
		return s, 0, 0, unusable(r.entry.ID, r.entry.Label, err)
	}
	return s, height, width, nil
}

// Image decodes the opened sample's image in full size, [H,W,3]. Only the rows
// first up to, not including, last are sure to be decoded; the others hold
// anything.
func (r *Reader) Image(first, last int) (raster.Raster, error) {
	m, err := r.opened.decode(&r.decoder, r.image, png.Rows{First: first, Count: last - first})
	if err != nil {
		return m, unusable(r.entry.ID, r.entry.Image, err)
	}
	r.image = m.Pix()
	return m, nil
}
