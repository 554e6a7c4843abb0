package network

import (
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/uda"
)

// Normalize turns uint8 [N,H,W,3] into float32 [N,3,H,W] around the ImageNet
// mean.
func Normalize(pix *torch.Tensor) *torch.Tensor {
	s := pix.Scope()
	vector := func(v [3]float64) *torch.Tensor {
		return s.FromFloat32([]float32{float32(v[0]), float32(v[1]), float32(v[2])}, 1, 3, 1, 1)
	}
	pix = pix.Upload().To(torch.Float32).Permute(0, 3, 1, 2).Sub(vector(uda.Mean)).Div(vector(uda.Std))
	if s.Device() == torch.CPU {
		return pix.Contiguous()
	}
	// A GPU's convolutions are faster with the channels last, as images lie, and
	// hand that on.
	return pix
}

// Picture is the i-th of normalized images [N,3,H,W] as bytes, [H,W,3].
func Picture(x *torch.Tensor, i int) raster.Raster {
	s := x.Scope()
	channel := func(v [3]float64) *torch.Tensor {
		return s.FromFloat32([]float32{float32(v[0]), float32(v[1]), float32(v[2])}, 3, 1, 1)
	}
	return Raster(x.Detach().Select(0, i).Mul(channel(uda.Std)).Add(channel(uda.Mean)).Clamp(0, 255).To(torch.Uint8).Permute(1, 2, 0))
}

// Raster copies [H,W] or [H,W,C] to the host, as bytes.
func Raster(x *torch.Tensor) raster.Raster {
	channels := 1
	if x.Dims() == 3 {
		channels = x.Dim(2)
	}
	r, err := raster.Wrap(x.Dim(0), x.Dim(1), channels, x.To(torch.Uint8).Contiguous().Bytes())
	if err != nil {
		panic(err) // the sizes are the tensor's own
	}
	return r
}
