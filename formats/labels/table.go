package labels

import (
	"encoding/binary"

	"github.com/pipa-uda/pipa/pipeline/raster"
)

// unknown marks the bytes that mean nothing.
const unknown = 0x100

// A table is what every byte means, or unknown.
type table [256]uint16

// tableOf is what a function says of every byte.
func tableOf(means func(int) (raster.TrainID, bool)) *table {
	m := &table{}
	for v := range m {
		m[v] = unknown
		if t, ok := means(v); ok {
			m[v] = uint16(t)
		}
	}
	return m
}

// apply maps bytes in place. It returns the first pixel with an unknown one, which
// it leaves as it was, or -1.
func (m *table) apply(pix []byte) (bad int) {
	// Labels are made of runs: eight ids that are those before need no table.
	whole := len(pix) &^ 7
	var last, mapped uint64
	for i := 0; i < whole; i += 8 {
		ids := binary.LittleEndian.Uint64(pix[i:])
		if ids != last || i == 0 {
			last, mapped = ids, 0
			for k := range 8 {
				t := m[uint8(ids>>(8*k))]
				if t == unknown {
					return i + k
				}
				mapped |= uint64(t) << (8 * k)
			}
		}
		binary.LittleEndian.PutUint64(pix[i:], mapped)
	}
	for i, id := range pix[whole:] {
		t := m[id]
		if t == unknown {
			return whole + i
		}
		pix[whole+i] = uint8(t)
	}
	return -1
}
