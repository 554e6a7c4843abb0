package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"

	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/loader"
	"github.com/pipa-uda/pipa/pipeline"
)

// bad is the problem of a sample.
func bad(i int) formats.Problem {
	return formats.Problem{ID: fmt.Sprint(i), File: fmt.Sprint(i, ".png"), Err: errors.New("cut")}
}

func TestNoMoreIsLeftOutThanMayBe(t *testing.T) {
	for _, c := range []struct {
		name string
		most MaxBad
		want int // of 10 samples
	}{
		{"none", MaxBad{}, 0},
		{"a number", MaxBad{Number: 2}, 2},
		{"a share", MaxBad{Percent: 39}, 3},
		{"all", MaxBad{Percent: 100}, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := &Bad{Most: c.most, Log: slog.New(slog.DiscardHandler)}
			b.expect(10)
			for i := range c.want {
				for range 2 { // a sample counts once
					if err := b.Skip(fmt.Errorf("read: %w", bad(i))); err != nil {
						t.Fatal(err)
					}
				}
			}
			var tooMany *TooManyBadError
			if err := b.Skip(bad(10)); !errors.As(err, &tooMany) || !errors.As(err, new(formats.Problem)) || b.Count() != c.want {
				t.Errorf("one more: %v, and %d are left out", err, b.Count())
			}
			if err := b.Skip(context.Canceled); err != context.Canceled {
				t.Errorf("what is no sample's fault became %v", err)
			}
		})
	}
}

// TestWhatIsLeftOutIsListedOnce: what was left out before there was a list, and from
// then on, but not what an earlier part of the run has listed.
func TestWhatIsLeftOutIsListedOnce(t *testing.T) {
	b := &Bad{Most: MaxBad{Number: 3}, Log: slog.New(slog.DiscardHandler)}
	b.Resume([]LeftOut{{ID: "0"}})
	var listed []string
	skip := func(i int) {
		t.Helper()
		if err := b.Skip(bad(i)); err != nil {
			t.Fatal(err)
		}
	}
	skip(0)
	skip(1)
	if err := b.List(func(l LeftOut) error { listed = append(listed, l.ID); return nil }); err != nil {
		t.Fatal(err)
	}
	skip(2)
	if !slices.Equal(listed, []string{"1", "2"}) {
		t.Errorf("listed are %q", listed)
	}
}

// some are 8 images of which some cannot be read.
type some struct{ loader.Images }

func (some) Len() int       { return 8 }
func (some) Digest() string { return "some" }
func (some) Visit(_ context.Context, i int, use func(loader.Item) error) error {
	if i < 3 {
		return bad(i)
	}
	return use(loader.Item{Sample: pipeline.Sample{ID: fmt.Sprint(i)}})
}

// TestAnotherIsDrawnInItsPlace: always the same one, which can be read.
func TestAnotherIsDrawnInItsPlace(t *testing.T) {
	drawn := func() (ids []string) {
		s := spared{some{}, &Bad{Most: MaxBad{Number: 3}, Log: slog.New(slog.DiscardHandler)}, 1}
		for i := range s.Len() {
			if err := s.Visit(context.Background(), i, func(it loader.Item) error { ids = append(ids, it.ID); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		return ids
	}
	first := drawn()
	if len(first) != 8 || !slices.Equal(first[3:], []string{"3", "4", "5", "6", "7"}) || !slices.Equal(first, drawn()) {
		t.Errorf("drawn are %q", first)
	}
}
