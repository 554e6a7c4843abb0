package png

// The five filters of ISO/IEC 15948, 9.2, by their values in the file.
const (
	filterNone    = 0
	filterSub     = 1
	filterUp      = 2
	filterAverage = 3
	filterPaeth   = 4
)

// unfilterRows undoes the filters of n scanlines. src holds them with their
// filter bytes, 1+size bytes each; dst gets n*size bytes. prev is the
// unfiltered row above, size bytes (zeros above the first), and unit the
// distance to the pixel on the left, bytes. dst may not overlap src.
//
// The result is -1, or the first row whose filter byte is not a filter; rows
// before it are done.
func unfilterRows(dst, src, prev []byte, n, size, unit int) int {
	for y := 0; y < n; {
		line, row := src[y*(size+1):(y+1)*(size+1)], dst[y*size:(y+1)*size]
		if (line[0] == filterSub || line[0] == filterPaeth) && isSparse(line[1:]) {
			unfilterSparse(line[0], row, line[1:], prev, unit)
			prev = row
			y++
			continue
		}
		if k := unfilterFast(dst[y*size:n*size], src[y*(size+1):], prev, n-y, size, unit); k > 0 {
			y += k
			prev = dst[(y-1)*size : y*size]
			continue
		}
		if line[0] > filterPaeth {
			return y
		}
		unfilterRow(line[0], row, line[1:], prev, unit)
		prev = row
		y++
	}
	return -1
}

// unfilterRow undoes one filter: row = src plus its prediction from row and
// prev. All three have the same length.
func unfilterRow(filter byte, row, src, prev []byte, unit int) {
	unfilterSpan(filter, row, src, prev, unit, 0, len(row))
}

// unfilterSpan undoes the filter for bytes from <= i < to of a row, of which
// those before from are done. It is the reference that assembly is held to.
func unfilterSpan(filter byte, row, src, prev []byte, unit, from, to int) {
	if from >= to {
		return
	}
	row, src, prev = row[:to], src[:to], prev[:to]
	first := max(from, min(unit, to)) // bytes before it have nothing on the left
	switch filter {
	case filterNone:
		copy(row[from:], src[from:])
	case filterSub:
		copy(row[from:first], src[from:first])
		for i := first; i < len(row); i++ {
			row[i] = src[i] + row[i-unit]
		}
	case filterUp:
		for i := from; i < len(row); i++ {
			row[i] = src[i] + prev[i]
		}
	case filterAverage:
		for i := from; i < first; i++ {
			row[i] = src[i] + prev[i]/2
		}
		for i := first; i < len(row); i++ {
			row[i] = src[i] + byte((int(row[i-unit])+int(prev[i]))/2)
		}
	case filterPaeth:
		for i := from; i < first; i++ {
			row[i] = src[i] + prev[i] // Paeth(0, b, 0) is b
		}
		if first < len(row) {
			paethSpan(row, src, prev, unit, first)
		}
	}
}

// paethSpan undoes the Paeth filter from byte i, which has a pixel on its
// left, to the end. For pixels of three bytes it keeps what the next
// prediction needs in registers.
func paethSpan(row, src, prev []byte, unit, i int) {
	if unit == 3 {
		a0, a1, a2 := row[i-3], row[i-2], row[i-1]
		c0, c1, c2 := prev[i-3], prev[i-2], prev[i-1]
		for ; i+3 <= len(row); i += 3 {
			to, x, b := row[i:i+3], src[i:i+3], prev[i:i+3]
			b0, b1, b2 := b[0], b[1], b[2]
			a0 = x[0] + paeth(a0, b0, c0)
			a1 = x[1] + paeth(a1, b1, c1)
			a2 = x[2] + paeth(a2, b2, c2)
			to[0], to[1], to[2] = a0, a1, a2
			c0, c1, c2 = b0, b1, b2
		}
	}
	for ; i < len(row); i++ {
		row[i] = src[i] + paeth(row[i-unit], prev[i], prev[i-unit])
	}
}

// paeth is the predictor of ISO/IEC 15948, 9.4, for a on the left, b above
// and c above on the left, in the branch-free form that Fabian Giesen gave
// stb_image: the nearest of the three to a+b-c is the smaller of a and b when
// 3c-a-b is at least the larger, the larger when it is at most the smaller, and
// c between.
func paeth(a, b, c byte) byte {
	x, y, z := int32(a), int32(b), int32(c)
	less := (x - y) & ((x - y) >> 31) // x-y where that is negative
	lo, hi := y+less, x-less
	t := 3*z - x - y
	p := lo + (z-lo)&((t-hi)>>31)         // lo unless t < hi
	return byte(hi + (p-hi)&((lo-t)>>31)) // hi unless lo < t
}
