package pipelinetest

import (
	"bytes"
	"context"
	"fmt"
	"testing"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// pixels is filled from a key, so that equal arguments give equal pixels.
func pixels(id string, h, w, c int) raster.Raster {
	r := raster.New(h, w, c)
	rng := pipeline.NewKey(1, 2, "test", id).Rand()
	for i := range r.Pix() {
		r.Pix()[i] = byte(rng.IntN(19))
	}
	return r
}

// Sample is sample i of the cases, of h×w pixels.
func Sample(i, h, w int, labeled bool) pipeline.Sample {
	id := fmt.Sprintf("gta/train/%05d", i)
	s := pipeline.Sample{ID: id, Dataset: "gta", Split: "train", Image: pixels(id, h, w, 3)}
	if labeled {
		s.Label = pixels(id+"l", h, w, 1)
	}
	return s
}

// Pseudo is sample i with a predicted label.
func Pseudo(i, h, w int) pipeline.Sample {
	s := Sample(i, h, w, true)
	s.Confidence = float32(i) / 64
	return s
}

// PseudoHeader is that of samples with predicted labels.
func PseudoHeader(size raster.Size) pipeline.Header {
	h := Header(pipeline.KindSample, size, true)
	h.Pseudo = true
	return h
}

// Mix is mix i of the cases.
func Mix(i, h, w int) pipeline.Mix {
	s := Sample(i, h, w, true)
	mask := pixels(s.ID+"m", h, w, 1)
	for i := range mask.Pix() {
		mask.Pix()[i] &= 1
	}
	return pipeline.Mix{Sample: s, TargetID: fmt.Sprintf("cityscapes/train/%d", i), Mask: mask, Classes: []raster.TrainID{1, 7, 11}[:i%4%3+1], Weight: 0.25 * float32(i%5)}
}

// Pair is pair i of the cases, of crops of side×side pixels.
func Pair(i, side int, labeled bool) pipeline.Pair {
	id := fmt.Sprintf("cityscapes/train/%05d", i)
	p := pipeline.Pair{ID: id, Scale: 1.25,
		A: pipeline.Crop{Image: pixels(id+"a", side, side, 3), Overlap: raster.Box{Y0: 0, X0: 0, Y1: side / 2, X1: side / 2}, Flip: i%2 == 0, Origin: [2]int{3, 4}},
		B: pipeline.Crop{Image: pixels(id+"b", side, side, 3), Overlap: raster.Box{Y0: side / 2, X0: side / 2, Y1: side, X1: side}, Flip: i%3 == 0, Origin: [2]int{7, 8}}}
	if labeled {
		p.A.Label, p.B.Label = pixels(id+"la", side, side, 1), pixels(id+"lb", side, side, 1)
	}
	return p
}

// Header is a header of 19 classes and one step of history.
func Header(kind pipeline.Kind, size raster.Size, labeled bool) pipeline.Header {
	h := pipeline.Header{Kind: kind, Seed: 7, Classes: raster.CityscapesClasses(), Datasets: []string{"gta", "cityscapes"}, Size: size, Labeled: labeled}
	h, err := h.With("test", map[string]int{"a": 1})
	if err != nil {
		panic(err)
	}
	return h
}

// A Case is a kind of stream: its header, and what appends row i.
type Case struct {
	Name   string
	Header pipeline.Header
	Row    func(b *pipeline.Builder, i int) error
}

// Cases are small streams of every kind and column layout.
var Cases = []Case{
	{"samples of varying size", Header(pipeline.KindSample, raster.Size{}, false), func(b *pipeline.Builder, i int) error { return b.AppendSample(Sample(i, 4+i, 6, i%2 == 0)) }},
	{"labeled samples of varying size", Header(pipeline.KindSample, raster.Size{}, true), func(b *pipeline.Builder, i int) error { return b.AppendSample(Sample(i, 4+i, 6, true)) }},
	{"samples of one size", Header(pipeline.KindSample, raster.Size{Height: 4, Width: 6}, true), func(b *pipeline.Builder, i int) error { return b.AppendSample(Sample(i, 4, 6, true)) }},
	{"unlabelled samples of one size", Header(pipeline.KindSample, raster.Size{Height: 4, Width: 6}, false), func(b *pipeline.Builder, i int) error { return b.AppendSample(Sample(i, 4, 6, false)) }},
	{"pseudo-labeled samples of varying size", PseudoHeader(raster.Size{}), func(b *pipeline.Builder, i int) error { return b.AppendSample(Pseudo(i, 4+i, 6)) }},
	{"pseudo-labeled samples of one size", PseudoHeader(raster.Size{Height: 4, Width: 6}), func(b *pipeline.Builder, i int) error { return b.AppendSample(Pseudo(i, 4, 6)) }},
	{"mixes of varying size", Header(pipeline.KindMix, raster.Size{}, true), func(b *pipeline.Builder, i int) error { return b.AppendMix(Mix(i, 4+i, 6)) }},
	{"mixes of one size", Header(pipeline.KindMix, raster.Size{Height: 4, Width: 6}, true), func(b *pipeline.Builder, i int) error { return b.AppendMix(Mix(i, 4, 6)) }},
	{"labeled pairs", Header(pipeline.KindPair, raster.Size{Height: 8, Width: 8}, true), func(b *pipeline.Builder, i int) error { return b.AppendPair(Pair(i, 8, true)) }},
	{"unlabelled pairs", Header(pipeline.KindPair, raster.Size{Height: 8, Width: 8}, false), func(b *pipeline.Builder, i int) error { return b.AppendPair(Pair(i, 8, false)) }},
}

// Stream is a stream of batches of rows rows.
func Stream(h pipeline.Header, row func(b *pipeline.Builder, i int) error, batches, rows int) pipeline.Stream {
	return pipeline.Stream{Header: h, Batches: func(yield func(*pipeline.Batch, error) bool) {
		for n := range batches {
			b := pipeline.NewBuilder(h)
			for i := range rows {
				if err := row(b, n*rows+i); err != nil {
					yield(nil, err)
					return
				}
			}
			if batch, err := b.Batch(); !yield(batch, err) || err != nil {
				return
			}
		}
	}}
}

// Encode is what a stream is between processes.
func Encode(t testing.TB, s pipeline.Stream) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := pipeline.Write(context.Background(), &b, s); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
