package jpeg

import "fmt"

// A frame is an image's components and how they are laid out.
type frame struct {
	Header
	components   []component
	hMax, vMax   int
	mcusX, mcusY int // of scans with several components
	// whole says that samples or coefficients of all the image are held, and not
	// those of one row of MCUs: what takes several scans.
	whole bool
}

// A component is one channel of a frame.
type component struct {
	id      byte
	h, v    int // sampling factors
	hx, vx  int // how many pixels a sample spans
	table   byte
	up      upsampling
	width   int // samples
	height  int
	blocksX int // of scans of this component alone
	blocksY int
	perRow  int // blocks in a row of coefficients: those of all MCUs, and even
	quant   [64]int16
	latched bool // quant is set, by the first scan
	scans   int
	missing [64]int8 // bits of each coefficient that are yet to come, -1 for all
	pred    int32    // the last DC coefficient
	dc, ac  *huffman
	dcTable byte // of arithmetic coding, and what the last DC difference was like
	acTable byte
	context int

	coefficients []int16
	nonzero      []uint64 // of each block of a progressive image, which coefficients are not 0, in the file's order
	plane        []byte   // rows of samples, stride bytes each, the first sample at planeMargin
	stride       int
	base         int // the row of samples at the beginning of plane
}

// planeMargin is bytes before and after the samples of a row, for kernels to load.
const planeMargin = 32

// parse reads the components of a frame header whose sizes have been checked.
func (f *frame) parse(h Header, b []byte) error {
	f.Header = h
	if cap(f.components) < 4 {
		f.components = make([]component, 4)
	}
	f.components = f.components[:h.Components]
	f.hMax, f.vMax = 1, 1
	for i := range f.components {
		c := &f.components[i]
		b := b[6+3*i:]
		*c = component{id: b[0], h: int(b[1] >> 4), v: int(b[1] & 15), table: b[2], coefficients: c.coefficients, nonzero: c.nonzero, plane: c.plane}
		if c.h < 1 || c.h > 4 || c.v < 1 || c.v > 4 || c.table > 3 {
			return fmt.Errorf("component %d has sampling factors %dx%d, quantization table %d", i+1, c.h, c.v, c.table)
		}
		if h.Components == 1 {
			c.h, c.v = 1, 1 // a block is an MCU, whatever they are
		}
		f.hMax, f.vMax = max(f.hMax, c.h), max(f.vMax, c.v)
	}
	f.mcusX, f.mcusY = ceil(h.Width, 8*f.hMax), ceil(h.Height, 8*f.vMax)
	for i := range f.components {
		c := &f.components[i]
		if f.hMax%c.h != 0 || f.vMax%c.v != 0 {
			return fmt.Errorf("component %d has sampling factors %dx%d where the largest are %dx%d: fractions are not read", i+1, c.h, c.v, f.hMax, f.vMax)
		}
		c.hx, c.vx = f.hMax/c.h, f.vMax/c.v
		c.width, c.height = ceil(h.Width*c.h, f.hMax), ceil(h.Height*c.v, f.vMax)
		c.blocksX, c.blocksY = ceil(c.width, 8), ceil(c.height, 8)
		c.perRow = (f.mcusX*c.h + 1) &^ 1
		c.up = chooseUpsampling(c.hx, c.vx, c.width)
		for k := range c.missing {
			c.missing[k] = -1
		}
	}
	return nil
}

func ceil(a, b int) int { return (a + b - 1) / b }

// layOut takes memory for what is decoded at once.
func (f *frame) layOut(whole bool) error {
	f.whole = whole
	total := 0
	for i := range f.components {
		c := &f.components[i]
		total += f.mcusY * c.v * c.perRow * 64
	}
	if size := int64(total) * 17 / 8; f.Progressive && size > MaxCoefficientBytes {
		return fmt.Errorf("a progressive JPEG of %dx%d pixels takes %d MiB, at most %d are given: save it as a baseline JPEG", f.Width, f.Height, size>>20, MaxCoefficientBytes>>20)
	}
	for i := range f.components {
		c := &f.components[i]
		rows, samples := c.v, 1+8*c.v
		if f.Progressive {
			rows *= f.mcusY
		} else if whole {
			samples = 8 * c.v * f.mcusY
		}
		c.coefficients = zeroed(c.coefficients, rows*c.perRow*64)
		if f.Progressive {
			c.nonzero = zeroed(c.nonzero, rows*c.perRow)
		}
		c.stride = 2*planeMargin + (8*c.perRow+31)&^31
		if n := samples * c.stride; cap(c.plane) < n {
			c.plane = make([]byte, n)
		} else {
			c.plane = c.plane[:n]
		}
		c.base = 0
	}
	return nil
}

// zeroed returns n zeros, in s where that is large enough.
func zeroed[T int16 | uint64](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	s = s[:n]
	clear(s)
	return s
}

// complete reports whether every coefficient of every component has come.
func (f *frame) complete() bool {
	for i := range f.components {
		c := &f.components[i]
		if c.scans == 0 {
			return false
		}
		for _, bits := range c.missing {
			if bits != 0 {
				return false
			}
		}
	}
	return true
}

// row is a row of samples from one before its first on. Rows above the first and
// below the last are those.
func (c *component) row(y int) []byte {
	y = max(0, min(y, c.height-1)) - c.base
	return c.plane[y*c.stride+planeMargin-1 : (y+1)*c.stride]
}

// transform makes the samples of one row of blocks from their coefficients, which
// lie at row from of those held, to row y of the plane.
func (c *component) transform(from, y int) {
	blocks := c.coefficients[from*c.perRow*64 : (from+1)*c.perRow*64]
	at := (y-c.base)*c.stride + planeMargin
	inverseRow(c.plane[at:], c.stride, blocks, &c.quant)
	if c.up.wide() { // what is beyond the edge is the edge
		for range 8 {
			c.plane[at-1] = c.plane[at]
			c.plane[at+c.width] = c.plane[at+c.width-1]
			at += c.stride
		}
	}
}
