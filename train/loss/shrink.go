package loss

import (
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// ShrinkLabels is the part box of the labels [N,H,W] at the size h×w, [N,h,w],
// by the nearest pixel as interpolate finds it, in float32: floor(i·in/out).
func ShrinkLabels(labels []uint8, height, width int, box raster.Box, h, w int) []uint8 {
	nearest := func(in, out int) []int {
		at, scale := make([]int, out), float32(in)/float32(out)
		for i := range at {
			at[i] = min(int(float32(i)*scale), in-1)
		}
		return at
	}
	ys, xs := nearest(box.Height(), h), nearest(box.Width(), w)
	low := make([]uint8, 0, len(labels)/(height*width)*h*w)
	for image := range len(labels) / (height * width) {
		for _, y := range ys {
			row := labels[(image*height+box.Y0+y)*width+box.X0:]
			for _, x := range xs {
				low = append(low, row[x])
			}
		}
	}
	return low
}
