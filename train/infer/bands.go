package infer

import (
	"fmt"
	"slices"

	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/model"
	"github.com/pipa-uda/pipa/train/network"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
)

// How much of a large image is in work at once (docs/reliability.md, Memory). A
// probability has 4 bytes for each class.
const (
	// piece is the pixels whose probabilities are held in one piece. Beyond it they
	// are made and used in bands of rows.
	piece = 1 << 22
	// bandShare is the part of a piece that a band is: a few tensors of its size are
	// held at a time.
	bandShare = 8
	// MaxWhole is the pixels that a network may see whole.
	MaxWhole = 1 << 24
)

// A SizeError says that a network is to see more pixels at once than it may.
type SizeError struct {
	Height, Width int // of the image as it would be seen
	Most          int // pixels
	Windows       bool
}

func (e *SizeError) Error() string {
	how := "as a whole"
	if e.Windows {
		how = "in windows"
	}
	return fmt.Sprintf("the network would see it as %dx%d, %d megapixels, %s, and may see %d", e.Width, e.Height, e.Height*e.Width/1e6, how, e.Most/1e6)
}

// check fails where an image would be seen larger than it may.
func (p Predictor) check(image raster.Raster) error {
	windows, most := p.How.Window[0] > 0, MaxWhole
	if windows {
		most = raster.MaxPixels
	}
	for _, scale := range p.scales() {
		if h, w := size(p.How, image.Height(), image.Width(), scale); h > most/w {
			return &SizeError{h, w, most, windows}
		}
	}
	return nil
}

// visit calls use with the probabilities of the classes, [1,C,rows,W] as of
// [Predictor.scores], of rows from y on, from the top to the bottom. Those of an image
// that is not large come in one piece.
func (p Predictor) visit(s *torch.Scope, image raster.Raster, use func(s *torch.Scope, y int, probabilities *torch.Tensor) error) error {
	if err := p.check(image); err != nil {
		return err
	}
	h, w := image.Height(), image.Width()
	most := h * w
	for _, scale := range p.scales() {
		fh, fw := size(p.How, h, w, scale)
		most = max(most, fh*fw)
	}
	if most <= p.pieceSize() {
		return use(s, 0, p.scores(s, image))
	}
	looks := p.looks(s, image)
	rows := max(p.pieceSize()/bandShare*h/most, 1)
	for y := 0; y < h; y += rows {
		n := min(rows, h-y)
		if err := s.Run(func(c *torch.Scope) error {
			var sum *torch.Tensor
			for _, l := range looks {
				band := l.band(c, y, n, h, w).Softmax(1)
				if l.mirrored {
					band = band.Flip(3)
				}
				if sum == nil {
					sum = band
				} else {
					sum.AddInPlace(band)
				}
			}
			if len(looks) > 1 {
				sum.DivInPlace(len(looks))
			}
			return use(c, y, sum)
		}); err != nil {
			return err
		}
	}
	return nil
}

func (p Predictor) pieceSize() int {
	if p.piece > 0 {
		return p.piece
	}
	return piece
}

// A look is one way to see an image: at one scale, from one side.
type look struct {
	height, width int
	mirrored      bool
	// rows are the logits [1,C,last-first,width] of rows, which are asked for from the
	// top to the bottom.
	rows func(s *torch.Scope, first, last int) *torch.Tensor
}

// looks are all looks at an image, whose tensors are in s.
func (p Predictor) looks(s *torch.Scope, image raster.Raster) (all []look) {
	for _, scale := range p.scales() {
		seen := image
		fh, fw := size(p.How, image.Height(), image.Width(), scale)
		if fh != image.Height() || fw != image.Width() {
			seen = augment.ResizeBilinear(image, fh, fw, raster.Box{Y1: fh, X1: fw})
		}
		for _, mirrored := range p.sides() {
			l := look{height: fh, width: fw, mirrored: mirrored}
			if p.How.Window[0] > 0 {
				l.rows = p.slide(s, seen, mirrored)
			} else {
				logits := s.Tidy(func(c *torch.Scope) *torch.Tensor {
					return p.Net.Predict(normalized(c, seen, 0, fh, mirrored), nn.Scoring)
				})
				l.rows = func(s *torch.Scope, first, last int) *torch.Tensor { return logits.In(s).Narrow(2, first, last-first) }
			}
			all = append(all, l)
		}
	}
	return all
}

// normalized are rows of an image as a network sees them, [1,3,last-first,W].
func normalized(s *torch.Scope, image raster.Raster, first, last int, mirrored bool) *torch.Tensor {
	stride := 3 * image.Width()
	x := network.Normalize(s.Wrap(image.Pix()[first*stride:last*stride], 1, last-first, image.Width(), 3))
	if mirrored {
		x = x.Flip(3)
	}
	return x
}

// slide gives the rows of logits that windows are averaged to, as [model.Slide] does
// of whole images. The windows of a row of them are run when the first of their rows
// is asked for, and what is above the rows that are asked for is let go.
func (p Predictor) slide(s *torch.Scope, image raster.Raster, mirrored bool) func(*torch.Scope, int, int) *torch.Tensor {
	boxes := model.Windows(image.Height(), image.Width(), p.How.Window, p.How.Stride)
	var (
		sum, count  *torch.Tensor // [1,C,rows,W] and [1,1,rows,W], in s, of rows from top to bottom
		top, bottom int
	)
	// grow makes the sums those of rows [first, last).
	grow := func(first, last, classes int) {
		resized := func(old *torch.Tensor, channels int) *torch.Tensor {
			out := s.Tidy(func(c *torch.Scope) *torch.Tensor {
				out := c.Zeros(torch.Float32, 1, channels, last-first, image.Width())
				if kept := bottom - first; old != nil && kept > 0 {
					out.Narrow(2, 0, kept).CopyInPlace(old.In(c).Narrow(2, first-top, kept))
				}
				return out
			})
			if old != nil {
				old.Free()
			}
			return out
		}
		sum, count = resized(sum, classes), resized(count, 1)
		top, bottom = first, last
	}
	// next runs the next row of windows. The rows from first on are still wanted.
	next := func(first int) {
		n := slices.IndexFunc(boxes, func(b raster.Box) bool { return b.Y0 != boxes[0].Y0 })
		if n < 0 {
			n = len(boxes)
		}
		row := boxes[:n]
		boxes = boxes[n:]
		if err := s.Run(func(c *torch.Scope) error {
			strip := normalized(c, image, row[0].Y0, row[0].Y1, mirrored)
			for some := range slices.Chunk(row, max(p.How.Batch, 1)) {
				if err := c.Run(func(c *torch.Scope) error {
					var windows []*torch.Tensor
					for _, b := range some {
						windows = append(windows, strip.In(c).Narrow(3, b.X0, b.X1-b.X0))
					}
					logits := p.Net.Predict(torch.Cat(0, windows...), nn.Scoring)
					if bottom < row[0].Y1 {
						grow(first, row[0].Y1, logits.Dim(1))
					}
					for i, b := range some {
						at := func(t *torch.Tensor) *torch.Tensor {
							return t.In(c).Narrow(2, b.Y0-top, b.Y1-b.Y0).Narrow(3, b.X0, b.X1-b.X0)
						}
						at(sum).AddInPlace(logits.Narrow(0, i, 1))
						at(count).AddInPlace(1)
					}
					return nil
				}); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			panic(err) // an *OpError, on its way to the Run around
		}
	}
	return func(s *torch.Scope, first, last int) *torch.Tensor {
		for len(boxes) > 0 && boxes[0].Y0 < last {
			next(first)
		}
		return sum.In(s).Narrow(2, first-top, last-first).Div(count.In(s).Narrow(2, first-top, last-first))
	}
}

// band is n rows from y on of the logits resized to h×w, as UpsampleBilinear resizes
// them all: a row is a mean of two, each resized in width.
func (l look) band(s *torch.Scope, y, n, h, w int) *torch.Tensor {
	ratio := float32(l.height) / float32(h)
	above, below := make([]int64, n), make([]int64, n)
	shareAbove, shareBelow := make([]float32, n), make([]float32, n)
	for i := range n {
		at := max(ratio*(float32(y+i)+0.5)-0.5, 0)
		k := min(int(at), l.height-1)
		above[i], below[i] = int64(k), int64(min(k+1, l.height-1))
		shareBelow[i] = min(at-float32(k), 1)
		shareAbove[i] = 1 - shareBelow[i]
	}
	first, last := above[0], below[n-1]+1
	wide := l.rows(s, int(first), int(last)).UpsampleBilinear(int(last-first), w, false)
	rows := func(at []int64, share []float32) *torch.Tensor {
		for i := range at {
			at[i] -= first
		}
		return wide.IndexSelect(2, s.FromInt64(at, n)).Mul(s.FromFloat32(share, 1, 1, n, 1))
	}
	return rows(above, shareAbove).Add(rows(below, shareBelow))
}
