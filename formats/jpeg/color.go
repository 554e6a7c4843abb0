package jpeg

// colors is what the components of an image are.
type colors uint8

const (
	gray colors = iota
	ycc
	rgb
	cmyk
	ycck
)

// chooseColors follows libjpeg: Adobe's marker says it, else JFIF's, else the
// components' ids.
func chooseColors(f *frame, t *tables) (colors, error) {
	switch f.Components {
	case 1:
		return gray, nil
	case 4:
		if t.adobe && t.transform != 0 {
			return ycck, nil
		}
		return cmyk, nil
	}
	ids := [3]byte{f.components[0].id, f.components[1].id, f.components[2].id}
	switch {
	case t.jfif:
		return ycc, nil
	case t.adobe && t.transform == 0, !t.adobe && ids == [3]byte{'R', 'G', 'B'}:
		return rgb, nil
	}
	return ycc, nil
}

// convert makes a row of RGB of the components' rows.
func (c colors) convert(dst []byte, rows *[4][]byte) {
	n := len(dst) / 3
	switch c {
	case gray:
		for x, v := range rows[0][:n] {
			dst[3*x], dst[3*x+1], dst[3*x+2] = v, v, v
		}
	case ycc:
		yccToRGB(dst, rows[0], rows[1], rows[2])
	case rgb:
		r, g, b := rows[0][:n], rows[1][:n], rows[2][:n]
		for x := range n {
			dst[3*x], dst[3*x+1], dst[3*x+2] = r[x], g[x], b[x]
		}
	case ycck:
		yccToRGB(dst, rows[0], rows[1], rows[2])
		for x, k := range rows[3][:n] {
			p := dst[3*x : 3*x+3]
			p[0], p[1], p[2] = inked(255-p[0], k), inked(255-p[1], k), inked(255-p[2], k)
		}
	case cmyk:
		for x, k := range rows[3][:n] {
			p := dst[3*x : 3*x+3]
			p[0], p[1], p[2] = inked(rows[0][x], k), inked(rows[1][x], k), inked(rows[2][x], k)
		}
	}
}

// inked is what a color's ink and black leave of white, both stored inverted as
// Photoshop does, rounded as Pillow rounds.
func inked(ink, black byte) byte {
	t := uint(255-ink)*uint(black) + 128
	return black - byte((t>>8+t)>>8)
}

// Of JFIF's conversion, in 1/65536: R = Y + 1.402 Cr, G = Y - 0.34414 Cb - 0.71414 Cr,
// B = Y + 1.772 Cb.
const (
	redOfCr   = 91881
	greenOfCb = 22554
	greenOfCr = 46802
	blueOfCb  = 116130
	colorHalf = 1 << 15
)

// yccToRGBPlain converts len(dst)/3 pixels.
func yccToRGBPlain(dst, y, cb, cr []byte) {
	n := len(dst) / 3
	y, cb, cr = y[:n], cb[:n], cr[:n]
	for x := range n {
		p := dst[3*x : 3*x+3 : 3*x+3]
		l, b, r := int32(y[x]), int32(cb[x])-128, int32(cr[x])-128
		p[0] = clamp(l + (redOfCr*r+colorHalf)>>16)
		p[1] = clamp(l + (colorHalf-greenOfCb*b-greenOfCr*r)>>16)
		p[2] = clamp(l + (blueOfCb*b+colorHalf)>>16)
	}
}

func clamp(v int32) byte { return byte(max(0, min(v, 255))) }
