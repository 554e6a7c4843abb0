package jpeg

// An upsampling is how a component's samples become as many as there are pixels: as
// libjpeg-turbo does by default. Where a direction has half the samples, a pixel is 3/4
// of the sample that it is in and 1/4 of the next nearest one.
type upsampling uint8

const (
	upNone upsampling = iota
	upH2              // half the columns
	upV2              // half the rows
	upH2V2            // both
	upBox             // any other: samples are repeated
)

func chooseUpsampling(hx, vx, width int) upsampling {
	switch {
	case hx == 1 && vx == 1:
		return upNone
	case hx == 1 && vx == 2:
		return upV2
	case hx == 2 && vx == 1 && width > 2:
		return upH2
	case hx == 2 && vx == 2 && width > 2:
		return upH2V2
	}
	return upBox
}

// context reports whether the rows above and below are needed.
func (u upsampling) context() bool { return u == upV2 || u == upH2V2 }

// wide reports whether the columns left and right are needed.
func (u upsampling) wide() bool { return u == upH2 || u == upH2V2 }

// upsampled is the component's row y of width pixels, in line where it is not in the
// plane. What follows them may hold anything, and there is some.
func (c *component) upsampled(y, width int, line []byte) []byte {
	near := c.row(y / c.vx)
	far := near
	if c.up.context() {
		far = c.row(y/2 - 1 + 2*(y&1))
	}
	switch c.up {
	case upNone:
		return near[1:]
	case upH2:
		upsampleH2(line, near, c.width)
	case upV2:
		upsampleV2(line, near[1:], far[1:], c.width, 1+y&1)
	case upH2V2:
		upsampleH2V2(line, near, far, c.width)
	case upBox:
		for x := range width {
			line[x] = near[1+x/c.hx]
		}
	}
	return line
}

// upsampleH2Plain makes 2*n pixels of n samples, of which src has one before and one
// after.
func upsampleH2Plain(dst, src []byte, n int) {
	dst, src = dst[:2*n], src[:n+2]
	for i := range n {
		v := 3 * uint(src[i+1])
		dst[2*i] = byte((v + uint(src[i]) + 1) >> 2)
		dst[2*i+1] = byte((v + uint(src[i+2]) + 2) >> 2)
	}
}

// upsampleV2Plain makes n pixels between two rows.
func upsampleV2Plain(dst, near, far []byte, n, bias int) {
	dst, near, far = dst[:n], near[:n], far[:n]
	for i := range dst {
		dst[i] = byte((3*uint(near[i]) + uint(far[i]) + uint(bias)) >> 2)
	}
}

// upsampleH2V2Plain makes 2*n pixels of n samples, of which both rows have one before
// and one after.
func upsampleH2V2Plain(dst, near, far []byte, n int) {
	dst, near, far = dst[:2*n], near[:n+2], far[:n+2]
	left := 3*uint(near[0]) + uint(far[0])
	here := 3*uint(near[1]) + uint(far[1])
	for i := range n {
		right := 3*uint(near[i+2]) + uint(far[i+2])
		dst[2*i] = byte((3*here + left + 8) >> 4)
		dst[2*i+1] = byte((3*here + right + 7) >> 4)
		left, here = here, right
	}
}
