package pipelinetest

import (
	"fmt"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// Samples is a stream of batches of rows samples of h×w pixels, noise that is the
// same each time, labeled with the classes a, b and c.
func Samples(batches, rows, h, w int, labeled bool) pipeline.Stream {
	header := pipeline.Header{Kind: pipeline.KindSample, Classes: []string{"a", "b", "c"}, Datasets: []string{"noise"}, Labeled: labeled, Size: raster.Size{Height: h, Width: w}}
	return pipeline.Stream{Header: header, Batches: func(yield func(*pipeline.Batch, error) bool) {
		for n := range batches {
			out := pipeline.NewBuilder(header)
			for i := range rows {
				if err := out.AppendSample(noise(fmt.Sprintf("noise/train/%04d", n*rows+i), h, w, labeled)); err != nil {
					yield(nil, err)
					return
				}
			}
			b, err := out.Batch()
			if !yield(b, err) || err != nil {
				return
			}
		}
	}}
}

func noise(id string, h, w int, labeled bool) pipeline.Sample {
	rng := pipeline.NewKey(0, 0, "noise", id).Rand()
	s := pipeline.Sample{ID: id, Dataset: "noise", Split: "train", Image: raster.New(h, w, 3)}
	for i := range s.Image.Pix() {
		s.Image.Pix()[i] = byte(rng.IntN(256))
	}
	if labeled {
		s.Label = raster.New(h, w, 1)
		for i := range s.Label.Pix() {
			s.Label.Pix()[i] = byte(i % 3)
		}
	}
	return s
}
