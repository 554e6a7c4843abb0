package crops

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// BenchmarkPair cuts pairs of the published options from a frame of
// Cityscapes' size, drawing a geometry and an appearance each time.
func BenchmarkPair(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	in := pipeline.Sample{Image: raster.New(1024, 2048, 3), Label: raster.New(1024, 2048, 1)}
	for i := range in.Image.Pix() {
		in.Image.Pix()[i] = byte(i/7 + i%3*40 + rng.IntN(24))
	}
	for i := range in.Label.Pix() {
		in.Label.Pix()[i] = byte((i/2048/50*7 + i%2048/70) % 19)
	}
	s, err := New(Default(), 1, 0)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("own memory", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			in.ID = fmt.Sprint(i % 256)
			s.Pair(in)
		}
	})
	b.Run("given memory", func(b *testing.B) {
		p := newPair(720, true)
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			in.ID = fmt.Sprint(i % 256)
			if err := s.PairInto(in, &p); err != nil {
				b.Fatal(err)
			}
		}
	})
}
