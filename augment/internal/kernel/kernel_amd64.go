//go:build !purego

package kernel

import "golang.org/x/sys/cpu"

// fast reports whether the processor runs the assembly.
var fast = cpu.X86.HasAVX2 && cpu.X86.HasFMA

// colorStep is the bytes of 8 RGB pixels, what the color routines take at a
// time.
const colorStep = 24

// The routines' counts are of whole steps, at least one.

//go:noescape
func bilinearRowAVX2(dst *int16, src *byte, at *int32, weights *uint32, groups int)

//go:noescape
func bilinearBlendAVX2(dst *byte, upper, lower *int16, w0, w1 int32, blocks int)

//go:noescape
func nearestRowAVX2(dst, src *byte, start *int32, masks *byte, groups, span int)

//go:noescape
func resampleRowAVX2(dst, src *byte, at *int32, packed *int16, groups, pairs int)

//go:noescape
func resampleColumnAVX2(dst, base *byte, offsets *int, packed *int16, pairs, blocks int)

//go:noescape
func blurRowsAVX2(dst *uint16, r0, r1, r2, r3, r4 *byte, blocks int)

//go:noescape
func blurColumnsAVX2(dst *byte, sums *uint16, stride, blocks int)

//go:noescape
func mixAVX2(pix *byte, blocks int, degenerate, factor float32)

//go:noescape
func saturateAVX2(pix *byte, groups int, factor float32)

//go:noescape
func grayAVX2(pix *byte, groups int)

//go:noescape
func lumaSumAVX2(pix *byte, groups int) uint64

//go:noescape
func hueAVX2(pix *byte, groups int, shift int32)

//go:noescape
func reverseBytesAVX2(dst, end *byte, blocks int)

//go:noescape
func reversePixelsAVX2(dst, end *byte, blocks int)

func bilinearRowFast(dst []int16, src []byte, t *BilinearTaps) int {
	if !fast || t.channels != 3 || t.reach > len(src) || t.n == 0 {
		return 0
	}
	groups := len(t.at) / 4
	_ = dst[12*groups+1] // the last store's end
	bilinearRowAVX2(&dst[0], &src[0], &t.at[0], &t.weights[0], groups)
	return t.n
}

func bilinearBlendFast(dst []byte, upper, lower []int16, w0, w1 int32) int {
	n := len(dst)
	if !fast || n < 32 {
		return 0
	}
	upper, lower = upper[:n], lower[:n]
	bilinearBlendAVX2(&dst[0], &upper[0], &lower[0], w0, w1, n/32)
	if n%32 > 0 { // the last block begins before the others' end
		bilinearBlendAVX2(&dst[n-32], &upper[n-32], &lower[n-32], w0, w1, 1)
	}
	return n
}

func nearestRowFast(dst, src []byte, t *NearestTaps) int {
	groups := len(t.start)
	if !fast || t.span == 0 || groups == 0 || t.reach > len(src) {
		return 0
	}
	dst = dst[:len(t.index)]
	nearestRowAVX2(&dst[0], &src[0], &t.start[0], &t.masks[0], groups, t.span)
	return 16 * groups
}

func resampleRowFast(dst, src []byte, t *ResampleTaps, from, to int) int {
	if !fast || t.pairs == 0 || t.reach > len(src) || from >= to {
		return from
	}
	first, last := from/4, (to+3)/4 // groups
	_ = dst[12*last+1]              // the last store's end
	resampleRowAVX2(&dst[12*first], &src[0], &t.at[4*first], &t.packed[first*t.chunks()*32], last-first, t.pairs)
	return to
}

func resampleColumnFast(dst, base []byte, offsets []int, weights []int32, s *ColumnScratch) int {
	n := len(dst)
	if !fast || n < 16 || len(weights) == 0 {
		return 0
	}
	pairs := (len(weights) + 1) / 2
	s.packed, s.offsets = grow(s.packed, 4*pairs), grow(s.offsets, 2*pairs)
	s.packed[4*pairs-3], s.packed[4*pairs-1] = 0, 0
	s.offsets[2*pairs-1] = offsets[0]
	for k, w := range weights {
		high, low := split(w)
		s.packed[k/2*4+k%2], s.packed[k/2*4+2+k%2] = low, high
		s.offsets[k] = offsets[k]
		_ = base[offsets[k]:][:n]
	}
	resampleColumnAVX2(&dst[0], &base[0], &s.offsets[0], &s.packed[0], pairs, n/16)
	if n%16 > 0 {
		resampleColumnAVX2(&dst[n-16], &base[n-16], &s.offsets[0], &s.packed[0], pairs, 1)
	}
	return n
}

func blurRowsFast(dst []uint16, r0, r1, r2, r3, r4 []byte) int {
	n := len(dst)
	if !fast || n < 16 {
		return 0
	}
	r0, r1, r2, r3, r4 = r0[:n], r1[:n], r2[:n], r3[:n], r4[:n]
	blurRowsAVX2(&dst[0], &r0[0], &r1[0], &r2[0], &r3[0], &r4[0], n/16)
	if i := n - 16; n%16 > 0 {
		blurRowsAVX2(&dst[i], &r0[i], &r1[i], &r2[i], &r3[i], &r4[i], 1)
	}
	return n
}

func blurColumnsFast(dst []byte, sums []uint16, channels int) int {
	n := len(dst)
	if !fast || n < 32 {
		return 0
	}
	_ = sums[n+4*channels-1]
	blurColumnsAVX2(&dst[0], &sums[0], 2*channels, n/32)
	if n%32 > 0 {
		blurColumnsAVX2(&dst[n-32], &sums[n-32], 2*channels, 1)
	}
	return n
}

func mixFast(pix []byte, degenerate byte, factor float32) int {
	blocks := len(pix) / 32
	if !fast || blocks == 0 {
		return 0
	}
	mixAVX2(&pix[0], blocks, float32(degenerate), factor)
	return 32 * blocks
}

func saturateFast(pix []byte, factor float32) int {
	groups := len(pix) / colorStep
	if !fast || groups == 0 {
		return 0
	}
	saturateAVX2(&pix[0], groups, factor)
	return colorStep * groups
}

func grayFast(pix []byte) int {
	groups := len(pix) / colorStep
	if !fast || groups == 0 {
		return 0
	}
	grayAVX2(&pix[0], groups)
	return colorStep * groups
}

func lumaSumFast(pix []byte) (sum, bytes int) {
	// The routine counts in eight 32-bit lanes: 2^24 groups of 255 would fill
	// them.
	const most = 1 << 23
	for fast && len(pix) >= colorStep {
		groups := min(len(pix)/colorStep, most)
		sum += int(lumaSumAVX2(&pix[0], groups))
		pix = pix[colorStep*groups:]
		bytes += colorStep * groups
	}
	return sum, bytes
}

func hueFast(pix []byte, shift byte) int {
	groups := len(pix) / colorStep
	if !fast || groups == 0 {
		return 0
	}
	hueAVX2(&pix[0], groups, int32(shift))
	return colorStep * groups
}

func reverseFast(dst, src []byte, channels int) int {
	n := len(dst)
	switch blocks := n / 32; {
	case fast && channels == 1 && blocks > 0:
		reverseBytesAVX2(&dst[0], &src[n-32], blocks)
		return 32 * blocks
	case fast && channels == 3 && n >= 18:
		// Five pixels a block; loads begin and stores end a byte beyond them.
		blocks = (n/3 - 1) / 5
		reversePixelsAVX2(&dst[0], &src[n-16], blocks)
		return 5 * blocks
	}
	return 0
}
