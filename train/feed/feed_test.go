package feed

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/pipa-uda/pipa/loader"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

func drawn(workers int) *Drawn {
	return &Drawn{
		Name: "source", Seed: 3, Batch: 2, Workers: workers,
		Rows: &loader.Rows{
			Items: 7, Header: pipeline.Header{Kind: pipeline.KindSample, Datasets: []string{"gta"}, Size: raster.Size{Height: 2, Width: 2}},
			Append: func(_ context.Context, out *pipeline.Builder, item int, epoch uint64) error {
				return out.AppendSample(pipeline.Sample{ID: fmt.Sprintf("%d/%d", epoch, item), Dataset: "gta", Image: raster.New(2, 2, 3)})
			},
		},
	}
}

// ids are those of n iterations from iteration on.
func ids(t *testing.T, f Feed, iteration, n int) []string {
	t.Helper()
	next, stop := Pull(context.Background(), f, iteration)
	defer stop()
	var out []string
	for range n {
		b, err := next()
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b.IDs()...)
		b.Release()
	}
	return out
}

func TestEveryEpochSeesEveryItemOnce(t *testing.T) {
	all := ids(t, drawn(2), 0, 14)
	for epoch := range 4 {
		seen := slices.Clone(all[7*epoch : 7*epoch+7])
		slices.Sort(seen)
		for i, id := range seen {
			if want := fmt.Sprintf("%d/%d", epoch, i); id != want {
				t.Errorf("epoch %d has %v", epoch, seen)
				break
			}
		}
	}
	if slices.Equal(all[0:7], all[7:14]) {
		t.Error("two epochs have one order")
	}
}

func TestAFeedContinuesAnywhere(t *testing.T) {
	whole := ids(t, drawn(1), 0, 12)
	for _, workers := range []int{1, 4} {
		for _, from := range []int{0, 1, 5, 11} {
			if got := ids(t, drawn(workers), from, 12-from); !slices.Equal(got, whole[2*from:]) {
				t.Errorf("from iteration %d with %d workers: %v, want %v", from, workers, got, whole[2*from:])
			}
		}
	}
}

func TestStreamedFeedSkipsAndEnds(t *testing.T) {
	h := drawn(1).Header()
	s := pipeline.Generate(context.Background(), h, 7, 3, 1, func(_ context.Context, i int) (pipeline.Sample, error) {
		return pipeline.Sample{ID: fmt.Sprint(i), Dataset: "gta", Image: raster.New(2, 2, 3)}, nil
	}, nil)
	f, err := NewStreamed("source", s, 2)
	if err != nil {
		t.Fatal(err)
	}
	next, stop := Pull(context.Background(), f, 1)
	defer stop()
	for _, want := range [][]string{{"2", "3"}, {"4", "5"}} {
		b, err := next()
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(b.IDs(), want) {
			t.Errorf("batch %v, want %v", b.IDs(), want)
		}
	}
	if _, err := next(); !errors.Is(err, ErrEnded) {
		t.Errorf("at the end: %v", err)
	}
	h.Size = raster.Size{}
	if _, err := NewStreamed("source", pipeline.Stream{Header: h}, 2); err == nil {
		t.Error("a stream of varying size was taken")
	}
}
