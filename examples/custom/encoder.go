package main

import (
	"fmt"

	"github.com/pipa-uda/pipa/train/model"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
)

// pyramid is an encoder of strided convolutions, whose four maps have strides of 4,
// 8, 16 and 32: what the decoders of SegFormer and DAFormer take.
type pyramid struct{ channels int } // of the first map; the next ones have two, three and four times as many

// Name says all that decides its numbers: a run is continued under the same name
// alone.
func (p pyramid) Name() string { return fmt.Sprintf("pyramid-%d", p.channels) }

// Shape is what decoders, heads and the checks of crops work by.
func (p pyramid) Shape() model.Shape {
	c := p.channels
	return model.Shape{Dims: []int{c, 2 * c, 3 * c, 4 * c}, Strides: []int{4, 8, 16, 32}, Multiple: 32, Least: 32}
}

// New makes the convolutions: of stride 4 for the first map, of 2 for the others.
func (p pyramid) New(path nn.Path) (model.Encoder, error) {
	e := &pyramidEncoder{pyramid: p}
	in := 3
	for i, out := range p.Shape().Dims {
		kernel, stride := 3, 2
		if i == 0 {
			kernel, stride = 7, 4
		}
		e.stages = append(e.stages, nn.NewConv2d(path.Sub("stages").At(i), in, out, nn.Conv{Kernel: kernel, Stride: stride, Padding: kernel / 2, Bias: true}))
		in = out
	}
	return e, nil
}

type pyramidEncoder struct {
	pyramid
	stages []*nn.Conv2d
}

// Forward is the four maps of normalized images [N,3,H,W], fine to coarse.
func (e *pyramidEncoder) Forward(x *torch.Tensor, _ nn.Mode) (maps []*torch.Tensor) {
	for _, stage := range e.stages {
		x = stage.Forward(x).Relu()
		maps = append(maps, x)
	}
	return maps
}
