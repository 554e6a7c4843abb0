package eval

import (
	"fmt"
	"math"
	"slices"

	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/torch"
)

// Confusion counts pixels by label (rows) and prediction (columns).
type Confusion struct {
	Classes int
	Counts  []int64 // [Classes*Classes]
}

// NewConfusion starts an empty table.
func NewConfusion(classes int) *Confusion {
	return &Confusion{classes, make([]int64, classes*classes)}
}

// Add counts the pixels of predictions and labels of equal shape, both int64;
// labels of 255 are left out.
func (c *Confusion) Add(prediction, label *torch.Tensor) error {
	known := label.Ne(int(raster.Ignore))
	cells := label.Mul(c.Classes).Add(prediction).MaskedSelect(known).BinCount(len(c.Counts)).Int64s()
	if len(cells) > len(c.Counts) {
		return fmt.Errorf("count confusion: a label or prediction is not a class of 0 to %d", c.Classes-1)
	}
	for i, n := range cells {
		c.Counts[i] += n
	}
	return nil
}

// Total adds up the tables of a group's ranks, on all of them.
func (c *Confusion) Total(s *torch.Scope, g *torch.Group) error {
	if g == nil {
		return nil
	}
	return s.NoGrad(func(s *torch.Scope) error {
		c.Counts = g.Sum(s.FromInt64(c.Counts, len(c.Counts))).Int64s()
		return nil
	})
}

// Scores are what a confusion table says, as fractions. A class that neither
// labels nor predictions have is NaN.
type Scores struct {
	IoU       []float64
	Accuracy  []float64 // share of a class's pixels that are predicted as it
	AllPixels float64   // share of all pixels that are right
}

// Scores computes the scores (mmseg/core/evaluation/metrics.py).
func (c *Confusion) Scores() Scores {
	s := Scores{make([]float64, c.Classes), make([]float64, c.Classes), 0}
	var right, all int64
	for k := range c.Classes {
		var labelled, predicted int64
		for j := range c.Classes {
			labelled += c.Counts[k*c.Classes+j]
			predicted += c.Counts[j*c.Classes+k]
		}
		hit := c.Counts[k*c.Classes+k]
		s.IoU[k] = ratio(hit, labelled+predicted-hit)
		s.Accuracy[k] = ratio(hit, labelled)
		right += hit
		all += labelled
	}
	s.AllPixels = ratio(right, all)
	return s
}

func ratio(a, b int64) float64 {
	if b == 0 {
		return math.NaN()
	}
	return float64(a) / float64(b)
}

// The classes that SYNTHIA has: all but terrain, truck and train; and of these
// the 13 that its literature reports as mIoU*, without wall, fence and pole.
//
// A mean over them is taken directly from the confusion of all 19 classes: a
// pixel of theirs that is predicted as terrain is a miss, and a pixel of
// terrain predicted as one of theirs a false one. The published evaluation
// multiplies the mean over 19 by 19/16, which is the same number as long as the
// three absent classes score exactly 0 (lhoyer/HRDA README.md).
var (
	Synthia16 = []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 15, 17, 18}
	Synthia13 = []int{0, 1, 2, 6, 7, 8, 10, 11, 12, 13, 15, 17, 18}
)

// AreCityscapes reports whether the classes are Cityscapes' 19, in their order:
// the sets of 16 and 13 are of them.
func AreCityscapes(classes []string) bool {
	return slices.Equal(classes, raster.CityscapesClasses())
}

// Mean is the mean IoU over some classes, or over all for a nil list. Classes
// that are NaN do not count.
func (s Scores) Mean(classes []int) float64 { return mean(s.IoU, classes) }

// MeanAccuracy is Mean of the accuracies.
func (s Scores) MeanAccuracy(classes []int) float64 { return mean(s.Accuracy, classes) }

func mean(values []float64, classes []int) float64 {
	sum, n := 0.0, 0
	for k, v := range values {
		if math.IsNaN(v) || classes != nil && !slices.Contains(classes, k) {
			continue
		}
		sum += v
		n++
	}
	if n == 0 {
		return math.NaN()
	}
	return sum / float64(n)
}
