package pipeline

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/pipeline/raster"
)

// TestRowsMadeInPlaceAreThoseAppended builds the same batches both ways, with a
// row that fails in between.
func TestRowsMadeInPlaceAreThoseAppended(t *testing.T) {
	fill := func(r raster.Raster, v byte) {
		for i := range r.Pix() {
			r.Pix()[i] = v + byte(i%7)
		}
	}
	fails := errors.New("no such picture")
	for _, labeled := range []bool{true, false} {
		h := Header{Kind: KindSample, Classes: raster.CityscapesClasses(), Datasets: []string{"set"}, Labeled: labeled, Size: raster.Size{Height: 3, Width: 5}}
		made, appended := NewBuilder(h), NewBuilder(h)
		made.Reserve(2)
		for i := range 4 {
			sample := func(image, label raster.Raster) Sample {
				fill(image, byte(i))
				if labeled {
					fill(label, byte(2*i))
				}
				return Sample{ID: strings.Repeat("x", i+1), Dataset: "set", Split: "train", Image: image, Label: label}
			}
			if err := made.AddSample(func(image, label raster.Raster) (Sample, error) {
				fill(image, 99)
				return Sample{}, fails
			}); !errors.Is(err, fails) {
				t.Fatalf("a row that fails: %v", err)
			}
			if err := made.AddSample(func(image, label raster.Raster) (Sample, error) {
				if labeled == label.Empty() {
					t.Errorf("label empty: %v in a stream labeled: %v", label.Empty(), labeled)
				}
				return sample(image, label), nil
			}); err != nil {
				t.Fatal(err)
			}
			label := raster.Raster{}
			if labeled {
				label = raster.New(3, 5, 1)
			}
			if err := appended.AppendSample(sample(raster.New(3, 5, 3), label)); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(one(t, h, made), one(t, h, appended)) {
			t.Errorf("samples, labeled %v: the batches differ", labeled)
		}

		h = Header{Kind: KindPair, Classes: raster.CityscapesClasses(), Labeled: labeled, Size: raster.Size{Height: 4, Width: 4}}
		made, appended = NewBuilder(h), NewBuilder(h)
		for i := range 3 {
			complete := func(p *Pair) {
				p.ID, p.Scale = "p", 1.5
				for k, c := range []*Crop{&p.A, &p.B} {
					fill(c.Image, byte(i+k))
					if labeled {
						fill(c.Label, byte(i))
					}
					c.Overlap, c.Flip = raster.Box{Y0: 0, X0: 0, Y1: 2, X1: 2}, k == 1
				}
			}
			if err := made.AddPair(func(p *Pair) error { complete(p); return nil }); err != nil {
				t.Fatal(err)
			}
			var p Pair
			p.A.Image, p.B.Image = raster.New(4, 4, 3), raster.New(4, 4, 3)
			if labeled {
				p.A.Label, p.B.Label = raster.New(4, 4, 1), raster.New(4, 4, 1)
			}
			complete(&p)
			if err := appended.AppendPair(p); err != nil {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(one(t, h, made), one(t, h, appended)) {
			t.Errorf("pairs, labeled %v: the batches differ", labeled)
		}
	}
}

// one encodes a builder's rows as a stream of one batch.
func one(t *testing.T, h Header, b *Builder) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := Write(t.Context(), &out, Stream{h, func(yield func(*Batch, error) bool) { yield(b.Batch()) }}); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestRowsInPlaceKeepTheirRasters(t *testing.T) {
	h := Header{Kind: KindSample, Classes: []string{"a"}, Datasets: []string{"set"}, Size: raster.Size{Height: 3, Width: 5}}
	b := NewBuilder(h)
	err := b.AddSample(func(image, label raster.Raster) (Sample, error) {
		return Sample{ID: "x", Dataset: "set", Image: raster.New(3, 5, 3)}, nil
	})
	if err == nil || !strings.Contains(err.Error(), "not the one handed out") || b.Len() != 0 {
		t.Errorf("another raster: %v, %d rows", err, b.Len())
	}
	h.Size = raster.Size{}
	if err := NewBuilder(h).AddSample(nil); err == nil || !strings.Contains(err.Error(), "of one size") {
		t.Errorf("sizes vary: %v", err)
	}
	if err := b.AddPair(nil); err == nil || !strings.Contains(err.Error(), "add a pair in place to a stream of samples") {
		t.Errorf("another kind: %v", err)
	}
}
