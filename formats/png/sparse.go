package png

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// isSparse says whether most of a filtered row is zeros, as in labels, from a
// sample of it.
func isSparse(src []byte) bool {
	const samples = 32
	if len(src) < 8*samples {
		return false
	}
	zero, step := 0, len(src)/samples
	for i := range samples {
		if binary.LittleEndian.Uint64(src[i*step:]) == 0 {
			zero++
		}
	}
	return zero > samples/2
}

// zeroRun is the number of zero bytes that p begins with.
func zeroRun(p []byte) int {
	n := 0
	for ; len(p)-n >= 8; n += 8 {
		if w := binary.LittleEndian.Uint64(p[n:]); w != 0 {
			return n + bits.TrailingZeros64(w)/8
		}
	}
	for n < len(p) && p[n] == 0 {
		n++
	}
	return n
}

// unfilterSparse is unfilterRow for the filters Sub and Paeth of a row that is
// mostly zeros. Where what was added is zero, Sub repeats the pixel on the
// left, and so does Paeth as long as the pixels above are alike; where the
// pixels on the left and above it are alike, Paeth repeats the row above:
// Paeth(a,b,b) = a and Paeth(a,b,a) = b.
func unfilterSparse(filter byte, row, src, prev []byte, unit int) {
	unfilterSpan(filter, row, src, prev, unit, 0, unit)
	zeros := 0 // src is zeros up to here
	for i := unit; i < len(row); {
		if i >= zeros && src[i] == 0 {
			zeros = i + zeroRun(src[i:])
		}
		n := (zeros - i) / unit * unit
		switch {
		case n <= 0:
			n = min(unit, len(row)-i)
			unfilterSpan(filter, row, src, prev, unit, i, i+n)
		case filter == filterSub:
			repeatPixel(row[i-unit:i+n], unit)
		case bytes.Equal(row[i-unit:i], prev[i-unit:i]):
			copy(row[i:i+n], prev[i:])
		default:
			if n = alike(prev[i-unit:i+n], unit); n > 0 {
				repeatPixel(row[i-unit:i+n], unit)
				break
			}
			n = unit
			unfilterSpan(filter, row, src, prev, unit, i, i+n)
		}
		i += n
	}
}

// alike is how many bytes of whole pixels after the first repeat it.
func alike(p []byte, unit int) int {
	n := unit
	for len(p)-n >= 8 && binary.LittleEndian.Uint64(p[n:]) == binary.LittleEndian.Uint64(p[n-unit:]) {
		n += 8
	}
	for n < len(p) && p[n] == p[n-unit] {
		n++
	}
	return n/unit*unit - unit
}

// repeatPixel repeats the first pixel of p in all of p.
func repeatPixel(p []byte, unit int) {
	for done := unit; done < len(p); done *= 2 {
		copy(p[done:], p[:done])
	}
}
