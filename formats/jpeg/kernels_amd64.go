//go:build !purego

package jpeg

import "golang.org/x/sys/cpu"

// fast reports whether the processor runs the assembly.
var fast = cpu.X86.HasAVX2 && cpu.X86.HasBMI2

// inverseRowAVX2 makes the samples of pairs of blocks.
//
//go:noescape
func inverseRowAVX2(dst *byte, stride int, blocks, quant *int16, pairs int)

// The upsampling routines take groups of 16 samples; src, near and far begin with
// the sample before, but for V2.

//go:noescape
func upsampleH2AVX2(dst, src *byte, groups int)

//go:noescape
func upsampleV2AVX2(dst, near, far *byte, groups, bias int)

//go:noescape
func upsampleH2V2AVX2(dst, near, far *byte, groups int)

// yccToRGBAVX2 converts groups of 16 pixels.
//
//go:noescape
func yccToRGBAVX2(dst, y, cb, cr *byte, groups int)

func inverseRow(dst []byte, stride int, blocks []int16, quant *[64]int16) {
	pairs := len(blocks) / 128
	if !fast || pairs == 0 {
		inverseRowPlain(dst, stride, blocks, quant)
		return
	}
	_, _ = dst[7*stride+16*pairs-1], blocks[128*pairs-1]
	inverseRowAVX2(&dst[0], stride, &blocks[0], &quant[0], pairs)
}

func upsampleH2(dst, src []byte, n int) {
	groups := (n + 15) / 16
	if !fast || n == 0 || len(dst) < 32*groups || len(src) < 16*groups+2 {
		upsampleH2Plain(dst, src, n)
		return
	}
	upsampleH2AVX2(&dst[0], &src[0], groups)
}

func upsampleV2(dst, near, far []byte, n, bias int) {
	groups := (n + 15) / 16
	if !fast || n == 0 || min(len(dst), len(near), len(far)) < 16*groups {
		upsampleV2Plain(dst, near, far, n, bias)
		return
	}
	upsampleV2AVX2(&dst[0], &near[0], &far[0], groups, bias)
}

func upsampleH2V2(dst, near, far []byte, n int) {
	groups := (n + 15) / 16
	if !fast || n == 0 || len(dst) < 32*groups || min(len(near), len(far)) < 16*groups+2 {
		upsampleH2V2Plain(dst, near, far, n)
		return
	}
	upsampleH2V2AVX2(&dst[0], &near[0], &far[0], groups)
}

func yccToRGB(dst, y, cb, cr []byte) {
	groups := len(dst) / 48
	if !fast || groups == 0 {
		yccToRGBPlain(dst, y, cb, cr)
		return
	}
	n := 16 * groups
	_, _, _ = y[n-1], cb[n-1], cr[n-1]
	yccToRGBAVX2(&dst[0], &y[0], &cb[0], &cr[0], groups)
	yccToRGBPlain(dst[3*n:], y[n:], cb[n:], cr[n:])
}
