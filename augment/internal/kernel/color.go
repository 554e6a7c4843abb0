package kernel

// steepest bounds the factors for which a float32 result fits an int32, so
// that the assembly may convert before it clamps.
const steepest = 1 << 20

// Mix blends every byte with a degenerate value (Pillow 9.4
// src/libImaging/Blend.c): degenerate + factor*(v-degenerate), clamped.
func Mix(pix []byte, degenerate byte, factor float32) {
	from := 0
	if factor <= steepest && factor >= -steepest {
		from = mixFast(pix, degenerate, factor)
	}
	mixPlain(pix[from:], degenerate, factor)
}

func mixPlain(pix []byte, degenerate byte, factor float32) {
	if len(pix) < 256 {
		for i, v := range pix {
			pix[i] = mixByte(degenerate, v, factor)
		}
		return
	}
	var table [256]byte
	for i := range table {
		table[i] = mixByte(degenerate, byte(i), factor)
	}
	for i, v := range pix {
		pix[i] = table[v]
	}
}

func mixByte(degenerate, original byte, factor float32) byte {
	v := float32(degenerate) + float32(factor*(float32(original)-float32(degenerate)))
	switch {
	case v <= 0:
		return 0
	case v >= 255:
		return 255
	}
	return byte(v)
}

// Saturate blends every pixel of an RGB run with its luma.
func Saturate(pix []byte, factor float32) {
	from := 0
	if factor <= steepest && factor >= -steepest {
		from = saturateFast(pix, factor)
	}
	saturatePlain(pix[from:], factor)
}

func saturatePlain(pix []byte, factor float32) {
	for i := 0; i+2 < len(pix); i += 3 {
		p := pix[i : i+3 : i+3]
		l := luma(p[0], p[1], p[2])
		p[0], p[1], p[2] = mixByte(l, p[0], factor), mixByte(l, p[1], factor), mixByte(l, p[2], factor)
	}
}

// luma is Pillow's conversion to "L": ITU-R 601-2 in 16-bit fixed point
// (src/libImaging/Convert.c, L24).
func luma(r, g, b byte) byte {
	return byte((uint32(r)*19595 + uint32(g)*38470 + uint32(b)*7471 + 0x8000) >> 16)
}

// Gray replaces the pixels of an RGB run by their luma.
func Gray(pix []byte) { grayPlain(pix[grayFast(pix):]) }

func grayPlain(pix []byte) {
	for i := 0; i+2 < len(pix); i += 3 {
		l := luma(pix[i], pix[i+1], pix[i+2])
		pix[i], pix[i+1], pix[i+2] = l, l, l
	}
}

// LumaSum is the sum of an RGB run's lumas.
func LumaSum(pix []byte) int {
	sum, from := lumaSumFast(pix)
	return sum + lumaSumPlain(pix[from:])
}

func lumaSumPlain(pix []byte) int {
	sum := 0
	for i := 0; i+2 < len(pix); i += 3 {
		sum += int(luma(pix[i], pix[i+1], pix[i+2]))
	}
	return sum
}

// Hue adds shift/255 turns to the hue of an RGB run, through Pillow's 8-bit HSV
// (src/libImaging/Convert.c, rgb2hsv_row and hsv2rgb).
func Hue(pix []byte, shift byte) { huePlain(pix[hueFast(pix, shift):], shift) }

// huePlain gives Pillow's bytes with fewer and shorter operations than
// Pillow's: what it computes in doubles is correctly rounded float32 here, and
// divisions by 85 and 255 are products. The tests compare every color.
func huePlain(pix []byte, shift byte) {
	for i := 0; i+2 < len(pix); i += 3 {
		p := pix[i : i+3 : i+3]
		r, g, b := int32(p[0]), int32(p[1]), int32(p[2])
		high, low := max(r, g, b), min(r, g, b)
		if high == low {
			continue // gray has no hue
		}
		// The hue in sixths: of the three quotients (high-c)/spread one is 0
		// and one is 1.
		spread := float32(high - low)
		m := float32(high-(r+g+b-high-low)) / spread
		var hue float32
		switch {
		case high == r && g == low:
			hue = m - 1
		case high == r:
			hue = 1 - m
		case high == g && r == low:
			hue = 3 - m
		case high == g:
			hue = 1 + m
		case r == low:
			hue = 3 + m
		default:
			hue = 5 - m
		}
		turn := hue / 6
		if turn < 0 {
			turn++
		}
		h := (uint32(float32(turn*255)) + uint32(shift)) & 255
		s := float32(int32(float32(spread / float32(high) * 255)))
		// h is sixth + part/85 sixths of the circle.
		sixth, part := 2*h/85, 2*h%85
		if sixth%2 == 0 {
			part = 85 - part
		}
		v, fs := float32(high), s*(1.0/255)
		slope := byte(v - float32(v*float32(fs*(float32(part)*(1.0/85)))) + 0.5)
		floor := byte(v - float32(v*fs) + 0.5)
		switch value := byte(high); sixth {
		case 1:
			p[0], p[1], p[2] = slope, value, floor
		case 2:
			p[0], p[1], p[2] = floor, value, slope
		case 3:
			p[0], p[1], p[2] = floor, slope, value
		case 4:
			p[0], p[1], p[2] = slope, floor, value
		case 5:
			p[0], p[1], p[2] = value, floor, slope
		default: // 0, and 6 for the last of the circle
			p[0], p[1], p[2] = value, slope, floor
		}
	}
}
