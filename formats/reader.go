package formats

import (
	"context"
	"fmt"
	"io"

	"github.com/pipa-uda/pipa/formats/png"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// A Reader reads a dataset's samples into memory that it keeps, for a consumer
// that is done with each before it asks for the next, and decodes no more of an
// image than is asked for. It serves one goroutine at a time.
type Reader struct {
	set          *Dataset
	png          png.Decoder
	files        [2][]byte // of image and label
	image, label []byte    // pixels
	entry        Entry
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
	if err := d.unmatched(r.entry.ID); err != nil {
		return s, 0, 0, err
	}
	if r.files[0], err = d.files.readInto(r.files[0], r.entry.Image); err == nil {
		height, width, err = imageSize(r.entry.Image, r.files[0], d.maxPixels)
	}
	if err != nil {
		return s, 0, 0, Problem{r.entry.ID, r.entry.Image, err}
	}
	if r.entry.Label == "" {
		return s, height, width, nil
	}
	if r.files[1], err = d.files.readInto(r.files[1], r.entry.Label); err == nil {
		s.Label, err = d.decodeLabel(&r.png, r.label, r.entry.Label, r.files[1])
	}
	if err == nil {
		r.label = s.Label.Pix()
		err = sameSize(s.Label, height, width)
	}
	if err != nil {
		return s, 0, 0, Problem{r.entry.ID, r.entry.Label, err}
	}
	return s, height, width, nil
}

// Image decodes the opened sample's image in full size, [H,W,3]. Only the rows
// first up to, not including, last are sure to be decoded; the others hold
// anything.
func (r *Reader) Image(first, last int) (raster.Raster, error) {
	m, err := decodeImage(&r.png, r.image, r.entry.Image, r.files[0], png.Rows{First: first, Count: last - first}, r.set.maxPixels)
	if err != nil {
		return m, Problem{r.entry.ID, r.entry.Image, err}
	}
	r.image = m.Pix()
	return m, nil
}

// decodeLabel decodes a label as train IDs, [H,W,1], into buf, which grows where
// it is too small.
func (d *Dataset) decodeLabel(p *png.Decoder, buf []byte, path string, data []byte) (raster.Raster, error) {
	if d.own != nil {
		return d.own.decode(p, buf, path, data, d.maxPixels)
	}
	label, err := decodeLabel(p, buf, path, data, d.kind, d.maxPixels)
	if err != nil {
		return label, err
	}
	if bad := d.ids.apply(label.Pix()); bad >= 0 {
		return label, fmt.Errorf("pixel x %d y %d has id %d, which the format does not have", bad%label.Width(), bad/label.Width(), label.Pix()[bad])
	}
	return label, nil
}

// sameSize checks a label's size against its image's.
func sameSize(label raster.Raster, height, width int) error {
	if label.Height() != height || label.Width() != width {
		return fmt.Errorf("label is %dx%d, image is %dx%d", label.Width(), label.Height(), width, height)
	}
	return nil
}

// unmatched is the problem of a sample whose partner file is missing.
func (d *Dataset) unmatched(id string) error {
	for _, p := range d.missing {
		if p.ID == id {
			return p
		}
	}
	return nil
}

// readInto is readFile into buf's memory.
func (t tree) readInto(buf []byte, path string) ([]byte, error) {
	f, err := t.open(path)
	if err != nil {
		return buf, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return buf, err
	}
	// One byte more shows a file that grew.
	if n := int(min(info.Size(), 1<<31)) + 1; cap(buf) < n {
		buf = make([]byte, 0, n+n/8)
	}
	buf = buf[:0]
	for {
		n, err := f.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return buf, err
		}
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
	}
}
