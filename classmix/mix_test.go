package classmix

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/fixtures/golden"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

func TestMasksAndLabelsMatchThePublishedMixing(t *testing.T) {
	for _, path := range golden.Files(t, "class_mix") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			c := golden.Load(t, path)
			shape := c.Must("label").Shape
			h, w := shape[2], shape[3]
			plane := func(name string, i int) raster.Raster {
				r, err := raster.Wrap(h, w, 1, c.Must(name).Data[i*h*w:(i+1)*h*w])
				if err != nil {
					t.Fatal(err)
				}
				return r
			}
			for i := range golden.Param[int](c, "batch") {
				var chosen []raster.TrainID
				for _, v := range c.Ints(fmt.Sprintf("chosen%d", i)) {
					chosen = append(chosen, raster.TrainID(v))
				}
				mask := Mask(plane("label", i), chosen)
				if !bytes.Equal(mask.Pix(), c.Must(fmt.Sprintf("mask%d", i)).Data) {
					t.Errorf("mask %d differs", i)
				}
				label := Blend(plane("label", i), plane("pseudo_label", i), mask)
				if !bytes.Equal(label.Pix(), c.Must(fmt.Sprintf("mixed_label%d", i)).Data) {
					t.Errorf("label %d differs", i)
				}
			}
		})
	}
}

func sample(id string, h, w int, labeled bool, classes int) pipeline.Sample {
	s := pipeline.Sample{ID: id, Dataset: "gta", Split: "train", Image: raster.New(h, w, 3)}
	rng := pipeline.NewKey(0, 0, "test", id).Rand()
	for i := range s.Image.Pix() {
		s.Image.Pix()[i] = byte(rng.IntN(256))
	}
	if labeled {
		s.Label = raster.New(h, w, 1)
		for i := range s.Label.Pix() {
			s.Label.Pix()[i] = byte(i % classes)
		}
		s.Label.Pix()[0] = byte(raster.Ignore)
	}
	return s
}

func TestHalfOfTheClassesRoundedUpIsChosen(t *testing.T) {
	for classes := 1; classes <= 19; classes++ {
		label := sample("x", 10, 10, true, classes).Label
		chosen := Choose(label, rand.New(rand.NewPCG(1, 2)))
		if len(chosen) != (classes+1)/2 {
			t.Errorf("of %d classes %d were chosen", classes, len(chosen))
		}
		for _, c := range chosen {
			if c == raster.Ignore || int(c) >= classes {
				t.Errorf("class %d was chosen of %d", c, classes)
			}
		}
	}
}

func TestEveryPixelComesFromWhereTheMaskSays(t *testing.T) {
	for _, pseudo := range []bool{false, true} {
		s, target := sample("gta/train/1", 8, 9, true, 7), sample("cityscapes/train/1", 8, 9, pseudo, 5)
		m, err := Mix(s, target, 3, Options{Weight: 0.5})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Validate(); err != nil {
			t.Fatal(err)
		}
		for i, bit := range m.Mask.Pix() {
			from, label := target, byte(raster.Ignore)
			if pseudo {
				label = target.Label.Pix()[i]
			}
			if bit == 1 {
				from, label = s, s.Label.Pix()[i]
			}
			if !bytes.Equal(m.Image.Pix()[3*i:3*i+3], from.Image.Pix()[3*i:3*i+3]) || m.Label.Pix()[i] != label {
				t.Fatalf("pixel %d does not come from where mask %d says", i, bit)
			}
		}
	}
}

func TestMixExplains(t *testing.T) {
	for want, pair := range map[string][2]pipeline.Sample{
		"has no label":          {sample("a", 4, 4, false, 1), sample("b", 4, 4, false, 1)},
		"crop both to one size": {sample("a", 4, 4, true, 2), sample("b", 4, 5, false, 1)},
	} {
		if _, err := Mix(pair[0], pair[1], 1, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

func TestLabelsOfOtherClassesAreNotMixed(t *testing.T) {
	header := func(labeled bool, classes ...string) pipeline.Header {
		return pipeline.Header{Kind: pipeline.KindSample, Classes: classes, Labeled: labeled}
	}
	for _, c := range []struct {
		name   string
		target pipeline.Header
		want   string
	}{
		{"the same classes", header(true, "road", "sky"), ""},
		{"another order", header(true, "sky", "road"), "want the same, or a target without labels"},
		{"another number", header(true, "road"), "want the same, or a target without labels"},
		{"others without labels", header(false, "lawn"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			mixed, err := Header(header(true, "road", "sky"), c.target, Options{})
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if err == nil && len(mixed.Classes) != 2 {
				t.Errorf("the mixes have the classes %q", mixed.Classes)
			}
		})
	}
}

func stream(dataset string, n, rows int, labeled bool) pipeline.Stream {
	h := pipeline.Header{Kind: pipeline.KindSample, Seed: 5, Datasets: []string{"gta"}, Size: raster.Size{Height: 6, Width: 7}, Labeled: labeled}
	return pipeline.Generate(context.Background(), h, n, rows, 1, func(_ context.Context, i int) (pipeline.Sample, error) {
		return sample(fmt.Sprintf("%s/%d", dataset, i), 6, 7, labeled, 9), nil
	}, nil)
}

// TestAPseudoLabelWeighsByItsConfidence: the target's weight is the option's
// times the confidence of a target that has one.
func TestAPseudoLabelWeighsByItsConfidence(t *testing.T) {
	target := func(pseudo bool) pipeline.Stream {
		s := stream("cityscapes", 4, 4, true)
		s.Header.Pseudo = pseudo
		rows := func(yield func(pipeline.Sample, error) bool) {
			for i := range 4 {
				row := sample(fmt.Sprintf("cityscapes/%d", i), 6, 7, true, 9)
				row.Confidence = float32(i) / 4
				if !yield(row, nil) {
					return
				}
			}
		}
		return pipeline.Collect(s.Header, 2, rows)
	}
	for _, c := range []struct {
		pseudo bool
		want   []float32
	}{{true, []float32{0, 0.125, 0.25, 0.375}}, {false, []float32{0.5, 0.5, 0.5, 0.5}}} {
		s, err := Streams(t.Context(), stream("gta", 4, 2, true), target(c.pseudo), Options{Weight: 0.5}, 2)
		if err != nil {
			t.Fatal(err)
		}
		var got []float32
		for b, err := range s.Batches {
			if err != nil {
				t.Fatal(err)
			}
			for i := range b.Len() {
				m, err := b.Mix(i)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, m.Weight)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("pseudo-labels %v: weights %v, want %v", c.pseudo, got, c.want)
		}
	}
}

func TestStreamsGiveTheSameBytesForAnyWorkers(t *testing.T) {
	var first []byte
	for _, workers := range []int{1, 4} {
		s, err := Streams(context.Background(), stream("gta", 11, 2, true), stream("cityscapes", 9, 4, false), Options{}, workers)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := pipeline.Write(context.Background(), &out, s); err != nil {
			t.Fatal(err)
		}
		back, err := pipeline.Read(context.Background(), bytes.NewReader(out.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		summary, err := pipeline.Summarize(back)
		if err != nil || summary.Rows != 9 {
			t.Fatalf("%d rows, %v: want those of the shorter stream", summary.Rows, err)
		}
		if first == nil {
			first = out.Bytes()
		} else if !bytes.Equal(first, out.Bytes()) {
			t.Error("workers change the bytes")
		}
	}
}
