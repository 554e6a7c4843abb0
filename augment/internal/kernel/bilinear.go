package kernel

import "math"

// bilinearBits are the fractional bits of OpenCV's 8-bit bilinear weights
// (OpenCV 4.6 modules/imgproc/src/resize.cpp, INTER_RESIZE_COEF_BITS).
const bilinearBits = 11

// BilinearTap is the first source index of position d along an axis scaled
// from in to out, and the weights of it and the next one, in 1/2048. Across
// the width OpenCV resets the weights at the borders, along the height it
// clamps the indices, which may be -1 and in-1.
func BilinearTap(in, out, d int, across bool) (at int, w0, w1 int32) {
	scale := float64(in) / float64(out)
	f := float32(float64((float64(d)+0.5)*scale) - 0.5)
	at = int(math.Floor(float64(f)))
	f -= float32(at)
	if across && at < 0 {
		at, f = 0, 0
	}
	if across && at >= in-1 {
		at, f = in-1, 0
	}
	fixed := func(f float32) int32 { return int32(math.RoundToEven(float64(f))) }
	return at, fixed((1 - f) * (1 << bilinearBits)), fixed(f * (1 << bilinearBits))
}

// BilinearTaps are the positions of a row's horizontal interpolation.
type BilinearTaps struct {
	channels int
	n        int      // positions; the tables go on to a multiple of 4
	at       []int32  // byte offset of the left pixel
	weights  []uint32 // left weight in the low, right weight in the high half
	reach    int      // bytes of the source row that the assembly reads
}

// Set makes t the taps of positions from to to of a width scaled from in to
// out, mirrored where flip is set.
func (t *BilinearTaps) Set(in, out, from, to, channels int, flip bool) {
	t.channels, t.n, t.reach = channels, to-from, 0
	padded := (t.n + 3) &^ 3
	t.at, t.weights = grow(t.at, padded), grow(t.weights, padded)
	for i := range padded {
		d := min(from+i, to-1)
		if flip {
			d = max(to-1-i, from)
		}
		at, w0, w1 := BilinearTap(in, out, d, true)
		t.at[i], t.weights[i] = int32(at*channels), uint32(w0)|uint32(w1)<<16
		t.reach = max(t.reach, at*channels+8)
	}
}

// BilinearRow interpolates a source row horizontally into dst, scaled by 2^7:
// OpenCV's 2^11 less the 4 bits it drops first thing in the vertical pass. src
// may go on beyond the row; dst has Slack.
func BilinearRow(dst []int16, src []byte, t *BilinearTaps) {
	bilinearRowPlain(dst, src, t, bilinearRowFast(dst, src, t))
}

func bilinearRowPlain(dst []int16, src []byte, t *BilinearTaps, from int) {
	c := t.channels
	for i := from; i < t.n; i++ {
		w0, w1 := int32(t.weights[i]&0xffff), int32(t.weights[i]>>16)
		at := int(t.at[i])
		next := at + c
		if w1 == 0 { // the right pixel may lie outside
			next = at
		}
		if c == 3 {
			a, b, d := src[at:at+3:at+3], src[next:next+3:next+3], dst[3*i:3*i+3:3*i+3]
			d[0] = int16((int32(a[0])*w0 + int32(b[0])*w1) >> 4)
			d[1] = int16((int32(a[1])*w0 + int32(b[1])*w1) >> 4)
			d[2] = int16((int32(a[2])*w0 + int32(b[2])*w1) >> 4)
			continue
		}
		for k := range c {
			dst[i*c+k] = int16((int32(src[at+k])*w0 + int32(src[next+k])*w1) >> 4)
		}
	}
}

// BilinearBlend interpolates two rows of [BilinearRow] vertically, with the
// roundings of OpenCV's.
func BilinearBlend(dst []byte, upper, lower []int16, w0, w1 int32) {
	bilinearBlendPlain(dst, upper, lower, w0, w1, bilinearBlendFast(dst, upper, lower, w0, w1))
}

func bilinearBlendPlain(dst []byte, upper, lower []int16, w0, w1 int32, from int) {
	upper, lower = upper[:len(dst)], lower[:len(dst)]
	for i := from; i < len(dst); i++ {
		dst[i] = byte(((w0*int32(upper[i]))>>16 + (w1*int32(lower[i]))>>16 + 2) >> 2)
	}
}
