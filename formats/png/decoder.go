package png

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/pipa-uda/pipa/pipeline/raster"
)

// Decoder decodes PNG files one after the other. The zero value is ready. It
// holds all scratch, a few hundred KiB for photographs, and allocates only
// when an image needs more than those before. It is not for concurrent use.
type Decoder struct {
	// MaxPixels is the largest Width*Height that is accepted; 0 means
	// raster.MaxPixels. It bounds what a file can make the decoder allocate.
	MaxPixels int

	parts parts
	lines scanlines
	zeros []byte // the row above the first
	rows  []byte // unfiltered rows that have yet to be converted
	above []byte // the last of the rows before them
	lane  []byte // filtered rows of one 16-bit channel
	pass  []byte // a converted row of one Adam7 pass
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

// AppendRGB decodes the wanted rows of a PNG as [rows,W,3] bytes and appends
// them to dst. Gray is repeated, palette indices are looked up (black where the
// palette has no such color), 16-bit samples keep their high byte and samples
// of less than 8 bits are scaled to 0..255. Alpha and tRNS are dropped; the
// colors under them are as the file has them. On an error dst is returned as
// it was, though bytes beyond its length may be overwritten.
func (d *Decoder) AppendRGB(dst []byte, f File, rows Rows) ([]byte, error) {
	return d.decode(dst, f, rows, func(h Header) (output, error) { return rgbOutput(h), nil })
}

// AppendIndices decodes the wanted rows of a palette or gray PNG of at most
// 8 bits as [rows,W,1] bytes, the samples as the file has them and not scaled,
// and appends them to dst. Errors are as those of AppendRGB.
func (d *Decoder) AppendIndices(dst []byte, f File, rows Rows) ([]byte, error) {
	return d.decode(dst, f, rows, indexOutput)
}

// AppendChannel16 decodes one channel, from 0, of a 16-bit PNG whose samples
// are ids that fit in a byte, as SYNTHIA's labels have them in the red channel,
// and appends the wanted rows as [rows,W,1] bytes to dst. A sample above 255
// is a *ValueError. Other errors are as those of AppendRGB.
func (d *Decoder) AppendChannel16(dst []byte, f File, channel int, rows Rows) ([]byte, error) {
	return d.decode(dst, f, rows, func(h Header) (output, error) { return channelOutput(h, channel) })
}

// AppendGray16 decodes the wanted rows of a 16-bit gray PNG as [rows,W,2] bytes,
// big-endian samples as the file has them, and appends them to dst. Errors are
// as those of AppendRGB.
func (d *Decoder) AppendGray16(dst []byte, f File, rows Rows) ([]byte, error) {
	return d.decode(dst, f, rows, gray16Output)
}

// Palette is the colors of the palette image that was decoded last, 1 to 256 of
// them.
func (d *Decoder) Palette() [][3]uint8 {
	colors := make([][3]uint8, d.parts.colors)
	for i := range colors {
		colors[i] = [3]uint8(d.parts.palette[3*i:])
	}
	return colors
}

// ValueError is a sample that does not fit in a byte.
type ValueError struct {
	X, Y  int // the pixel
	Value int // 256..65535
}

func (e *ValueError) Error() string {
	return fmt.Sprintf("pixel x %d y %d has value %d, the limit is 255", e.X, e.Y, e.Value)
}

// decode appends what out makes of the rows.
func (d *Decoder) decode(dst []byte, f File, rows Rows, choose func(Header) (output, error)) ([]byte, error) {
	h := f.Header
	// Nothing is allocated by the size that the file declares before it is checked.
	if err := d.checkSize(h); err != nil {
		return dst, err
	}
	first, end, err := rows.span(h.Height)
	if err != nil {
		return dst, err
	}
	out, err := choose(h)
	if err != nil {
		return dst, err
	}
	defer d.release()
	if err := d.parts.parse(f); err != nil {
		return dst, err
	}
	p := picture{d: d, Header: h, out: out, first: first, end: end}
	if err := p.start(); err != nil {
		return dst, err
	}
	size := (end - first) * h.Width * out.channels
	grown := slices.Grow(dst, size)[:len(dst)+size]
	p.dst = grown[len(dst):]
	if h.Interlaced {
		err = p.adam7()
	} else {
		err = p.progressive()
	}
	if err != nil {
		return dst, err
	}
	return grown, nil
}

// release drops the references to the caller's data.
func (d *Decoder) release() {
	d.parts.idat = nil
	d.lines.in = nil
}

func (d *Decoder) checkSize(h Header) error {
	limit := d.MaxPixels
	if limit < 0 {
		return errors.New("MaxPixels is negative")
	}
	if limit == 0 {
		limit = raster.MaxPixels
	}
	// A pixel is at most 8 bytes and a filter byte.
	limit = min(limit, math.MaxInt/16)
	return raster.CheckPixels(h.Height, h.Width, limit)
}

// scratch returns a slice of n bytes that uses *b where it is large enough.
func scratch(b *[]byte, n int) []byte {
	if cap(*b) < n {
		*b = make([]byte, n)
	}
	*b = (*b)[:n]
	return *b
}
