package crops

import (
	"math/rand/v2"

	"github.com/pipa-uda/pipa/pipeline/raster"
)

// maxTries is how often a second crop is drawn before the first is taken
// twice.
const maxTries = 50

// Draws supplies a pair's random choices in the order of the published loader:
// the long side; the first corner x, y; second corners x, y until one fits;
// the two flips.
type Draws interface {
	Int(low, high int) int // uniform, both ends included
	Real() float64         // uniform in [0, 1)
}

type keyed struct{ rng *rand.Rand }

func (k keyed) Int(low, high int) int { return low + k.rng.IntN(high-low+1) }
func (k keyed) Real() float64         { return k.rng.Float64() }

// Geometry is where a pair's crops lie.
type Geometry struct {
	Height, Width int           // of the resized frame, before padding
	Corners       [2][2]int     // y, x of the crops in the padded frame
	Overlaps      [2]raster.Box // the shared region inside each crop, before its flip
	Flips         [2]bool
}

// Choose draws a pair's geometry for an image of height×width.
func (o Options) Choose(height, width int, d Draws) Geometry {
	var g Geometry
	long := d.Int(int(float64(o.Base)*o.Scale[0]), int(float64(o.Base)*o.Scale[1]))
	if width >= height {
		g.Width, g.Height = long, int(float64(long)*float64(height)/float64(width)+0.5)
	} else {
		g.Height, g.Width = long, int(float64(long)*float64(width)/float64(height)+0.5)
	}
	g.Height, g.Width = max(g.Height, 1), max(g.Width, 1)
	h, w := max(g.Height, o.Size), max(g.Width, o.Size) // a smaller frame is padded
	x1, y1 := d.Int(0, w-o.Size), d.Int(0, h-o.Size)
	x2, y2 := x1, y1
	for range maxTries {
		x, y := snap(d.Int(0, w-o.Size), x1, o.Stride), snap(d.Int(0, h-o.Size), y1, o.Stride)
		if iou := o.iou(x-x1, y-y1); iou >= o.IoU[0] && iou <= o.IoU[1] && iou > 0 {
			x2, y2 = x, y
			break
		}
	}
	g.Corners = [2][2]int{{y1, x1}, {y2, x2}}
	shared := square(y1, x1, o.Size).Intersect(square(y2, x2, o.Size))
	// Of a padded frame only whole strides of the image count.
	if g.Height < o.Size {
		shared.Y1 = min(shared.Y1, max(g.Height/o.Stride*o.Stride, shared.Y0+1))
	}
	if g.Width < o.Size {
		shared.X1 = min(shared.X1, max(g.Width/o.Stride*o.Stride, shared.X0+1))
	}
	g.Overlaps = [2]raster.Box{shared.Shift(-y1, -x1), shared.Shift(-y2, -x2)}
	g.Flips = [2]bool{d.Real() < o.Flip, d.Real() < o.Flip}
	return g
}

func square(y, x, side int) raster.Box {
	return raster.Box{Y0: y, X0: x, Y1: y + side, X1: x + side}
}

// snap moves a to a multiple of stride away from b, downwards, but not below 0.
func snap(a, b, stride int) int {
	d := a - b
	q := d / stride
	if d%stride < 0 {
		q--
	}
	if a = q*stride + b; a < 0 {
		a += stride
	}
	return a
}

// iou is the intersection over union of two crops dx, dy apart.
func (o Options) iou(dx, dy int) float64 {
	w, h := o.Size-max(dx, -dx), o.Size-max(dy, -dy)
	if w <= 0 || h <= 0 {
		return 0
	}
	return float64(w*h) / float64(2*o.Size*o.Size-w*h)
}
