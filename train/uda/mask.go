package uda

import (
	"math"
	"math/rand/v2"

	"github.com/pipa-uda/pipa/train/torch"
)

// BlockMask hides square blocks of the images that masked image consistency
// trains on (Hoyer et al., "MIC", 2023; lhoyer/MIC seg/mmseg/models/utils/
// masking_transforms.py).
type BlockMask struct {
	Block int     // side in pixels, 64
	Ratio float64 // of blocks that are hidden, 0.7
}

// Draw chooses the blocks of n images of height × width: 1 stays, 0 is hidden.
// The grid has round(height/Block) × round(width/Block) cells, at least one.
func (b BlockMask) Draw(n, height, width int, rng *rand.Rand) Blocks {
	cells := func(length int) int { return max(1, int(math.RoundToEven(float64(length)/float64(b.Block)))) }
	k := Blocks{Rows: cells(height), Cols: cells(width)}
	k.Keep = make([]uint8, n*k.Rows*k.Cols)
	for i := range k.Keep {
		if rng.Float64() > b.Ratio {
			k.Keep[i] = 1
		}
	}
	return k
}

// Blocks are the drawn masks of a batch, at one cell a block.
type Blocks struct {
	Rows, Cols int
	Keep       []uint8 // n × Rows × Cols
}

// Of are the masks of images first to first+n-1.
func (k Blocks) Of(first, n int) Blocks {
	k.Keep = k.Keep[first*k.Rows*k.Cols : (first+n)*k.Rows*k.Cols]
	return k
}

// Apply sets the hidden pixels of normalized images [N,3,H,W] to 0, the mean
// color.
func (k Blocks) Apply(images *torch.Tensor) *torch.Tensor {
	n := len(k.Keep) / (k.Rows * k.Cols)
	mask := images.Scope().FromUint8(k.Keep, n, 1, k.Rows, k.Cols).To(torch.Float32)
	return images.Mul(mask.UpsampleNearest(images.Dim(2), images.Dim(3)))
}
