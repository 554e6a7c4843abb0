package crops

import (
	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

func newPair(size int, labeled bool) (p pipeline.Pair) {
	for _, c := range []*pipeline.Crop{&p.A, &p.B} {
		c.Image = raster.New(size, size, 3)
		if labeled {
			c.Label = raster.New(size, size, 1)
		}
	}
	return p
}

// Cut resamples what a geometry's crops need of a sample: bicubic as Pillow's
// for the image, nearest for the label.
func Cut(in pipeline.Sample, g Geometry, size int) pipeline.Pair {
	p := newPair(size, !in.Label.Empty())
	scratch := augment.BorrowScratch()
	defer scratch.Return()
	cut(scratch, in, g, &p)
	return p
}

// cut sets all of a pair by its rasters' size.
func cut(scratch *augment.Scratch, in pipeline.Sample, g Geometry, p *pipeline.Pair) {
	p.ID, p.Scale = in.ID, float32(g.Width)/float32(in.Image.Width())
	size := p.A.Image.Height()
	windows := g.windows(size)
	scratch.ResizeBicubicPair([2]raster.Raster{p.A.Image, p.B.Image}, in.Image, g.Height, g.Width, windows, g.Flips)
	for i, c := range []*pipeline.Crop{&p.A, &p.B} {
		window := windows[i]
		augment.FillAround(c.Image, window.Height(), window.Width(), g.Flips[i], augment.MeanColor())
		if !in.Label.Empty() {
			scratch.ResizeNearest(c.Label, in.Label, g.Height, g.Width, window, g.Flips[i])
			augment.FillAround(c.Label, window.Height(), window.Width(), g.Flips[i], []byte{byte(raster.Ignore)})
		}
		c.Origin, c.Flip, c.Overlap = g.Corners[i], g.Flips[i], g.Overlaps[i]
		if c.Flip {
			c.Overlap = c.Overlap.FlipX(size)
		}
	}
}

// windows are what the crops keep of the resized frame, padding aside.
func (g Geometry) windows(size int) (w [2]raster.Box) {
	for i, corner := range g.Corners {
		w[i] = square(corner[0], corner[1], size).Intersect(raster.Box{Y1: g.Height, X1: g.Width})
	}
	return w
}

// RowsNeeded are the rows [first, last) of a source of the given height that
// [Cut] reads.
func (g Geometry) RowsNeeded(srcHeight, size int) (first, last int) {
	first = srcHeight
	for _, w := range g.windows(size) {
		f, l := augment.BicubicRows(srcHeight, g.Height, w)
		first, last = min(first, f), max(last, l)
		f, l = augment.NearestRows(srcHeight, g.Height, w)
		first, last = min(first, f), max(last, l)
	}
	return first, last
}
