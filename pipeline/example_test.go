package pipeline_test

import (
	"context"
	"fmt"
	"log"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// darken is a stage of one's own: a pure function of a batch and its factor.
type darken struct {
	Factor float64 `json:"factor"`
}

func (d darken) Header(in pipeline.Header) (pipeline.Header, error) {
	if in.Kind != pipeline.KindSample {
		return in, fmt.Errorf("darken: the stream is of %s, want samples", in.Kind.Plural())
	}
	return in.With("darken", d) // the stream says how it was made
}

func (d darken) Apply(ctx context.Context, in *pipeline.Batch, out *pipeline.Builder) error {
	for i := range in.Len() {
		s, err := in.Sample(i)
		if err != nil {
			return err
		}
		s.Image = s.Image.Clone() // a row is a view into its batch, which others may read too
		for p, v := range s.Image.Pix() {
			s.Image.Pix()[p] = byte(float64(v) * d.Factor)
		}
		if err := out.AppendSample(s); err != nil {
			return err
		}
	}
	return nil
}

// white makes n white images of 4 by 4 pixels.
func white(ctx context.Context, n int) pipeline.Stream {
	h := pipeline.Header{Kind: pipeline.KindSample, Datasets: []string{"white"}, Size: raster.Size{Height: 4, Width: 4}}
	return pipeline.Generate(ctx, h, n, 2, 1, func(_ context.Context, i int) (pipeline.Sample, error) {
		s := pipeline.Sample{ID: fmt.Sprintf("white/train/%d", i), Dataset: "white", Split: "train", Image: raster.New(4, 4, 3)}
		for p := range s.Image.Pix() {
			s.Image.Pix()[p] = 255
		}
		return s, nil
	}, nil)
}

// A stage of one's own runs on a bounded pool of workers, in order.
func ExampleRun() {
	ctx := context.Background()
	dark, err := pipeline.Run(ctx, white(ctx, 3), darken{0.5}, 4)
	if err != nil {
		log.Fatal(err)
	}
	for b, err := range dark.Batches {
		if err != nil {
			log.Fatal(err)
		}
		for i := range b.Len() {
			s, err := b.Sample(i)
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println(s.ID, s.Image.Pix()[0])
		}
		b.Release()
	}
	fmt.Printf("%s %s\n", dark.Header.History[0].Stage, dark.Header.History[0].Params)
	// Output:
	// white/train/0 127
	// white/train/1 127
	// white/train/2 127
	// darken {"factor":0.5}
}

// Every draw comes from a key, so that it is the same whoever draws it.
func ExampleNewKey() {
	a := pipeline.NewKey(7, 0, "flip", "gta/train/00001").Rand()
	b := pipeline.NewKey(7, 0, "flip", "gta/train/00001").Rand()
	next := pipeline.NewKey(7, 1, "flip", "gta/train/00001").Rand() // the next epoch
	x, y, z := a.Float64(), b.Float64(), next.Float64()
	fmt.Println(x == y, x == z)
	// Output: true false
}
