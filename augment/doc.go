// Package augment has the geometry and photometry of the training pipelines on
// uint8 rasters, and the stage that applies them.
//
// The method's own operations are kernels of ours that give the same bytes as
// the libraries the published code calls: OpenCV's bilinear and nearest resize
// and 5×5 blur, Pillow's bicubic resize and torchvision's color jitter. The
// long tail, any filter of github.com/disintegration/gift, is there by name.
//
// The resizes compute any window of the result, equal to resizing the whole
// and cropping, so a stage resamples only what it keeps:
//
//	crop := augment.ResizeBilinear(image, 704, 1280, raster.Box{Y0: 32, X0: 100, Y1: 672, X1: 740})
//
// A [Scratch] does the same into memory of the caller's, mirrored in passing
// where that is wanted, and allocates nothing. The inner loops are in
// internal/kernel, plain and, on amd64, in assembly; TUNING.md has what they
// cost.
package augment
