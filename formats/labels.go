package formats

import (
	"encoding/binary"

	"github.com/pipa-uda/pipa/pipeline/raster"
)

// unknown marks the ids that a format does not have.
const unknown = -1

// A labelMap turns a format's ids into train IDs, or unknown. Its index is the
// id as stored.
type labelMap [256]int16

func newLabelMap(ids int, train map[int]raster.TrainID) *labelMap {
	m := &labelMap{}
	for id := range m {
		m[id] = unknown
		if id < ids {
			m[id] = int16(raster.Ignore)
		}
	}
	for id, t := range train {
		m[id] = int16(t)
	}
	return m
}

// cityscapesIDs are the ids of the 19 train IDs (cityscapesScripts,
// cityscapesscripts/helpers/labels.py).
var cityscapesIDs = [19]int{7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33}

// CityscapesID is the Cityscapes id of a train ID, as the benchmark's server
// wants it; 0 (unlabeled) for 255.
func CityscapesID(t raster.TrainID) uint8 {
	if int(t) < len(cityscapesIDs) {
		return uint8(cityscapesIDs[t])
	}
	return 0
}

// cityscapesMap is for _labelIds.png: ids 0 to 33, and 255 for the license
// plates' -1. GTA5 uses the same ids, 0 to 34 (lhoyer/DAFormer
// tools/convert_datasets/gta.py).
func cityscapesMap(ids int) *labelMap {
	train := map[int]raster.TrainID{255: raster.Ignore}
	for t, id := range cityscapesIDs {
		train[id] = raster.TrainID(t)
	}
	return newLabelMap(ids, train)
}

// trainIDMap is for _labelTrainIds.png: 0 to 18, and 255.
func trainIDMap() *labelMap {
	train := map[int]raster.TrainID{255: raster.Ignore}
	for t := range cityscapesIDs {
		train[t] = raster.TrainID(t)
	}
	return newLabelMap(0, train)
}

// synthiaMap is for SYNTHIA-RAND-CITYSCAPES, ids 0 to 22 (lhoyer/DAFormer
// tools/convert_datasets/synthia.py; the dataset's own README lists the ids).
func synthiaMap() *labelMap {
	return newLabelMap(23, map[int]raster.TrainID{
		3: 0, 4: 1, 2: 2, 21: 3, 5: 4, 7: 5, 15: 6, 9: 7, 6: 8, 16: 9, 1: 10, 10: 11, 17: 12, 8: 13, 18: 14, 19: 15, 20: 16, 12: 17, 11: 18,
	})
}

// apply maps ids in place. It returns the first pixel with an unknown id, which
// it leaves as it was, or -1.
func (m *labelMap) apply(pix []byte) (bad int) {
	const none = 0x100
	var table [256]uint16
	for id, t := range m {
		table[id] = uint16(uint8(t))
		if t == unknown {
			table[id] = none
		}
	}
	// Labels are made of runs: eight ids that are those before need no table.
	whole := len(pix) &^ 7
	var last, mapped uint64
	for i := 0; i < whole; i += 8 {
		ids := binary.LittleEndian.Uint64(pix[i:])
		if ids != last || i == 0 {
			last, mapped = ids, 0
			for k := range 8 {
				t := table[uint8(ids>>(8*k))]
				if t == none {
					return i + k
				}
				mapped |= uint64(t) << (8 * k)
			}
		}
		binary.LittleEndian.PutUint64(pix[i:], mapped)
	}
	for i, id := range pix[whole:] {
		t := table[id]
		if t == none {
			return whole + i
		}
		pix[whole+i] = uint8(t)
	}
	return -1
}
