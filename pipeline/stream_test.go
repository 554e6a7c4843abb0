package pipeline

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
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
)

// testRaster is filled from a key, so that equal arguments give equal pixels.
func testRaster(id string, h, w, c int) Raster {
	r := NewRaster(h, w, c)
	rng := NewKey(1, 2, "test", id).Rand()
	for i := range r.Pix() {
		r.Pix()[i] = byte(rng.IntN(19))
	}
	return r
}

func testSample(i, h, w int, labelled bool) Sample {
	id := fmt.Sprintf("gta/train/%05d", i)
	s := Sample{ID: id, Dataset: "gta", Split: "train", Image: testRaster(id, h, w, 3)}
	if labelled {
		s.Label = testRaster(id+"l", h, w, 1)
	}
	return s
}

func testPseudo(i, h, w int) Sample {
	s := testSample(i, h, w, true)
	s.Confidence = float32(i) / 64
	return s
}

func pseudoHeader(size Size) Header {
	h := testHeader(KindSample, size, true)
	h.Pseudo = true
	return h
}

func testMix(i, h, w int) Mix {
	s := testSample(i, h, w, true)
	return Mix{Sample: s, TargetID: fmt.Sprintf("cityscapes/train/%d", i), Mask: testRaster(s.ID+"m", h, w, 1), Classes: []TrainID{1, 7, 11}[:i%4%3+1], Weight: 0.25 * float32(i)}
}

func testPair(i, side int, labelled bool) Pair {
	id := fmt.Sprintf("cityscapes/train/%05d", i)
	p := Pair{ID: id, Scale: 1.25,
		A: Crop{Image: testRaster(id+"a", side, side, 3), Overlap: Box{0, 0, side / 2, side / 2}, Flip: i%2 == 0, Origin: [2]int{3, 4}},
		B: Crop{Image: testRaster(id+"b", side, side, 3), Overlap: Box{side / 2, side / 2, side, side}, Flip: i%3 == 0, Origin: [2]int{7, 8}}}
	if labelled {
		p.A.Label, p.B.Label = testRaster(id+"la", side, side, 1), testRaster(id+"lb", side, side, 1)
	}
	return p
}

func testHeader(kind Kind, size Size, labelled bool) Header {
	h := Header{Kind: kind, Seed: 7, Classes: CityscapesClasses(), Datasets: []string{"gta", "cityscapes"}, Size: size, Labelled: labelled}
	h, err := h.With("test", map[string]int{"a": 1})
	if err != nil {
		panic(err)
	}
	return h
}

// streamCases are small streams of every kind and column layout.
var streamCases = []struct {
	name string
	h    Header
	row  func(b *Builder, i int) error
}{
	{"samples of varying size", testHeader(KindSample, Size{}, false), func(b *Builder, i int) error { return b.AppendSample(testSample(i, 4+i, 6, i%2 == 0)) }},
	{"labelled samples of varying size", testHeader(KindSample, Size{}, true), func(b *Builder, i int) error { return b.AppendSample(testSample(i, 4+i, 6, true)) }},
	{"samples of one size", testHeader(KindSample, Size{4, 6}, true), func(b *Builder, i int) error { return b.AppendSample(testSample(i, 4, 6, true)) }},
	{"unlabelled samples of one size", testHeader(KindSample, Size{4, 6}, false), func(b *Builder, i int) error { return b.AppendSample(testSample(i, 4, 6, false)) }},
	{"pseudo-labelled samples of varying size", pseudoHeader(Size{}), func(b *Builder, i int) error { return b.AppendSample(testPseudo(i, 4+i, 6)) }},
	{"pseudo-labelled samples of one size", pseudoHeader(Size{4, 6}), func(b *Builder, i int) error { return b.AppendSample(testPseudo(i, 4, 6)) }},
	{"mixes of varying size", testHeader(KindMix, Size{}, true), func(b *Builder, i int) error { return b.AppendMix(testMix(i, 4+i, 6)) }},
	{"mixes of one size", testHeader(KindMix, Size{4, 6}, true), func(b *Builder, i int) error { return b.AppendMix(testMix(i, 4, 6)) }},
	{"labelled pairs", testHeader(KindPair, Size{8, 8}, true), func(b *Builder, i int) error { return b.AppendPair(testPair(i, 8, true)) }},
	{"unlabelled pairs", testHeader(KindPair, Size{8, 8}, false), func(b *Builder, i int) error { return b.AppendPair(testPair(i, 8, false)) }},
}

func testStream(t testing.TB, h Header, row func(b *Builder, i int) error, batches, rows int) Stream {
	t.Helper()
	return Stream{h, func(yield func(*Batch, error) bool) {
		for n := range batches {
			b := NewBuilder(h)
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

func encode(t testing.TB, s Stream) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(context.Background(), &b, s); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// rowsOf reads a stream to its end.
func rowsOf(r io.Reader) (h Header, rows []any, err error) {
	s, err := Read(context.Background(), r)
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
			case KindSample:
				row, err = b.Sample(i)
			case KindMix:
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
	for _, c := range streamCases {
		t.Run(c.name, func(t *testing.T) {
			data := encode(t, testStream(t, c.h, c.row, 3, 2))
			h, rows, err := rowsOf(bytes.NewReader(data))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(h, c.h) {
				t.Errorf("header %+v, want %+v", h, c.h)
			}
			if len(rows) != 6 {
				t.Fatalf("%d rows", len(rows))
			}
			var want any
			switch c.h.Kind {
			case KindSample:
				want = testSample(5, rows[5].(Sample).Image.Height(), 6, c.h.Labelled)
				if c.h.Pseudo {
					want = testPseudo(5, rows[5].(Sample).Image.Height(), 6)
				}
			case KindMix:
				want = testMix(5, rows[5].(Mix).Image.Height(), 6)
			default:
				want = testPair(5, 8, c.h.Labelled)
			}
			if !reflect.DeepEqual(rows[5], want) {
				t.Errorf("row 5 is\n%+v\nwant\n%+v", rows[5], want)
			}
			if again := encode(t, testStream(t, c.h, c.row, 3, 2)); !bytes.Equal(data, again) {
				t.Error("written twice, the bytes differ")
			}
		})
	}
}

func TestOnlyStreamsOfPseudoLabelsKeepConfidence(t *testing.T) {
	h := testHeader(KindSample, Size{4, 6}, true)
	bytesOf := func(s Sample) []byte {
		return encode(t, testStream(t, h, func(b *Builder, _ int) error { return b.AppendSample(s) }, 1, 1))
	}
	if !bytes.Equal(bytesOf(testSample(3, 4, 6, true)), bytesOf(testPseudo(3, 4, 6))) {
		t.Error("a confidence changed the bytes of a stream that has none")
	}
	for name, h := range map[string]Header{
		"unlabelled": func() Header { h := pseudoHeader(Size{}); h.Labelled = false; return h }(),
		"mixes":      func() Header { h := pseudoHeader(Size{}); h.Kind = KindMix; return h }(),
	} {
		if h.Validate() == nil {
			t.Errorf("%s: a header with pseudo-labels was accepted", name)
		}
	}
	for _, c := range []float32{-0.1, 1.1, float32(math.NaN())} {
		s := testPseudo(1, 4, 6)
		s.Confidence = c
		if NewBuilder(pseudoHeader(Size{4, 6})).AppendSample(s) == nil {
			t.Errorf("a confidence of %v was accepted", c)
		}
	}
}

// TestRowsOutliveTheirStream collects the rows of a stream again, once its
// batches are gone.
func TestRowsOutliveTheirStream(t *testing.T) {
	c := streamCases[len(streamCases)-6]
	if !c.h.Pseudo {
		t.Fatalf("case %q has no pseudo-labels", c.name)
	}
	data := encode(t, testStream(t, c.h, c.row, 3, 2))
	s, err := Read(t.Context(), bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var rows []Sample
	for row, err := range Rows(s) {
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	again := func(yield func(Sample, error) bool) {
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
	if !bytes.Equal(encode(t, Collect(s.Header, 2, again)), data) {
		t.Error("collected again, the bytes differ")
	}
}

func TestEmptyStreamIsWhole(t *testing.T) {
	data := encode(t, testStream(t, streamCases[0].h, streamCases[0].row, 0, 0))
	if _, rows, err := rowsOf(bytes.NewReader(data)); err != nil || len(rows) != 0 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

func TestEveryCutIsReported(t *testing.T) {
	for _, c := range streamCases {
		t.Run(c.name, func(t *testing.T) {
			data := encode(t, testStream(t, c.h, c.row, 2, 2))
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
	for _, c := range streamCases {
		t.Run(c.name, func(t *testing.T) {
			data := encode(t, testStream(t, c.h, c.row, 2, 2))
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
	c := streamCases[2]
	broken := errors.New("broken")
	s := testStream(t, c.h, c.row, 2, 2)
	whole := s.Batches
	s.Batches = func(yield func(*Batch, error) bool) {
		for b, err := range whole {
			if !yield(b, err) {
				return
			}
		}
		yield(nil, broken)
	}
	var out bytes.Buffer
	if err := Write(context.Background(), &out, s); !errors.Is(err, broken) {
		t.Fatalf("error %v", err)
	}
	if _, _, err := rowsOf(&out); err == nil {
		t.Error("what was written before the error reads as a whole stream")
	}
}

func TestClosedPipeIsRecognised(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r.Close()
	c := streamCases[0]
	if err := Write(context.Background(), w, testStream(t, c.h, c.row, 1, 1)); !errors.Is(err, ErrClosedPipe) {
		t.Errorf("error %v", err)
	}
}

func TestDatasets(t *testing.T) {
	ctx := context.Background()
	for _, c := range streamCases {
		t.Run(c.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "set")
			m, err := WriteDataset(ctx, dir, testStream(t, c.h, c.row, 6, 2), WriteOptions{ShardBytes: 500})
			if err != nil {
				t.Fatal(err)
			}
			if m.Rows != 12 || len(m.Shards) < 2 {
				t.Fatalf("%d rows in %d shards", m.Rows, len(m.Shards))
			}
			if err := verifyAll(t, dir); err != nil {
				t.Fatal(err)
			}
			d, err := OpenDataset(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			if !bytes.Equal(encode(t, d.Stream(ctx)), encode(t, testStream(t, c.h, c.row, 6, 2))) {
				t.Error("the dataset's stream differs from what was written")
			}
			seen := map[string]bool{}
			shuffled, err := d.Shuffled(ctx, d.Cursor(PermutationOrder, 1, 0), 0, 1, 5)
			if err != nil {
				t.Fatal(err)
			}
			for b, err := range shuffled.Batches {
				if err != nil {
					t.Fatal(err)
				}
				for _, id := range b.IDs() {
					seen[id] = true
				}
			}
			if len(seen) != 12 {
				t.Errorf("shuffled, %d of 12 rows appear", len(seen))
			}
			if _, err := WriteDataset(ctx, dir, testStream(t, c.h, c.row, 1, 1), WriteOptions{}); err == nil {
				t.Error("overwrote without Force")
			}
			if _, err := WriteDataset(ctx, dir, testStream(t, c.h, c.row, 1, 1), WriteOptions{Force: true}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestDamagedDatasetsAreReported(t *testing.T) {
	ctx := context.Background()
	c := streamCases[2]
	write := func(t *testing.T) (dir, shard string) {
		dir = filepath.Join(t.TempDir(), "set")
		m, err := WriteDataset(ctx, dir, testStream(t, c.h, c.row, 2, 2), WriteOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return dir, filepath.Join(dir, m.Shards[0].File)
	}
	t.Run("every byte of a shard, by verify", func(t *testing.T) {
		dir, shard := write(t)
		data, err := os.ReadFile(shard)
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(data); at += 7 {
			damaged := bytes.Clone(data)
			damaged[at] ^= 0x10
			if err := os.WriteFile(shard, damaged, 0o644); err != nil {
				t.Fatal(err)
			}
			if err := verifyAll(t, dir); err == nil || !strings.Contains(err.Error(), "part-00000.arrow") {
				t.Fatalf("byte %d: %v", at, err)
			}
		}
	})
	t.Run("a pixel, by reading", func(t *testing.T) {
		dir, shard := write(t)
		data, err := os.ReadFile(shard)
		if err != nil {
			t.Fatal(err)
		}
		at := bytes.Index(data, testSample(1, 4, 6, true).Image.Pix()[:12])
		if at < 0 {
			t.Fatal("pixels not found in the shard")
		}
		data[at] ^= 1
		if err := os.WriteFile(shard, data, 0o644); err != nil {
			t.Fatal(err)
		}
		d, err := OpenDataset(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer d.Close()
		var out bytes.Buffer
		if err := Write(ctx, &out, d.Stream(ctx)); err == nil || !strings.Contains(err.Error(), "row 1 (gta/train/00001) is damaged") {
			t.Errorf("error %v", err)
		}
	})
	for name, damage := range map[string]func(dir, shard string) error{
		"no manifest":   func(dir, shard string) error { return os.Remove(filepath.Join(dir, ManifestFile)) },
		"missing shard": func(dir, shard string) error { return os.Remove(shard) },
		"short shard":   func(dir, shard string) error { return os.Truncate(shard, 100) },
		"escaping name": func(dir, shard string) error {
			return os.WriteFile(filepath.Join(dir, ManifestFile), []byte(`{"format":"pipa-dataset/1","shards":[{"file":"../x"}]}`), 0o644)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, shard := write(t)
			if err := damage(dir, shard); err != nil {
				t.Fatal(err)
			}
			if _, err := OpenDataset(dir); err == nil {
				t.Error("opened")
			}
		})
	}
}

func TestInterruptedDatasetLeavesNothing(t *testing.T) {
	c := streamCases[2]
	parent := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	_, err := WriteDataset(ctx, filepath.Join(parent, "set"), testStream(t, c.h, c.row, 50, 2), WriteOptions{ShardBytes: 300, Progress: func(rows int) {
		if rows > 10 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	entries, err := os.ReadDir(parent)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) > 0 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestBuilderRefuses(t *testing.T) {
	h := testHeader(KindSample, Size{4, 6}, true)
	for name, s := range map[string]Sample{
		"another size": testSample(0, 5, 6, true),
		"no label":     testSample(0, 4, 6, false),
		"dataset":      func() Sample { s := testSample(0, 4, 6, true); s.Dataset = "kitti"; return s }(),
		"label's size": func() Sample { s := testSample(0, 4, 6, true); s.Label = NewRaster(4, 5, 1); return s }(),
		"grey image":   func() Sample { s := testSample(0, 4, 6, true); s.Image = NewRaster(4, 6, 1); return s }(),
		"no image":     {ID: "x", Dataset: "gta"},
		"giant image":  {ID: "x", Dataset: "gta", Image: NewRaster(6000, 6000, 3), Label: NewRaster(6000, 6000, 1)},
	} {
		t.Run(name, func(t *testing.T) {
			b := NewBuilder(h)
			if err := b.AppendSample(s); err == nil {
				t.Error("appended")
			}
			if b.Len() != 0 {
				t.Error("a refused row counts")
			}
			if err := b.AppendSample(testSample(0, 4, 6, true)); err != nil {
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

func TestTensorIsTheMinibatch(t *testing.T) {
	c := streamCases[2]
	for b, err := range testStream(t, c.h, c.row, 1, 3).Batches {
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
			t.Error("the row's raster is no view into the tensor")
		}
		if _, _, err := b.Tensor("mask"); err == nil {
			t.Error("a column that is not there was found")
		}
	}
}

func TestLimitRebatchZip(t *testing.T) {
	c := streamCases[2]
	count := func(s Stream) (batches, rows int) {
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
		if _, rows := count(Limit(testStream(t, c.h, c.row, 6, 2), n)); rows != want {
			t.Errorf("limited to %d: %d rows", n, rows)
		}
	}
	if batches, rows := count(Rebatch(testStream(t, c.h, c.row, 6, 2), 5)); batches != 3 || rows != 12 {
		t.Errorf("regrouped by 5: %d batches, %d rows", batches, rows)
	}
	for _, rightRows := range []int{3, 7, 12, 20} {
		matched := 0
		for m, err := range Zip(testStream(t, c.h, c.row, 6, 2), Limit(testStream(t, c.h, c.row, 10, 3), rightRows)) {
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
	c := streamCases[0]
	s, err := Summarize(testStream(t, c.h, c.row, 3, 2))
	if err != nil {
		t.Fatal(err)
	}
	if s.Rows != 6 || s.Batches != 3 || s.Labelled != 3 || s.Smallest != (Size{4, 6}) || s.Largest != (Size{9, 6}) {
		t.Errorf("%+v", s)
	}
	var labelled int64
	for _, n := range s.Pixels {
		labelled += n
	}
	if want := int64(6 * (4 + 6 + 8)); labelled != want {
		t.Errorf("%d label pixels, want %d", labelled, want)
	}
}

func FuzzRead(f *testing.F) {
	for _, c := range streamCases {
		f.Add(encode(f, testStream(f, c.h, c.row, 2, 1)))
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

// verifyAll re-hashes every shard of a dataset.
func verifyAll(t *testing.T, dir string) error {
	t.Helper()
	m, err := readManifest(dir)
	if err != nil {
		return err
	}
	var bad []error
	for _, s := range m.Shards {
		f, err := os.Open(filepath.Join(dir, s.File))
		if err != nil {
			return err
		}
		if err := s.Verify(t.Context(), f); err != nil {
			bad = append(bad, fmt.Errorf("%s: %w", s.File, err))
		}
		f.Close()
	}
	return errors.Join(bad...)
}
