package augment

import (
	"math"

	"github.com/pipa-uda/pipa/pipeline/raster"
)

// mixByte is Pillow's blend of a degenerate value and an original one
// (src/libImaging/Blend.c).
func mixByte(degenerate, original byte, factor float32) byte {
	v := float32(degenerate) + factor*(float32(original)-float32(degenerate))
	switch {
	case v <= 0:
		return 0
	case v >= 255:
		return 255
	}
	return byte(v)
}

// mixTable is mixByte for every original value.
func mixTable(degenerate byte, factor float64) (t [256]byte) {
	for i := range t {
		t[i] = mixByte(degenerate, byte(i), float32(factor))
	}
	return t
}

// referenceBrightness scales the image towards or away from black.
func referenceBrightness(image raster.Raster, factor float64) {
	t := mixTable(0, factor)
	for i, v := range image.Pix() {
		image.Pix()[i] = t[v]
	}
}

// referenceContrast scales the image towards or away from its mean gray.
func referenceContrast(image raster.Raster, factor float64) {
	pix := image.Pix()
	sum := 0
	for i := 0; i < len(pix); i += 3 {
		sum += int(luma(pix[i], pix[i+1], pix[i+2]))
	}
	mean := byte(float64(sum)/float64(len(pix)/3) + 0.5)
	t := mixTable(mean, factor)
	for i, v := range pix {
		pix[i] = t[v]
	}
}

// referenceSaturation scales the image towards or away from gray.
func referenceSaturation(image raster.Raster, factor float64) {
	pix := image.Pix()
	f := float32(factor)
	for i := 0; i+2 < len(pix); i += 3 {
		p := pix[i : i+3 : i+3]
		l := luma(p[0], p[1], p[2])
		p[0], p[1], p[2] = mixByte(l, p[0], f), mixByte(l, p[1], f), mixByte(l, p[2], f)
	}
}

// luma is Pillow's conversion to "L": ITU-R 601-2 in 16-bit fixed point.
func luma(r, g, b byte) byte {
	return byte((uint32(r)*19595 + uint32(g)*38470 + uint32(b)*7471 + 0x8000) >> 16)
}

// referenceGray replaces the image by its luma.
func referenceGray(image raster.Raster) {
	pix := image.Pix()
	for i := 0; i+2 < len(pix); i += 3 {
		l := luma(pix[i], pix[i+1], pix[i+2])
		pix[i], pix[i+1], pix[i+2] = l, l, l
	}
}

// referenceHue shifts the hue by turns, through Pillow's 8-bit HSV.
func referenceHue(image raster.Raster, turns float64) {
	shift := byte(int(turns * 255)) // wraps, as numpy's uint8 does
	pix := image.Pix()
	for i := 0; i+2 < len(pix); i += 3 {
		p := pix[i : i+3 : i+3]
		h, s, v := toHSV(p[0], p[1], p[2])
		p[0], p[1], p[2] = fromHSV(h+shift, s, v)
	}
}

// toHSV is Pillow's rgb2hsv_row (src/libImaging/Convert.c), rounding for
// rounding.
func toHSV(r, g, b byte) (h, s, v byte) {
	high, low := max(r, g, b), min(r, g, b)
	if high == low {
		return 0, 0, high
	}
	spread := float32(high - low)
	saturation := spread / float32(high)
	rc, gc, bc := float32(high-r)/spread, float32(high-g)/spread, float32(high-b)/spread
	var hue float32
	switch high {
	case r:
		hue = bc - gc
	case g:
		hue = float32(2 + float64(rc) - float64(bc))
	default:
		hue = float32(4 + float64(gc) - float64(rc))
	}
	turn := float64(hue)/6 + 1
	hue = float32(turn - math.Trunc(turn))
	return clip8(int32(float64(hue) * 255)), clip8(int32(float64(saturation) * 255)), high
}

// fromHSV is Pillow's hsv2rgb.
func fromHSV(h, s, v byte) (r, g, b byte) {
	if s == 0 {
		return v, v, v
	}
	sixth := float64(h) * 6 / 255
	i := int(sixth)
	f := float32(sixth - float64(float32(i)))
	fs := float32(float64(s) / 255)
	round := func(x float64) byte { return clip8(int32(math.Round(x))) }
	p := round(float64(v) * (1 - float64(fs)))
	q := round(float64(v) * (1 - float64(fs*f)))
	t := round(float64(v) * (1 - float64(fs)*(1-float64(f))))
	switch i % 6 {
	case 0:
		return v, t, p
	case 1:
		return q, v, p
	case 2:
		return p, v, t
	case 3:
		return p, q, v
	case 4:
		return t, p, v
	}
	return v, p, q
}

// referenceBlur5 is OpenCV's GaussianBlur with a 5×5 weighted and no sigma, the binomial
// 1 4 6 4 1, borders mirrored without repeating them.
func referenceBlur5(image raster.Raster) raster.Raster {
	h, w, c := image.Height(), image.Width(), image.Channels()
	out := raster.New(h, w, c)
	mirror := func(i, n int) int {
		if n == 1 {
			return 0
		}
		for i < 0 || i >= n {
			if i < 0 {
				i = -i
			} else {
				i = 2*(n-1) - i
			}
		}
		return i
	}
	sums := make([]uint16, (w+4)*c) // a column-summed row with two mirrored pixels at either end
	inner := sums[2*c : (w+2)*c]
	for y := range h {
		r0, r1, r2, r3, r4 := image.Row(mirror(y-2, h)), image.Row(mirror(y-1, h)), image.Row(y), image.Row(mirror(y+1, h)), image.Row(mirror(y+2, h))
		for x := range inner {
			inner[x] = uint16(r0[x]) + uint16(r4[x]) + 4*(uint16(r1[x])+uint16(r3[x])) + 6*uint16(r2[x])
		}
		for i := 1; i <= 2; i++ {
			for k := range c {
				sums[(2-i)*c+k] = inner[mirror(-i, w)*c+k]
				sums[(w+1+i)*c+k] = inner[mirror(w-1+i, w)*c+k]
			}
		}
		dst := out.Row(y)
		for x := range dst {
			s := uint32(sums[x]) + uint32(sums[x+4*c]) + 4*(uint32(sums[x+c])+uint32(sums[x+3*c])) + 6*uint32(sums[x+2*c])
			dst[x] = byte((s + 128) >> 8)
		}
	}
	return out
}

// referenceVaried reports whether a label's box has more than one class and none that
// covers maxRatio or more of the pixels that are not ignored.
func referenceVaried(label raster.Raster, box raster.Box, maxRatio float64) bool {
	var counts [256]int
	for y := box.Y0; y < box.Y1; y++ {
		for _, id := range label.Row(y)[box.X0:box.X1] {
			counts[id]++
		}
	}
	classes, most, all := 0, 0, 0
	for id, n := range counts {
		if n == 0 || raster.TrainID(id) == raster.Ignore {
			continue
		}
		classes++
		most = max(most, n)
		all += n
	}
	return classes > 1 && float64(most)/float64(all) < maxRatio
}
