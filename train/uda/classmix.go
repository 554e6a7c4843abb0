package uda

import (
	"math/rand/v2"
	"slices"

	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/torch"
)

// ChooseClasses draws the classes that each of n images pastes: half, rounded
// up, of the classes in the whole batch's labels, 255 included, without
// replacement (lhoyer/DAFormer mmseg/models/utils/dacs_transforms.py,
// get_class_masks). The choices are ascending.
func ChooseClasses(labels []uint8, n int, rng *rand.Rand) [][]raster.TrainID {
	var present [256]bool
	for _, l := range labels {
		present[l] = true
	}
	var candidates []raster.TrainID
	for c, ok := range present {
		if ok {
			candidates = append(candidates, raster.TrainID(c))
		}
	}
	out := make([][]raster.TrainID, n)
	for i := range out {
		for _, j := range rng.Perm(len(candidates))[:(len(candidates)+1)/2] {
			out[i] = append(out[i], candidates[j])
		}
		slices.Sort(out[i])
	}
	return out
}

// Mixed are ClassMix images with what their loss needs.
type Mixed struct {
	Mask   *torch.Tensor // [N,H,W] bool, true where the pixel comes from the source
	Image  *torch.Tensor // [N,3,H,W]
	Label  *torch.Tensor // [N,H,W]: the source's, or the pseudo-label
	Weight *torch.Tensor // [N,H,W]: 1, or the pseudo-label's
}

// Mix pastes each source image's chosen classes over its target image. image
// and target are [N,3,H,W], label [N,H,W] int64.
func Mix(image, label, target *torch.Tensor, pseudo PseudoLabels, classes [][]raster.TrainID) Mixed {
	table := make([]uint8, 256*len(classes))
	for i, chosen := range classes {
		for _, c := range chosen {
			table[256*i+int(c)] = 1
		}
	}
	s := image.Scope()
	n, h, w := label.Dim(0), label.Dim(1), label.Dim(2)
	mask := s.FromUint8(table, n, 256).Gather(1, label.Reshape(n, h*w)).Reshape(n, h, w).To(torch.Bool)
	return Mixed{
		Mask:   mask,
		Image:  mask.Unsqueeze(1).Where(image, target),
		Label:  mask.Where(label, pseudo.Label),
		Weight: mask.Where(pseudo.Weight.OnesLike(), pseudo.Weight),
	}
}
