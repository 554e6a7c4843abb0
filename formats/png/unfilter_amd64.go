//go:build !purego

package png

import "golang.org/x/sys/cpu"

// waveRows is how many rows the wave kernels undo at once.
const waveRows = 8

// wave is the state of rows that are unfiltered together, row k one pixel
// behind row k-1, so that what a row needs of the row above is what the step
// before made. Each row has a lane of four bytes for a pixel of 1 to 4.
type wave struct {
	left   [4 * waveRows]byte // the pixel on the left in each row
	corner [4 * waveRows]byte // the one above that
	// Where a row's filter does not use the left, upper or upper left pixel it
	// is masked to 0, which makes Paeth's predictor that of the other filters:
	// Paeth(a,0,0) = a, Paeth(0,b,0) = b, Paeth(0,0,0) = 0. Only the average
	// is worked out apart.
	useLeft, useUp, useCorner, average [4 * waveRows]byte
}

// waveMixed undoes eight rows of any filters for n steps of unit bytes. dst,
// src and prev point to the pixel of the first row where it begins, and the
// strides lead from there to the place of the next row one pixel behind. It
// stores four bytes for each pixel.
//
//go:noescape
func waveMixed(w *wave, dst *byte, dstStride int, src *byte, srcStride int, prev *byte, unit, n int)

// wavePaeth is waveMixed for rows that are all Paeth.
//
//go:noescape
func wavePaeth(w *wave, dst *byte, dstStride int, src *byte, srcStride int, prev *byte, unit, n int)

// addRow sets dst = src + prev for n bytes, a multiple of 32.
//
//go:noescape
func addRow(dst, src, prev *byte, n int)

// unfilterFast does some of the n rows that unfilterRows is given and returns
// how many; 0 when the first is none for it.
func unfilterFast(dst, src, prev []byte, n, size, unit int) int {
	if !cpu.X86.HasAVX2 {
		return 0
	}
	if n >= waveRows && unit <= 4 && size >= 16*unit && size >= 32 {
		serial, paeth := 0, 0
		for k := range waveRows {
			line := src[k*(size+1) : (k+1)*(size+1)]
			switch line[0] {
			case filterNone, filterUp:
				continue
			case filterAverage:
			case filterSub, filterPaeth:
				if serial == 0 && k > 0 && isSparse(line[1:]) {
					return unfilterUp(dst, src, prev, size) // faster one by one
				}
			default:
				return 0
			}
			serial++
			if line[0] == filterPaeth {
				paeth++
			}
		}
		if serial > 0 {
			unfilterWave(dst, src, prev, size, unit, paeth == waveRows)
			return waveRows
		}
	}
	return unfilterUp(dst, src, prev, size)
}

// unfilterUp undoes one row if its filter is Up, and returns 1 then.
func unfilterUp(dst, src, prev []byte, size int) int {
	if src[0] != filterUp {
		return 0
	}
	whole := size &^ 31
	if whole > 0 {
		addRow(&dst[0], &src[1], &prev[0], whole)
	}
	unfilterSpan(filterUp, dst[:size], src[1:1+size], prev, 1, whole, size)
	return 1
}

// unfilterWave undoes waveRows rows of size bytes.
func unfilterWave(dst, src, prev []byte, size, unit int, paeth bool) {
	var w wave
	above := prev
	for k := range waveRows {
		row, line := dst[k*size:(k+1)*size], src[k*(size+1):(k+1)*(size+1)]
		// The rows' first pixels, fewer for each, let the wave begin.
		unfilterSpan(line[0], row, line[1:], above, unit, 0, (waveRows-1-k)*unit)
		if begun := waveRows - 2 - k; begun >= 0 {
			copy(w.left[4*k:4*k+4], row[begun*unit:(begun+1)*unit])
			copy(w.corner[4*k:4*k+4], above[begun*unit:(begun+1)*unit])
		}
		if !paeth {
			w.row(k, line[0])
		}
		above = row
	}
	// Steps go as far as four bytes can be stored within the first row.
	from, end := waveRows-1, (size-4)/unit+1
	at, n := from*unit, end-from
	if paeth {
		wavePaeth(&w, &dst[at], size-unit, &src[1+at], size+1-unit, &prev[at], unit, n)
	} else {
		waveMixed(&w, &dst[at], size-unit, &src[1+at], size+1-unit, &prev[at], unit, n)
	}
	above = prev
	for k := range waveRows {
		row, line := dst[k*size:(k+1)*size], src[k*(size+1):(k+1)*(size+1)]
		unfilterSpan(line[0], row, line[1:], above, unit, (end-k)*unit, size)
		above = row
	}
}

// row sets the masks of row k for its filter.
func (w *wave) row(k int, filter byte) {
	lane := [4]byte{255, 255, 255, 255}
	switch filter {
	case filterSub:
		copy(w.useLeft[4*k:], lane[:])
	case filterUp:
		copy(w.useUp[4*k:], lane[:])
	case filterAverage:
		copy(w.average[4*k:], lane[:])
	case filterPaeth:
		copy(w.useLeft[4*k:], lane[:])
		copy(w.useUp[4*k:], lane[:])
		copy(w.useCorner[4*k:], lane[:])
	}
}
