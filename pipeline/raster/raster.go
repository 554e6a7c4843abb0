package raster

import "fmt"

// Ignore is the label value that takes part in no loss and no score
// (Cityscapes' trainId 255).
const Ignore TrainID = 255

// TrainID is a class index a network is trained on, or [Ignore].
type TrainID uint8

// MaxPixels bounds the declared size of a raster when a caller sets no bound
// of its own: 100 megapixels.
const MaxPixels = 100_000_000

// TooLargeError says that an image declares more pixels than its reader takes.
type TooLargeError struct{ Width, Height, Limit int }

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("it declares %dx%d pixels, the limit is %d", e.Width, e.Height, e.Limit)
}

// CheckPixels refuses a declared size of more than limit pixels, or of none,
// before anything is allocated by it.
func CheckPixels(height, width, limit int) error {
	if width <= 0 || height <= 0 || height > limit/width {
		return &TooLargeError{width, height, limit}
	}
	return nil
}

// A Raster is an uint8 image: row-major, channels interleaved ([H,W,C]), rows
// without padding. Images have 3 channels (RGB), labels and masks have 1. The
// zero Raster is empty and stands for "no raster".
//
// A Raster is a view: copying it copies no pixels, and whoever provided the
// memory says how long it lives.
type Raster struct {
	height, width, channels int
	pix                     []byte
}

// New returns a zeroed raster of its own memory. It panics if a
// dimension is not positive, which is a programmer's error.
func New(height, width, channels int) Raster {
	if height <= 0 || width <= 0 || channels <= 0 {
		panic(fmt.Sprintf("raster: raster of %dx%dx%d", height, width, channels))
	}
	return Raster{height, width, channels, make([]byte, height*width*channels)}
}

// Wrap makes a raster over pix without copying. It fails unless the
// dimensions are positive and pix is exactly height*width*channels long.
func Wrap(height, width, channels int, pix []byte) (Raster, error) {
	if height <= 0 || width <= 0 || channels <= 0 {
		return Raster{}, fmt.Errorf("raster of %dx%dx%d: every dimension must be positive", height, width, channels)
	}
	if want := int64(height) * int64(width) * int64(channels); want != int64(len(pix)) {
		return Raster{}, fmt.Errorf("raster of %dx%dx%d needs %d bytes, has %d", height, width, channels, want, len(pix))
	}
	return Raster{height, width, channels, pix}, nil
}

// Height is the number of rows.
func (r Raster) Height() int { return r.height }

// Width is the number of pixels in a row.
func (r Raster) Width() int { return r.width }

// Channels is the number of bytes a pixel takes.
func (r Raster) Channels() int { return r.channels }

// Empty reports whether r is the zero Raster.
func (r Raster) Empty() bool { return r.pix == nil }

// Pix is the whole memory of r, height*width*channels bytes. It is shared.
func (r Raster) Pix() []byte { return r.pix }

// At is the x and y of the pixel to which byte i of Pix belongs.
func (r Raster) At(i int) (x, y int) {
	i /= r.channels
	return i % r.width, i / r.width
}

// Row is the memory of row y, width*channels bytes. It is shared.
func (r Raster) Row(y int) []byte {
	n := r.width * r.channels
	return r.pix[y*n : (y+1)*n : (y+1)*n]
}

// SameSize reports whether both rasters have equal height and width.
func (r Raster) SameSize(o Raster) bool { return r.height == o.height && r.width == o.width }

// Clone returns a copy of r in memory of its own.
func (r Raster) Clone() Raster {
	if r.Empty() {
		return r
	}
	r.pix = append([]byte(nil), r.pix...)
	return r
}

// A Box is a half-open rectangle of pixels: rows Y0 <= y < Y1, columns
// X0 <= x < X1.
type Box struct{ Y0, X0, Y1, X1 int }

// Height is the number of rows in b.
func (b Box) Height() int { return b.Y1 - b.Y0 }

// Width is the number of columns in b.
func (b Box) Width() int { return b.X1 - b.X0 }

// Empty reports whether b holds no pixel.
func (b Box) Empty() bool { return b.Y1 <= b.Y0 || b.X1 <= b.X0 }

// In reports whether b lies inside an image of the given size.
func (b Box) In(height, width int) bool {
	return b.Y0 >= 0 && b.X0 >= 0 && b.Y1 <= height && b.X1 <= width && !b.Empty()
}

// Intersect is the largest box inside both, possibly empty.
func (b Box) Intersect(o Box) Box {
	return Box{max(b.Y0, o.Y0), max(b.X0, o.X0), min(b.Y1, o.Y1), min(b.X1, o.X1)}
}

// Shift moves b by dy rows and dx columns.
func (b Box) Shift(dy, dx int) Box { return Box{b.Y0 + dy, b.X0 + dx, b.Y1 + dy, b.X1 + dx} }

// FlipX mirrors b inside an image of the given width.
func (b Box) FlipX(width int) Box { return Box{b.Y0, width - b.X1, b.Y1, width - b.X0} }

func (b Box) String() string { return fmt.Sprintf("y %d..%d x %d..%d", b.Y0, b.Y1, b.X0, b.X1) }
