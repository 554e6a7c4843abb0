package kernel

// Reverse copies src to dst with the order of its pixels turned round. They do
// not overlap.
func Reverse(dst, src []byte, channels int) {
	n := min(len(dst), len(src)) / channels * channels
	dst, src = dst[:n], src[:n]
	reversePlain(dst, src, channels, reverseFast(dst, src, channels))
}

func reversePlain(dst, src []byte, c, from int) {
	if c == 1 {
		for i := from; i < len(dst); i++ {
			dst[i] = src[len(src)-1-i]
		}
		return
	}
	for i := from * c; i < len(dst); i += c {
		copy(dst[i:i+c], src[len(src)-i-c:])
	}
}
