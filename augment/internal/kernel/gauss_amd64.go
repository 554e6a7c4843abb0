//go:build !purego

package kernel

//go:noescape
func widenAVX2(dst *float32, src *byte, unit float32, blocks int)

//go:noescape
func narrowAVX2(dst *byte, src *float32, blocks int)

//go:noescape
func weighAVX2(dst, base *float32, offsets *int, weights *float32, taps, blocks int, sum, scale, unit float32)

func widenFast(dst []float32, src []byte, unit float32) int {
	blocks := len(src) / 8
	if !fast || blocks == 0 {
		return 0
	}
	dst = dst[:len(src)]
	widenAVX2(&dst[0], &src[0], unit, blocks)
	return 8 * blocks
}

func narrowFast(dst []byte, src []float32) int {
	blocks := len(dst) / 32
	if !fast || blocks == 0 {
		return 0
	}
	src = src[:len(dst)]
	narrowAVX2(&dst[0], &src[0], blocks)
	return 32 * blocks
}

func weighFast(dst, base []float32, offsets []int, w Weighing) int {
	n := len(dst)
	if !fast || n < 32 || len(w.Weights) == 0 {
		return 0
	}
	for _, at := range offsets[:len(w.Weights)] {
		_ = base[at:][:n]
	}
	weighAVX2(&dst[0], &base[0], &offsets[0], &w.Weights[0], len(w.Weights), n/32, w.Sum, w.Scale, w.Unit)
	if n%32 > 0 { // the last block begins before the others' end
		weighAVX2(&dst[n-32], &base[n-32], &offsets[0], &w.Weights[0], len(w.Weights), 1, w.Sum, w.Scale, w.Unit)
	}
	return n
}
