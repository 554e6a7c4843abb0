package jpeg

import (
	"errors"
	"fmt"
	"slices"

	"github.com/pipa-uda/pipa/pipeline/raster"
)

// Decoder decodes JPEG files one after the other. The zero value is ready. It holds
// all scratch and allocates only when an image needs more than those before. It is
// not for concurrent use.
type Decoder struct {
	// MaxPixels is the largest Width*Height that is accepted; 0 means
	// raster.MaxPixels. It bounds what a file can make the decoder allocate.
	MaxPixels int

	data   []byte // the file
	at     int    // where in it
	frame  frame
	tables tables
	bits   bitReader
	pass   scan // the one that is decoded
	scans  int  // so far
	rows   emitter
}

// Rows is the rows of an image that are wanted. The zero value is all of them.
type Rows struct {
	First int // the first row, from 0
	Count int // how many, 0 for all from First on
}

// span is the wanted rows of an image of the given height: first <= y < end.
func (r Rows) span(height int) (first, end int, err error) {
	if r.First < 0 || r.Count < 0 || r.First >= height || r.Count > height-r.First {
		return 0, 0, fmt.Errorf("rows from %d on, %d of them, are wanted of an image with %d", r.First, r.Count, height)
	}
	if r.Count == 0 {
		return r.First, height, nil
	}
	return r.First, r.First + r.Count, nil
}

// MaxScans bounds the passes of a progressive image, each of which may go over all
// of it, though it has a few bytes. Encoders write 10 or so.
const MaxScans = 64

// MaxCoefficientBytes bounds what is held of a progressive image until its last
// scan: 17 bits for each coefficient, of which there are 1.5 a pixel in most files and
// 3 where chroma is not subsampled.
const MaxCoefficientBytes = 512 << 20

// retained is the most bytes of scratch of a kind that are kept for the next image:
// enough for the coefficients of 5 megapixels without subsampling.
const retained = 32 << 20

// AppendRGB decodes the wanted rows of a JPEG as [rows,W,3] bytes and appends them to
// dst. Grey is repeated, YCbCr and CMYK are converted as libjpeg-turbo and Pillow do.
// On an error dst is returned as it was, though bytes beyond its length may be
// overwritten.
func (d *Decoder) AppendRGB(dst []byte, f File, rows Rows) ([]byte, error) {
	// Nothing is allocated by the size that the file declares before it is checked.
	if d.MaxPixels < 0 {
		return dst, errors.New("MaxPixels is negative")
	}
	limit := d.MaxPixels
	if limit == 0 {
		limit = raster.MaxPixels
	}
	if err := raster.CheckPixels(f.Height, f.Width, limit); err != nil {
		return dst, err
	}
	first, end, err := rows.span(f.Height)
	if err != nil {
		return dst, err
	}
	d.data, d.at, d.scans = f.data, 2, 0
	d.tables.reset()
	defer d.release()
	grown, err := d.toFirstScan(dst, f, first, end)
	if err != nil {
		return dst, err
	}
	if err := d.decode(); err != nil {
		return dst, err
	}
	return grown, nil
}

// release drops the references to the caller's data, and scratch of uncommon size.
func (d *Decoder) release() {
	d.data = nil
	d.rows.dst = nil
	for i := range d.frame.components {
		c := &d.frame.components[i]
		if 2*cap(c.coefficients) > retained {
			c.coefficients, c.nonzero = nil, nil
		}
		if cap(c.plane) > retained {
			c.plane = nil
		}
	}
	if cap(d.bits.in) > retained {
		d.bits.in = nil
	}
}

// toFirstScan reads the file up to its first scan, and lays out memory.
func (d *Decoder) toFirstScan(dst []byte, f File, first, end int) ([]byte, error) {
	seen := false
	for {
		s, err := readSegment(d.data, d.at)
		if err != nil {
			return nil, err
		}
		switch {
		case isFrame(s.marker):
			if seen {
				return nil, errors.New("it has two frame headers")
			}
			seen = true
			if err := d.frame.parse(f.Header, s.body); err != nil {
				return nil, err
			}
		case s.marker == markerSOS:
			if !seen {
				return nil, errors.New("a scan comes before the frame header")
			}
			if err := d.checkLength(); err != nil {
				return nil, err
			}
			if err := d.start(s, first, end); err != nil {
				return nil, err
			}
			size := (end - first) * 3 * f.Width
			grown := slices.Grow(dst, size)[:len(dst)+size]
			d.rows.dst = grown[len(dst):]
			return grown, nil
		case s.marker == markerEOI:
			return nil, errors.New("it has no scan")
		default:
			if err := d.tables.parse(s); err != nil {
				return nil, err
			}
		}
		d.at = s.next
	}
}

// checkLength refuses a file that is too short for the pixels that it declares,
// before memory is taken for them: a block has two codes at least, or one in a
// progressive image. Arithmetic coding has no such bound that would help.
func (d *Decoder) checkLength() error {
	blocks := 0
	for i := range d.frame.components {
		c := &d.frame.components[i]
		blocks += c.blocksX * c.blocksY
	}
	if d.frame.Arithmetic {
		return nil
	}
	bits := 2 * blocks
	if d.frame.Progressive {
		bits = blocks
	}
	if bits/8 > len(d.data) {
		return fmt.Errorf("%d bytes cannot hold %dx%d pixels: %w", len(d.data), d.frame.Width, d.frame.Height, errEarly)
	}
	return nil
}

// decode reads all scans; the first one's header is at d.at.
func (d *Decoder) decode() error {
	for {
		s, err := readSegment(d.data, d.at)
		if err != nil {
			// What is whole may lack its end.
			if d.frame.complete() {
				break
			}
			return err
		}
		d.at = s.next
		if s.marker == markerEOI {
			break
		}
		if s.marker != markerSOS {
			if isFrame(s.marker) {
				return errors.New("it has two frame headers")
			}
			if err := d.tables.parse(s); err != nil {
				return err
			}
			continue
		}
		if d.scans++; d.scans > MaxScans {
			return fmt.Errorf("it has more than %d scans: save it as a baseline JPEG", MaxScans)
		}
		if err := d.scan(s.body); err != nil {
			return fmt.Errorf("scan %d: %w", d.scans, err)
		}
		if !d.frame.Progressive && d.frame.complete() {
			break
		}
	}
	for i := range d.frame.components {
		if d.frame.components[i].scans == 0 {
			return fmt.Errorf("component %d of %d has no scan: it was cut off or damaged, copy it anew", i+1, len(d.frame.components))
		}
	}
	d.finish()
	return nil
}
