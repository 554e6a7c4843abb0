package uda

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/torch/torchtest"
)

// TestBlockMaskHidesBlocks: whole blocks are hidden, about as many as asked
// for, and what stays is unchanged.
func TestBlockMaskHidesBlocks(t *testing.T) {
	blocks := BlockMask{Block: 8, Ratio: 0.7}.Draw(4, 64, 96, rand.New(rand.NewPCG(1, 2)))
	if blocks.Rows != 8 || blocks.Cols != 12 || len(blocks.Keep) != 4*8*12 {
		t.Fatalf("grid %dx%d with %d cells", blocks.Rows, blocks.Cols, len(blocks.Keep))
	}
	kept := 0
	for _, k := range blocks.Keep {
		kept += int(k)
	}
	if share := float64(kept) / float64(len(blocks.Keep)); math.Abs(share-0.3) > 0.07 {
		t.Errorf("%.2f of the blocks stay, want about 0.3", share)
	}
	torchtest.Run(t, func(s *torch.Scope) {
		out := blocks.Apply(s.Ones(torch.Float32, 4, 3, 64, 96)).Float32s()
		for i, v := range out {
			image, y, x := i/(3*64*96), i/96%64, i%96
			want := float32(blocks.Keep[(image*8+y/8)*12+x/8])
			if v != want {
				t.Fatalf("pixel %d,%d of image %d is %v, want %v", y, x, image, v, want)
			}
		}
	})
}

// TestBlockMaskRoundsLikePython: half a block is rounded to even.
func TestBlockMaskRoundsLikePython(t *testing.T) {
	for length, want := range map[int]int{512: 8, 640: 10, 160: 2, 224: 4, 16: 1} {
		if got := (BlockMask{Block: 64, Ratio: 0.7}).Draw(1, length, 64, rand.New(rand.NewPCG(1, 2))).Rows; got != want {
			t.Errorf("%d pixels make %d blocks of 64, want %d", length, got, want)
		}
	}
}
