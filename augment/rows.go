package augment

import (
	"github.com/pipa-uda/pipa/augment/internal/kernel"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// The functions below say which rows [first, last) of a source of the given
// height the window of a resize reads, so that a decoder may stop after the
// last: rows outside may hold anything.

// BilinearRows are the source rows that [ResizeBilinear] reads.
func BilinearRows(srcHeight, h int, window raster.Box) (first, last int) {
	top, _, _ := kernel.BilinearTap(srcHeight, h, window.Y0, false)
	bottom, _, _ := kernel.BilinearTap(srcHeight, h, window.Y1-1, false)
	return max(top, 0), min(bottom+2, srcHeight)
}

// NearestRows are the source rows that [ResizeNearest] reads.
func NearestRows(srcHeight, h int, window raster.Box) (first, last int) {
	if srcHeight == h {
		return window.Y0, window.Y1
	}
	return kernel.NearestIndex(srcHeight, h, window.Y0), kernel.NearestIndex(srcHeight, h, window.Y1-1) + 1
}

// BicubicRows are the source rows that [ResizeBicubic] reads.
func BicubicRows(srcHeight, h int, window raster.Box) (first, last int) {
	return resampleRows(kernel.Bicubic, srcHeight, h, window)
}

// AntialiasedRows are the source rows that [ResizeAntialiased] reads.
func AntialiasedRows(srcHeight, h int, window raster.Box) (first, last int) {
	return resampleRows(kernel.Bilinear, srcHeight, h, window)
}

func resampleRows(f kernel.Filter, srcHeight, h int, window raster.Box) (first, last int) {
	if srcHeight == h {
		return window.Y0, window.Y1
	}
	first, _ = kernel.ResampleSpan(f, srcHeight, h, window.Y0)
	_, last = kernel.ResampleSpan(f, srcHeight, h, window.Y1-1)
	return first, last
}
