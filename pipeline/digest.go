package pipeline

import (
	"encoding/binary"
	"math"

	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/zeebo/xxh3"
)

// hasher feeds a row's fields to xxh3-64, each with its length, in the order
// of the columns.
type hasher struct {
	h       *xxh3.Hasher
	scratch [8]byte
}

func newHasher() hasher { return hasher{h: xxh3.New()} }

func (h *hasher) number(v uint64) {
	binary.LittleEndian.PutUint64(h.scratch[:], v)
	h.h.Write(h.scratch[:])
}

func (h *hasher) bytes(b []byte) {
	h.number(uint64(len(b)))
	h.h.Write(b)
}

func (h *hasher) text(s string) {
	h.number(uint64(len(s)))
	h.h.WriteString(s)
}

func (h *hasher) raster(r raster.Raster) {
	h.number(uint64(r.Height()))
	h.number(uint64(r.Width()))
	h.bytes(r.Pix())
}

func (h *hasher) flag(b bool) {
	if b {
		h.number(1)
	} else {
		h.number(0)
	}
}

// Digest is the xxh3-64 of the row's pixels and fields, which streams carry in
// their digest column; with the confidence where the stream is pseudo-labeled.
func (s *Sample) Digest(pseudo bool) uint64 {
	h := newHasher()
	s.hash(&h)
	if pseudo {
		h.number(uint64(math.Float32bits(s.Confidence)))
	}
	return h.h.Sum64()
}

func (s *Sample) hash(h *hasher) {
	h.text(s.ID)
	h.text(s.Dataset)
	h.text(s.Split)
	h.raster(s.Image)
	h.raster(s.Label)
}

// Digest is the xxh3-64 of the row's pixels and fields, which streams carry in
// their digest column.
func (m *Mix) Digest() uint64 {
	h := newHasher()
	m.Sample.hash(&h)
	h.text(m.TargetID)
	h.raster(m.Mask)
	h.bytes(trainIDs(m.Classes))
	h.number(uint64(math.Float32bits(m.Weight)))
	return h.h.Sum64()
}

// Digest is the xxh3-64 of the row's pixels and fields, which streams carry in
// their digest column.
func (p *Pair) Digest() uint64 {
	h := newHasher()
	h.text(p.ID)
	for _, c := range []*Crop{&p.A, &p.B} {
		h.raster(c.Image)
		h.raster(c.Label)
		for _, v := range []int{c.Overlap.Y0, c.Overlap.X0, c.Overlap.Y1, c.Overlap.X1, c.Origin[0], c.Origin[1]} {
			h.number(uint64(v))
		}
		h.flag(c.Flip)
	}
	h.number(uint64(math.Float32bits(p.Scale)))
	return h.h.Sum64()
}
