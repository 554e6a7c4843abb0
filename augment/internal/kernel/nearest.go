package kernel

import (
	"math"
	"slices"
)

// maxSpan bounds how many 16-byte pieces of the source a group of 16 labels
// may be picked from by shuffles; beyond, single loads are as fast.
const maxSpan = 8

// NearestTaps are the positions of a row's nearest-neighbor choice.
type NearestTaps struct {
	index []int32 // source pixel of each position
	// For groups of 16 positions of one-byte pixels: where the group's span
	// begins, and for each of its 16-byte pieces which byte goes where.
	start []int32
	masks []byte // [group][span][16], 0x80 for none
	span  int    // pieces; 0 where there are no shuffles
	reach int    // bytes of the source row that the assembly reads
}

// NearestIndex is the source index of position d along an axis scaled from in
// to out (OpenCV 4.6 resize.cpp, resizeNN).
func NearestIndex(in, out, d int) int {
	step := 1 / (float64(out) / float64(in))
	return min(int(math.Floor(float64(d)*step)), in-1)
}

// A NearestRule gives the source indices of positions from to to of an axis scaled
// from in to out, in dst's memory where it is large enough. They never fall.
type NearestRule func(dst []int32, in, out, from, to int) []int32

// OpenCVNearest is the rule of [NearestIndex].
func OpenCVNearest(dst []int32, in, out, from, to int) []int32 {
	dst = grow(dst, to-from)
	for i := range dst {
		dst[i] = int32(NearestIndex(in, out, from+i))
	}
	return dst
}

// PillowNearest is Pillow's rule: the middle of each position, by a sum that runs
// over all positions before it and is off by a pixel where doubles add up to just
// below a whole number (Pillow 9.4 src/libImaging/Geometry.c, ImagingScaleAffine).
func PillowNearest(dst []int32, in, out, from, to int) []int32 {
	dst = grow(dst, to-from)
	scale := float64(in) / float64(out)
	at := 0.5 * scale
	for d := range to {
		if d >= from {
			dst[d-from] = int32(min(int(at), in-1))
		}
		at += scale
	}
	return dst
}

// Set makes t the taps of positions from to to of a width scaled from in to out by
// a rule, mirrored where flip is set.
func (t *NearestTaps) Set(rule NearestRule, in, out, from, to int, flip bool) {
	n := to - from
	t.index = rule(t.index, in, out, from, to)
	if flip {
		slices.Reverse(t.index)
	}
	groups := n / 16
	t.span, t.reach, t.start = 0, 0, grow(t.start, groups)
	for g := range t.start {
		first, last := t.index[16*g], t.index[16*g+15]
		t.start[g] = min(first, last)
		t.span = max(t.span, int(max(first, last)-min(first, last))/16+1)
	}
	if t.span > maxSpan {
		t.span = 0
		return
	}
	t.masks = grow(t.masks, groups*t.span*16)
	for g, start := range t.start {
		t.reach = max(t.reach, int(start)+16*t.span)
		masks := t.masks[g*t.span*16:][:t.span*16]
		for i := range masks {
			masks[i] = 0x80
		}
		for i, at := range t.index[16*g:][:16] {
			d := at - start
			masks[d/16*16+int32(i)] = byte(d % 16)
		}
	}
}

// NearestRow picks a row's pixels of the given channels. src may go on beyond
// the row.
func NearestRow(dst, src []byte, t *NearestTaps, channels int) {
	from := 0
	if channels == 1 {
		from = nearestRowFast(dst, src, t)
	}
	nearestRowPlain(dst, src, t, channels, from)
}

func nearestRowPlain(dst, src []byte, t *NearestTaps, channels, from int) {
	if channels == 1 {
		dst = dst[:len(t.index)]
		for x := from; x < len(t.index); x++ {
			dst[x] = src[t.index[x]]
		}
		return
	}
	for x := from; x < len(t.index); x++ {
		copy(dst[x*channels:(x+1)*channels], src[int(t.index[x])*channels:])
	}
}
