package parquet

import (
	"encoding/binary"
	"math"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/zeebo/xxh3"
)

// hasher makes the digest a stream's rows have (package pipeline, digest.go):
// the xxh3-64 of every field with its length, in the order of the columns. A
// test holds the two equal.
type hasher struct{ h *xxh3.Hasher }

func (h hasher) numbers(vs ...uint64) {
	for _, v := range vs {
		h.h.Write(binary.LittleEndian.AppendUint64(nil, v))
	}
}

func (h hasher) bytes(b []byte) {
	h.numbers(uint64(len(b)))
	h.h.Write(b)
}

func (h hasher) raster(r pipeline.Raster) {
	h.numbers(uint64(r.Height()), uint64(r.Width()))
	h.bytes(r.Pix())
}

func (h hasher) sample(s *pipeline.Sample) {
	h.bytes([]byte(s.ID))
	h.bytes([]byte(s.Dataset))
	h.bytes([]byte(s.Split))
	h.raster(s.Image)
	h.raster(s.Label)
}

func sampleDigest(s *pipeline.Sample) uint64 {
	h := hasher{xxh3.New()}
	h.sample(s)
	return h.h.Sum64()
}

func mixDigest(m *pipeline.Mix) uint64 {
	h := hasher{xxh3.New()}
	h.sample(&m.Sample)
	h.bytes([]byte(m.TargetID))
	h.raster(m.Mask)
	h.bytes(m.Classes)
	h.numbers(uint64(math.Float32bits(m.Weight)))
	return h.h.Sum64()
}

func pairDigest(p *pipeline.Pair) uint64 {
	h := hasher{xxh3.New()}
	h.bytes([]byte(p.ID))
	for _, c := range []*pipeline.Crop{&p.A, &p.B} {
		h.raster(c.Image)
		h.raster(c.Label)
		o := c.Overlap
		h.numbers(uint64(o.Y0), uint64(o.X0), uint64(o.Y1), uint64(o.X1), uint64(c.Origin[0]), uint64(c.Origin[1]))
		flip := uint64(0)
		if c.Flip {
			flip = 1
		}
		h.numbers(flip)
	}
	h.numbers(uint64(math.Float32bits(p.Scale)))
	return h.h.Sum64()
}
