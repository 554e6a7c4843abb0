package pipeline

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/pipeline/raster"
)

// TestPixelsOutsideAreFoundWhereTheyAre compares the loops with plain ones, for
// every number of classes and every place of the value.
func TestPixelsOutsideAreFoundWhereTheyAre(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for n := 1; n <= 254; n++ {
		bad := func(v byte) bool { return int(v) >= n && v != 255 }
		for range 64 {
			pix := make([]byte, rng.IntN(100))
			for i := range pix {
				if pix[i] = byte(rng.IntN(n + 1)); int(pix[i]) == n {
					pix[i] = 255
				}
			}
			for range rng.IntN(3) {
				if len(pix) > 0 {
					pix[rng.IntN(len(pix))] = byte(rng.IntN(256))
				}
			}
			if got, want := outsideClasses(pix, n), slices.IndexFunc(pix, bad); got != want {
				t.Fatalf("%d classes: %d, want %d, in %v", n, got, want, pix)
			}
			for i := range pix {
				pix[i] &= 1
			}
			if k := rng.IntN(2*len(pix) + 1); k < len(pix) {
				pix[k] = byte(rng.IntN(256))
			}
			if got, want := outsideMask(pix), slices.IndexFunc(pix, func(v byte) bool { return v > 1 }); got != want {
				t.Fatalf("mask: %d, want %d, in %v", got, want, pix)
			}
		}
	}
}

// sizedMix and sizedPair are rows that are as they should be.
func sizedMix() Mix {
	return Mix{Sample: Sample{ID: "gta/train/1", Dataset: "gta", Split: "train", Image: raster.New(6, 8, 3), Label: raster.New(6, 8, 1)},
		TargetID: "cityscapes/train/1", Mask: raster.New(6, 8, 1), Classes: []raster.TrainID{1, 7}, Weight: 0.5}
}

func sizedPair() Pair {
	crop := func() Crop {
		return Crop{Image: raster.New(8, 8, 3), Label: raster.New(8, 8, 1), Overlap: raster.Box{Y1: 4, X1: 4}}
	}
	return Pair{ID: "gta/train/1", A: crop(), B: crop(), Scale: 1}
}

// TestValuesThatTheFormatDoesNotHaveAreRefused: by builders, and by readers of what
// others have written, with the right digests.
func TestValuesThatTheFormatDoesNotHaveAreRefused(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	mix := func(change func(*Mix)) any { m := sizedMix(); change(&m); return m }
	pair := func(change func(*Pair)) any { p := sizedPair(); change(&p); return p }
	sample := func(change func(*Sample)) any { s := sizedMix().Sample; change(&s); return s }
	many := make([]raster.TrainID, 900_000)
	for name, c := range map[string]struct {
		row  any
		want string // empty where it is good
	}{
		"a mix":                      {mix(func(*Mix) {}), ""},
		"a pair":                     {pair(func(*Pair) {}), ""},
		"labels of the last class":   {sample(func(s *Sample) { s.Label.Pix()[3] = 18; s.Label.Pix()[4] = 255 }), ""},
		"a label above the classes":  {sample(func(s *Sample) { s.Label.Pix()[11] = 19 }), `sample "gta/train/1": label: pixel x 3 y 1 is 19, want a train ID below 19, or 255`},
		"a label of 254":             {mix(func(m *Mix) { m.Label.Pix()[40] = 254 }), "label: pixel x 0 y 5 is 254"},
		"a label of the second crop": {pair(func(p *Pair) { p.B.Label.Pix()[0] = 99 }), "label_b: pixel x 0 y 0 is 99"},
		"a confidence of NaN":        {sample(func(s *Sample) { s.Confidence = nan }), "its confidence is NaN, want 0 to 1"},
		"a confidence above 1":       {sample(func(s *Sample) { s.Confidence = 1.5 }), "its confidence is 1.5"},
		"a weight of NaN":            {mix(func(m *Mix) { m.Weight = nan }), `mix "gta/train/1": its weight is NaN, want 0 to 1`},
		"a weight below 0":           {mix(func(m *Mix) { m.Weight = -1 }), "its weight is -1"},
		"an endless weight":          {mix(func(m *Mix) { m.Weight = inf }), "its weight is +Inf"},
		"a mask of 2":                {mix(func(m *Mix) { m.Mask.Pix()[47] = 2 }), "mask: pixel x 7 y 5 is 2, want 0 or 1"},
		"classes that do not rise":   {mix(func(m *Mix) { m.Classes = []raster.TrainID{7, 7} }), "classes has 7 after [7], want rising train IDs below 19"},
		"a class above the last":     {mix(func(m *Mix) { m.Classes = []raster.TrainID{19} }), "classes has 19"},
		"900,000 classes":            {mix(func(m *Mix) { m.Classes = many }), "900000 classes, want at most 255"},
		"a scale of NaN":             {pair(func(p *Pair) { p.Scale = nan }), "its scale is NaN, want more than 0"},
		"a scale of 0":               {pair(func(p *Pair) { p.Scale = 0 }), "its scale is 0"},
		"an endless scale":           {pair(func(p *Pair) { p.Scale = inf }), "its scale is +Inf"},
		"an origin below 0":          {pair(func(p *Pair) { p.A.Origin = [2]int{0, -1} }), "origin_a is [0 -1], want 0 to 524288"},
		"an origin far away":         {pair(func(p *Pair) { p.B.Origin = [2]int{1 << 30, 0} }), "origin_b is [1073741824 0]"},
	} {
		t.Run(name, func(t *testing.T) {
			h := Header{Kind: KindSample, Classes: raster.CityscapesClasses(), Datasets: []string{"gta"}, Labeled: true}
			switch row := c.row.(type) {
			case Sample:
				h.Pseudo = true
			case Mix:
				h.Kind = KindMix
			case Pair:
				h.Kind, h.Size = KindPair, raster.Size{Height: 8, Width: 8}
				_ = row
			}
			b := NewBuilder(h)
			if err := add(b, c.row); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("built with %v, want %q", err, c.want)
			}
			data := forged(t, h, c.row)
			s, err := Read(t.Context(), bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			for _, err = range s.Batches {
				if err != nil {
					break
				}
			}
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("read with %v, want %q", err, c.want)
			}
		})
	}
}

func add(b *Builder, row any) error {
	switch row := row.(type) {
	case Sample:
		return b.AppendSample(row)
	case Mix:
		return b.AppendMix(row)
	default:
		return b.AppendPair(row.(Pair))
	}
}

// forged encodes a row that a builder refuses: one that is as it should be, into
// whose columns the values are put.
func forged(t *testing.T, h Header, row any) []byte {
	t.Helper()
	b := NewBuilder(h)
	put := func(name string, value []byte) { b.columns[b.schema.FieldIndices(name)[0]].values = value }
	float := func(v float32) []byte { return binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)) }
	var digest uint64
	switch row := row.(type) {
	case Sample:
		good := sizedMix().Sample
		if err := add(b, good); err != nil {
			t.Fatal(err)
		}
		put("label", row.Label.Pix())
		put("confidence", float(row.Confidence))
		digest = row.Digest(true)
	case Mix:
		good := sizedMix()
		if err := add(b, good); err != nil {
			t.Fatal(err)
		}
		put("label", row.Label.Pix())
		put("mask", row.Mask.Pix())
		put("weight", float(row.Weight))
		put("classes", trainIDs(row.Classes))
		b.columns[b.schema.FieldIndices("classes")[0]].offsets = []int32{0, int32(len(row.Classes))}
		digest = row.Digest()
	case Pair:
		if err := add(b, sizedPair()); err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]Crop{"a": row.A, "b": row.B} {
			put("label_"+name, c.Label.Pix())
			var at []byte
			for _, v := range c.Origin {
				at = binary.LittleEndian.AppendUint32(at, uint32(int32(v)))
			}
			put("origin_"+name, at)
		}
		put("scale", float(row.Scale))
		digest = row.Digest()
	}
	put("digest", binary.LittleEndian.AppendUint64(nil, digest))
	return one(t, h, b)
}

// BenchmarkCheckLabel is what the check of a label's pixels costs beside its digest
// and its image's, which readers compute.
func BenchmarkCheckLabel(b *testing.B) {
	s := sizedMix().Sample
	s.Image, s.Label = raster.New(512, 512, 3), raster.New(512, 512, 1)
	for _, n := range []int{19, 200} {
		h := Header{Classes: make([]string, n)}
		b.Run(fmt.Sprintf("%d classes", n), func(b *testing.B) {
			b.SetBytes(512 * 512)
			for b.Loop() {
				if err := h.CheckSample(&s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("digest", func(b *testing.B) {
		b.SetBytes(512 * 512 * 4)
		for b.Loop() {
			s.Digest(false)
		}
	})
}
