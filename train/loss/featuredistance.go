package loss

import (
	"fmt"

	"github.com/pipa-uda/pipa/train/torch"
)

// FeatureDistance ties an encoder's last map to that of a frozen copy with
// ImageNet weights, on cells that mostly show one of some classes
// (lhoyer/DAFormer mmseg/models/uda/dacs.py, calc_feat_dist).
type FeatureDistance struct {
	Classes []int   // the thing classes
	Ratio   float64 // share of a cell its label must cover, 0.75
	Labels  int     // number of train IDs, 19
	// Group is the ranks whose cells are averaged together; nil is this process
	// alone.
	Group *torch.Group
}

// Loss is the mean over the masked cells of the Euclidean distance between
// student and frozen, both [N,C,h,w], with the label [N,H,W] int64. Without a
// masked cell it is exactly 0. With a group it is this rank's share.
func (d FeatureDistance) Loss(student, frozen, label *torch.Tensor) *torch.Tensor {
	mask := d.Mask(label, student.Dim(2), student.Dim(3)).To(student.DType())
	distance := student.Sub(frozen.Detach()).NormDim(false, 1)
	return distance.Mul(mask).Sum().Div(d.Group.Sum(mask.Sum()).ClampMin(1))
}

// Mask is true, [N,h,w], where a cell's label is one of the classes.
func (d FeatureDistance) Mask(label *torch.Tensor, h, w int) *torch.Tensor {
	cells := d.CellLabel(label, h, w)
	mask := cells.Eq(d.Classes[0])
	for _, c := range d.Classes[1:] {
		mask = mask.LogicalOr(cells.Eq(c))
	}
	return mask
}

// CellLabel scales a label down to [N,h,w]: the class that covers most of a
// cell where that is at least the ratio, 255 elsewhere (mmseg/utils/utils.py,
// downscale_label_ratio). 255 takes part as one more class.
//
// A cell's side is the label's width over the map's, rounded down, for both
// axes, and the pixels beyond the last whole cell are dropped: where a crop's
// sides are not multiples of the map's stride, the cells lie a little off what
// the map shows. The released code stops where that makes another number of
// cells than the map has; here one row of them without a label is 255, and a row
// or column beyond the map is dropped.
func (d FeatureDistance) CellLabel(label *torch.Tensor, h, w int) *torch.Tensor {
	height, width := label.Dim(-2), label.Dim(-1)
	side := width / w
	if off := height/max(side, 1) - h; side == 0 || off < -1 || off > 1 {
		label.Scope().Fail("feature distance", "label %dx%d does not lie over the %dx%d map in square cells: use crops whose sides are multiples of the map's stride", height, width, h, w)
	}
	folded := label.MaskedFill(label.Eq(255), float64(d.Labels))
	share, class := folded.OneHot(d.Labels+1).Permute(0, 3, 1, 2).To(torch.Float32).AvgPool2d(side, side).MaxDim(1, false)
	class = class.MaskedFill(class.Eq(d.Labels).LogicalOr(share.Lt(d.Ratio)), 255)
	rows := min(class.Dim(1), h)
	return class.Narrow(1, 0, rows).Narrow(2, 0, w).Pad(255, 0, 0, 0, h-rows)
}

// Validate checks the options.
func (d FeatureDistance) Validate() error {
	if len(d.Classes) == 0 {
		return fmt.Errorf("feature distance: no classes")
	}
	for _, c := range d.Classes {
		if c < 0 || c >= d.Labels {
			return fmt.Errorf("feature distance: class %d, want 0 to %d", c, d.Labels-1)
		}
	}
	return nil
}
