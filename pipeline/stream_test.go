package pipeline_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/pipelinetest"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// rowsOf reads a stream to its end.
func rowsOf(r io.Reader) (h pipeline.Header, rows []any, err error) {
	s, err := pipeline.Read(context.Background(), r)
	if err != nil {
		return h, nil, err
	}
	for b, err := range s.Batches {
		if err != nil {
			return s.Header, rows, err
		}
		for i := range b.Len() {
			var row any
			var err error
			switch s.Header.Kind {
			case pipeline.KindSample:
				row, err = b.Sample(i)
			case pipeline.KindMix:
				row, err = b.Mix(i)
			default:
				row, err = b.Pair(i)
			}
			if err != nil {
				return s.Header, rows, err
			}
			rows = append(rows, row) // kept, and so the batch is not released
		}
	}
	return s.Header, rows, nil
}

func TestStreamsComeBackAsWritten(t *testing.T) {
	for _, c := range pipelinetest.Cases {
		t.Run(c.Name, func(t *testing.T) {
			data := pipelinetest.Encode(t, pipelinetest.Stream(c.Header, c.Row, 3, 2))
			h, rows, err := rowsOf(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(h, c.Header) {
				t.Errorf("header %+v, want %+v", h, c.Header)
			}
			if len(rows) != 6 {
				t.Fatalf("%d rows", len(rows))
			}
			var want any
			switch c.Header.Kind {
			case pipeline.KindSample:
				want = pipelinetest.Sample(5, rows[5].(pipeline.Sample).Image.Height(), 6, c.Header.Labeled)
				if c.Header.Pseudo {
					want = pipelinetest.Pseudo(5, rows[5].(pipeline.Sample).Image.Height(), 6)
				}
			case pipeline.KindMix:
				want = pipelinetest.Mix(5, rows[5].(pipeline.Mix).Image.Height(), 6)
			default:
				want = pipelinetest.Pair(5, 8, c.Header.Labeled)
			}
			if !reflect.DeepEqual(rows[5], want) {
				t.Errorf("row 5 is\n%+v\nwant\n%+v", rows[5], want)
			}
			if again := pipelinetest.Encode(t, pipelinetest.Stream(c.Header, c.Row, 3, 2)); !bytes.Equal(data, again) {
				t.Error("written twice, the bytes differ")
			}
		})
	}
}

func TestOnlyStreamsOfPseudoLabelsKeepConfidence(t *testing.T) {
	h := pipelinetest.Header(pipeline.KindSample, raster.Size{Height: 4, Width: 6}, true)
	bytesOf := func(s pipeline.Sample) []byte {
		return pipelinetest.Encode(t, pipelinetest.Stream(h, func(b *pipeline.Builder, _ int) error { return b.AppendSample(s) }, 1, 1))
	}
	if !bytes.Equal(bytesOf(pipelinetest.Sample(3, 4, 6, true)), bytesOf(pipelinetest.Pseudo(3, 4, 6))) {
		t.Error("a confidence changed the bytes of a stream that has none")
	}
	for name, h := range map[string]pipeline.Header{
		"unlabelled": func() pipeline.Header { h := pipelinetest.PseudoHeader(raster.Size{}); h.Labeled = false; return h }(),
		"mixes": func() pipeline.Header {
			h := pipelinetest.PseudoHeader(raster.Size{})
			h.Kind = pipeline.KindMix
			return h
		}(),
	} {
		if h.Validate() == nil {
			t.Errorf("%s: a header with pseudo-labels was accepted", name)
		}
	}
	for _, c := range []float32{-0.1, 1.1, float32(math.NaN())} {
		s := pipelinetest.Pseudo(1, 4, 6)
		s.Confidence = c
		if pipeline.NewBuilder(pipelinetest.PseudoHeader(raster.Size{Height: 4, Width: 6})).AppendSample(s) == nil {
			t.Errorf("a confidence of %v was accepted", c)
		}
	}
}

// TestRowsOutliveTheirStream collects the rows of a stream again, once its
// batches are gone.
func TestRowsOutliveTheirStream(t *testing.T) {
	c := pipelinetest.Cases[len(pipelinetest.Cases)-6]
	if !c.Header.Pseudo {
		t.Fatalf("case %q has no pseudo-labels", c.Name)
	}
	data := pipelinetest.Encode(t, pipelinetest.Stream(c.Header, c.Row, 3, 2))
	s, err := pipeline.Read(t.Context(), bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var rows []pipeline.Sample
	for row, err := range pipeline.Rows(s) {
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	again := func(yield func(pipeline.Sample, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
	if !bytes.Equal(pipelinetest.Encode(t, pipeline.Collect(s.Header, 2, again)), data) {
		t.Error("collected again, the bytes differ")
	}
}

func TestEmptyStreamIsWhole(t *testing.T) {
	data := pipelinetest.Encode(t, pipelinetest.Stream(pipelinetest.Cases[0].Header, pipelinetest.Cases[0].Row, 0, 0))
	if _, rows, err := rowsOf(bytes.NewReader(data)); err != nil || len(rows) != 0 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

func TestEveryCutIsReported(t *testing.T) {
	for _, c := range pipelinetest.Cases {
		t.Run(c.Name, func(t *testing.T) {
			data := pipelinetest.Encode(t, pipelinetest.Stream(c.Header, c.Row, 2, 2))
			for n := range data {
				if _, _, err := rowsOf(bytes.NewReader(data[:n])); err == nil {
					t.Fatalf("the first %d of %d bytes were accepted as a whole stream", n, len(data))
				}
			}
			if _, _, err := rowsOf(bytes.NewReader(append(bytes.Clone(data), 0))); err == nil {
				t.Error("a byte after the end was accepted")
			}
		})
	}
}

func TestEveryFlippedByteIsReported(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for _, c := range pipelinetest.Cases {
		t.Run(c.Name, func(t *testing.T) {
			data := pipelinetest.Encode(t, pipelinetest.Stream(c.Header, c.Row, 2, 2))
			for at := range data {
				damaged := bytes.Clone(data)
				damaged[at] ^= byte(1 + rng.IntN(255))
				if _, _, err := rowsOf(bytes.NewReader(damaged)); err == nil {
					t.Fatalf("byte %d of %d changed from %02x to %02x, and the stream was accepted", at, len(data), data[at], damaged[at])
				}
			}
		})
	}
}

func TestForeignInputFailsAtOnceWithLittleMemory(t *testing.T) {
	huge := binary.LittleEndian.AppendUint32([]byte{0xFF, 0xFF, 0xFF, 0xFF}, 0x7FFFFFF8)
	for name, input := range map[string]string{
		"text": "hi\n", "empty": "", "long text": strings.Repeat("hello, world\n", 1000),
		"huge metadata": string(huge), "png": "\x89PNG\r\n\x1a\n" + strings.Repeat("x", 100), "file magic alone": "ARROW1\x00\x00",
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, _, err := rowsOf(strings.NewReader(input))
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Error("accepted")
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20 {
				t.Errorf("allocated %d bytes for %d of input", used, len(input))
			}
		})
	}
}

func TestWriteStopsOnErrorsWithoutTheEndMarker(t *testing.T) {
	c := pipelinetest.Cases[2]
	broken := errors.New("broken")
	s := pipelinetest.Stream(c.Header, c.Row, 2, 2)
	whole := s.Batches
	s.Batches = func(yield func(*pipeline.Batch, error) bool) {
		for b, err := range whole {
			if !yield(b, err) {
				return
			}
		}
		yield(nil, broken)
	}
	var out bytes.Buffer
	if err := pipeline.Write(context.Background(), &out, s); !errors.Is(err, broken) {
		t.Fatalf("error %v", err)
	}
	if _, _, err := rowsOf(&out); err == nil {
		t.Error("what was written before the error reads as a whole stream")
	}
}

func TestClosedPipeIsRecognized(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r.Close()
	c := pipelinetest.Cases[0]
	if err := pipeline.Write(context.Background(), w, pipelinetest.Stream(c.Header, c.Row, 1, 1)); !errors.Is(err, pipeline.ErrClosedPipe) {
		t.Errorf("error %v", err)
	}
}

func TestBuilderRefuses(t *testing.T) {
	h := pipelinetest.Header(pipeline.KindSample, raster.Size{Height: 4, Width: 6}, true)
	for name, s := range map[string]pipeline.Sample{
		"another size": pipelinetest.Sample(0, 5, 6, true),
		"no label":     pipelinetest.Sample(0, 4, 6, false),
		"dataset":      func() pipeline.Sample { s := pipelinetest.Sample(0, 4, 6, true); s.Dataset = "kitti"; return s }(),
		"label's size": func() pipeline.Sample {
			s := pipelinetest.Sample(0, 4, 6, true)
			s.Label = raster.New(4, 5, 1)
			return s
		}(),
		"gray image": func() pipeline.Sample {
			s := pipelinetest.Sample(0, 4, 6, true)
			s.Image = raster.New(4, 6, 1)
			return s
		}(),
		"no image": {ID: "x", Dataset: "gta"},
	} {
		t.Run(name, func(t *testing.T) {
			b := pipeline.NewBuilder(h)
			if err := b.AppendSample(s); err == nil {
				t.Error("appended")
			}
			if b.Len() != 0 {
				t.Error("a refused row counts")
			}
			if err := b.AppendSample(pipelinetest.Sample(0, 4, 6, true)); err != nil {
				t.Errorf("after a refusal: %v", err)
			}
			batch, err := b.Batch()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := batch.Sample(0); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestARowOfUpTo100MegapixelsIsABatch: several rows have to stay within
// MaxBatchBytes, one need not.
func TestARowOfUpTo100MegapixelsIsABatch(t *testing.T) {
	large := func(height, width int) pipeline.Sample {
		return pipeline.Sample{ID: "gta/train/large", Dataset: "gta", Split: "train", Image: raster.New(height, width, 3), Label: raster.New(height, width, 1)}
	}
	b := pipeline.NewBuilder(pipelinetest.Header(pipeline.KindSample, raster.Size{}, true))
	var row *pipeline.RowSizeError
	if err := b.AppendSample(large(10_001, 10_000)); !errors.As(err, &row) {
		t.Errorf("100,010,000 pixels: %v", err)
	}
	if err := b.AppendSample(large(4000, 6000)); err != nil {
		t.Fatalf("24 megapixels: %v", err)
	}
	var batch *pipeline.BatchSizeError
	if err := b.AppendSample(large(8, 8)); !errors.As(err, &batch) {
		t.Errorf("a second row after 96 MB: %v", err)
	}
	h := b.Header()
	s := pipeline.Stream{Header: h, Batches: func(yield func(*pipeline.Batch, error) bool) { yield(b.Batch()) }}
	_, rows, err := rowsOf(bytes.NewReader(pipelinetest.Encode(t, s)))
	if err != nil || len(rows) != 1 || rows[0].(pipeline.Sample).Image.Height() != 4000 {
		t.Errorf("read again: %d rows, %v", len(rows), err)
	}
}

// TestMixesOfAFullBatchFit: a mix has a mask beside what a sample has.
func TestMixesOfAFullBatchFit(t *testing.T) {
	h := pipelinetest.Header(pipeline.KindMix, raster.Size{}, true)
	b := pipeline.NewBuilder(h)
	for i := range 4 { // of 16 MiB each as samples
		m := pipeline.Mix{Sample: pipeline.Sample{ID: fmt.Sprint(i), Dataset: "gta", Image: raster.New(2048, 2048, 3), Label: raster.New(2048, 2048, 1)}, Mask: raster.New(2048, 2048, 1)}
		if err := b.AppendMix(m); err != nil {
			t.Fatal(err)
		}
	}
	s := pipeline.Stream{Header: h, Batches: func(yield func(*pipeline.Batch, error) bool) { yield(b.Batch()) }}
	if _, rows, err := rowsOf(bytes.NewReader(pipelinetest.Encode(t, s))); err != nil || len(rows) != 4 {
		t.Errorf("read again: %d rows, %v", len(rows), err)
	}
}

// TestAHugeBodyIsRefusedBeforeItIsRead: only a batch of one row may declare what
// a row may have.
func TestAHugeBodyIsRefusedBeforeItIsRead(t *testing.T) {
	c := pipelinetest.Cases[0]
	for rows, bounds := range map[int][2]uint64{1: {801_000_000, 802_000_000}, 2: {96 << 20, 96<<20 + 8}} {
		whole := pipelinetest.Encode(t, pipelinetest.Stream(c.Header, c.Row, 1, rows))
		// The body's length is the only number of its value in the batch's metadata.
		lengths := map[uint64]bool{}
		for at := 0; at+8 <= len(whole); at += 8 {
			lengths[binary.LittleEndian.Uint64(whole[at:])] = true
		}
		for i, want := range []string{"cut off", "declares a body"} {
			found := false
			for length := range lengths {
				lied := bytes.Replace(whole, binary.LittleEndian.AppendUint64(nil, length), binary.LittleEndian.AppendUint64(nil, bounds[i]), 1)
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				_, _, err := rowsOf(bytes.NewReader(lied))
				runtime.ReadMemStats(&after)
				if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
					t.Errorf("%d rows: allocated %d bytes for %d of input", rows, used, len(lied))
				}
				found = found || err != nil && strings.Contains(err.Error(), want)
			}
			if !found {
				t.Errorf("%d rows: nothing says %q of a body of %d bytes", rows, want, bounds[i])
			}
		}
	}
}

func TestTensorIsTheMinibatch(t *testing.T) {
	c := pipelinetest.Cases[2]
	for b, err := range pipelinetest.Stream(c.Header, c.Row, 1, 3).Batches {
		if err != nil {
			t.Fatal(err)
		}
		pix, shape, err := b.Tensor("image")
		if err != nil {
			t.Fatal(err)
		}
		if shape != [4]int{3, 4, 6, 3} || len(pix) != 3*4*6*3 {
			t.Errorf("%d bytes of shape %v", len(pix), shape)
		}
		s, err := b.Sample(2)
		if err != nil {
			t.Fatal(err)
		}
		if &s.Image.Pix()[0] != &pix[2*4*6*3] {
			t.Error("the row's raster is not a view into the tensor")
		}
		if _, _, err := b.Tensor("mask"); err == nil {
			t.Error("a column that is not there was found")
		}
	}
}

func TestLimitRebatchZip(t *testing.T) {
	c := pipelinetest.Cases[2]
	count := func(s pipeline.Stream) (batches, rows int) {
		for b, err := range s.Batches {
			if err != nil {
				t.Fatal(err)
			}
			batches++
			rows += b.Len()
		}
		return
	}
	for n, want := range map[int]int{0: 0, 1: 1, 4: 4, 5: 5, 100: 12} {
		if _, rows := count(pipeline.Limit(pipelinetest.Stream(c.Header, c.Row, 6, 2), n)); rows != want {
			t.Errorf("limited to %d: %d rows", n, rows)
		}
	}
	if batches, rows := count(pipeline.Rebatch(pipelinetest.Stream(c.Header, c.Row, 6, 2), 5)); batches != 3 || rows != 12 {
		t.Errorf("regrouped by 5: %d batches, %d rows", batches, rows)
	}
	for n, want := range map[int][2]int{0: {6, 12}, 1: {6, 11}, 6: {3, 6}, 8: {2, 4}, 12: {0, 0}, 100: {0, 0}} {
		if batches, rows := count(pipeline.Skip(pipelinetest.Stream(c.Header, c.Row, 6, 2), n)); [2]int{batches, rows} != want {
			t.Errorf("without the first %d: %d batches, %d rows", n, batches, rows)
		}
	}
	for i, want := range []int{4, 4, 2, 2} { // of batches of 2, 2, 2, 2, 2, 2
		if _, rows := count(pipeline.EveryNth(pipeline.Rebatch(pipelinetest.Stream(c.Header, c.Row, 6, 2), 2), i, 4)); rows != want {
			t.Errorf("batch %d of every 4: %d rows, want %d", i, rows, want)
		}
	}
	for _, rightRows := range []int{3, 7, 12, 20} {
		matched := 0
		for m, err := range pipeline.Zip(pipelinetest.Stream(c.Header, c.Row, 6, 2), pipeline.Limit(pipelinetest.Stream(c.Header, c.Row, 10, 3), rightRows)) {
			if err != nil {
				t.Fatal(err)
			}
			for i, s := range m.Right {
				left, err := m.Left.Sample(i)
				if err != nil {
					t.Fatal(err)
				}
				if left.ID != s.ID {
					t.Errorf("%s was matched with %s", left.ID, s.ID)
				}
				matched++
			}
			m.Release()
		}
		if want := min(12, rightRows); matched != want {
			t.Errorf("%d rows on the right: %d matched, want %d", rightRows, matched, want)
		}
	}
}

func TestSummary(t *testing.T) {
	c := pipelinetest.Cases[0]
	s, err := pipeline.Summarize(pipelinetest.Stream(c.Header, c.Row, 3, 2))
	if err != nil {
		t.Fatal(err)
	}
	if s.Rows != 6 || s.Batches != 3 || s.Labeled != 3 || s.Smallest != (raster.Size{Height: 4, Width: 6}) || s.Largest != (raster.Size{Height: 9, Width: 6}) {
		t.Errorf("%+v", s)
	}
	var labeled int64
	for _, n := range s.Pixels {
		labeled += n
	}
	if want := int64(6 * (4 + 6 + 8)); labeled != want {
		t.Errorf("%d label pixels, want %d", labeled, want)
	}
}

func FuzzRead(f *testing.F) {
	for _, c := range pipelinetest.Cases {
		f.Add(pipelinetest.Encode(f, pipelinetest.Stream(c.Header, c.Row, 2, 1)))
	}
	f.Add([]byte("hi\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		h, rows, err := rowsOf(bytes.NewReader(data))
		if err != nil {
			return
		}
		if len(rows) > 0 && len(h.Classes) > 254 {
			t.Error("impossible header")
		}
	})
}

// A stream says its classes' colors. One that does not, as those written before
// colors were kept, is read, and has its classes' usual ones.
func TestStreamsSayTheirColors(t *testing.T) {
	c := pipelinetest.Cases[0]
	for _, colors := range [][][3]uint8{nil, raster.Palette([]string{"lawn", "kerb"}, nil)} {
		h := c.Header
		h.Classes, h.Colors = []string{"lawn", "kerb"}, colors
		data := pipelinetest.Encode(t, pipelinetest.Stream(h, c.Row, 1, 0))
		if got := bytes.Contains(data, []byte("pipa.colours")); got != (colors != nil) {
			t.Errorf("colors %v: the key is there: %v", colors, got)
		}
		got, _, err := rowsOf(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got.Colors, colors) || !slices.Equal(got.Palette(), raster.Palette(h.Classes, nil)) {
			t.Errorf("colors %v came back as %v", colors, got.Colors)
		}
	}
}

// Streams from before and after colors were kept are joined.
func TestColorsDoNotKeepStreamsApart(t *testing.T) {
	c := pipelinetest.Cases[0]
	h := c.Header
	h.Colors = raster.CityscapesColors()
	if _, err := pipeline.Concat(pipelinetest.Stream(c.Header, c.Row, 1, 2), pipelinetest.Stream(h, c.Row, 1, 2)); err != nil {
		t.Error(err)
	}
}
