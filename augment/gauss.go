package augment

import (
	"math"

	"github.com/pipa-uda/pipa/augment/internal/kernel"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// GaussianBlur is gift's gaussian_blur in place, to the byte: a kernel cut at
// three sigma, borders repeated, across and then down, with 16 bits between.
// A sigma of 0 changes nothing.
func GaussianBlur(image raster.Raster, sigma float64) {
	s := BorrowScratch()
	defer s.Return()
	s.GaussianBlur(image, sigma)
}

// GaussianBlur is the function of that name.
func (s *Scratch) GaussianBlur(image raster.Raster, sigma float64) {
	if sigma <= 0 {
		return
	}
	s.weights = gaussian(s.weights, float32(sigma))
	var sum float32
	for _, w := range s.weights {
		sum += w
	}
	// What gift makes of 8 and of 16 bits: fractions of 1.
	const unit8, unit16 = 1.0 / 0xff, 1.0 / 0xffff
	across := kernel.Weighing{Weights: s.weights, Sum: sum, Scale: 0xffff, Unit: unit16}
	down := kernel.Weighing{Weights: s.weights, Sum: sum, Scale: 0xff, Unit: 1}

	h, c := image.Height(), image.Channels()
	taps, size := len(s.weights), image.Width()*c
	radius := taps / 2
	edge := radius * c
	s.floats = grow(s.floats, (taps+1)*size+2*edge)
	line := s.floats[:size+2*edge] // a row with its borders repeated
	ring := s.floats[len(line):]   // taps rows that have been blurred across
	s.offsets = grow(s.offsets, taps)
	for y, next := 0, 0; y < h; y++ {
		for k := range s.offsets {
			s.offsets[k] = k * c
		}
		for ; next < h && next <= y+radius; next++ {
			kernel.Widen(line[edge:], image.Row(next), unit8)
			for i := range edge {
				line[i], line[edge+size+i] = line[edge+i%c], line[edge+size-c+i%c]
			}
			kernel.Weigh(ring[next%taps*size:][:size], line, s.offsets, across)
		}
		for k := range s.offsets {
			s.offsets[k] = min(max(y+k-radius, 0), h-1) % taps * size
		}
		// The row of fractions is free until the next one is read.
		kernel.Weigh(line[:size], ring, s.offsets, down)
		kernel.Narrow(image.Row(y), line[:size])
	}
}

// gaussian is gift's kernel of 2⌈3 sigma⌉+1 weights, into memory that is
// reused.
func gaussian(weights []float32, sigma float32) []float32 {
	at := func(x float32) float32 {
		return float32(math.Exp(-float64(x*x)/float64(2*sigma*sigma)) / (float64(sigma) * math.Sqrt(2*math.Pi)))
	}
	radius := int(math.Ceil(float64(sigma * 3)))
	weights = grow(weights, 2*radius+1)
	weights[radius] = at(0)
	sum := weights[radius]
	for i := 1; i <= radius; i++ {
		w := at(float32(i))
		weights[radius-i], weights[radius+i] = w, w
		sum += float32(2 * w)
	}
	for i := range weights {
		weights[i] /= sum
	}
	return weights
}
