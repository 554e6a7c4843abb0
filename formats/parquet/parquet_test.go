package parquet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"go.uber.org/goleak"
)

// raster is filled from a key, so that equal arguments give equal pixels.
func testRaster(id string, h, w, c, values int) raster.Raster {
	r := raster.New(h, w, c)
	rng := pipeline.NewKey(1, 2, "test", id).Rand()
	for i := range r.Pix() {
		r.Pix()[i] = byte(rng.IntN(values))
	}
	return r
}

// label has train IDs 0..18, and 255.
func label(id string, h, w int) raster.Raster {
	r := testRaster(id+" label", h, w, 1, 19)
	r.Pix()[0] = 255
	return r
}

func sample(i, h, w int, labeled bool) pipeline.Sample {
	dataset := []string{"gta", "cityscapes"}[i%2]
	s := pipeline.Sample{ID: fmt.Sprintf("%s/train/%05d", dataset, i), Dataset: dataset, Split: "train"}
	s.Image = testRaster(s.ID, h, w, 3, 256)
	if labeled {
		s.Label = label(s.ID, h, w)
	}
	return s
}

func mix(i, h, w int) pipeline.Mix {
	s := sample(i, h, w, true)
	return pipeline.Mix{Sample: s, TargetID: fmt.Sprintf("cityscapes/train/%d", i), Mask: testRaster(s.ID+" mask", h, w, 1, 2),
		Classes: []raster.TrainID{1, 7, 11}[:i%4], Weight: 0.25 * float32(i%5)}
}

func pair(i, side int, labeled bool) pipeline.Pair {
	id := fmt.Sprintf("cityscapes/train/%05d", i)
	p := pipeline.Pair{ID: id, Scale: 1.25,
		A: pipeline.Crop{Image: testRaster(id+"a", side, side, 3, 256), Overlap: raster.Box{Y1: side / 2, X1: side / 2}, Flip: i%2 == 0, Origin: [2]int{3, 4}},
		B: pipeline.Crop{Image: testRaster(id+"b", side, side, 3, 256), Overlap: raster.Box{Y0: side / 2, X0: side / 2, Y1: side, X1: side}, Flip: i%3 == 0, Origin: [2]int{7, 8}}}
	if labeled {
		p.A.Label, p.B.Label = label(id+"a", side, side), label(id+"b", side, side)
	}
	return p
}

func header(kind pipeline.Kind, size raster.Size, labeled bool) pipeline.Header {
	h := pipeline.Header{Kind: kind, Seed: 7, Classes: raster.CityscapesClasses(), Datasets: []string{"gta", "cityscapes"}, Size: size, Labeled: labeled}
	h, err := h.With("test", map[string]any{"a": 1, "b": "<&>"})
	if err != nil {
		panic(err)
	}
	return h
}

func pseudo(h pipeline.Header) pipeline.Header {
	h.Pseudo, h.Colors = true, raster.Palette(h.Classes, nil)
	return h
}

// cases are small streams of every kind and layout.
var cases = []struct {
	name string
	h    pipeline.Header
	row  func(b *pipeline.Builder, i int) error
}{
	{"samples of varying size", header(pipeline.KindSample, raster.Size{}, false), func(b *pipeline.Builder, i int) error { return b.AppendSample(sample(i, 4+i, 6, i%3 > 0)) }},
	{"samples of one size", header(pipeline.KindSample, raster.Size{Height: 4, Width: 6}, true), func(b *pipeline.Builder, i int) error { return b.AppendSample(sample(i, 4, 6, true)) }},
	{"unlabelled samples", header(pipeline.KindSample, raster.Size{Height: 4, Width: 6}, false), func(b *pipeline.Builder, i int) error { return b.AppendSample(sample(i, 4, 6, false)) }},
	{"pseudo-labeled samples", pseudo(header(pipeline.KindSample, raster.Size{Height: 4, Width: 6}, true)), func(b *pipeline.Builder, i int) error {
		s := sample(i, 4, 6, true)
		s.Confidence = float32(i%5) / 4
		return b.AppendSample(s)
	}},
	{"mixes of varying size", header(pipeline.KindMix, raster.Size{}, true), func(b *pipeline.Builder, i int) error { return b.AppendMix(mix(i, 4+i, 6)) }},
	{"mixes of one size", header(pipeline.KindMix, raster.Size{Height: 4, Width: 6}, true), func(b *pipeline.Builder, i int) error { return b.AppendMix(mix(i, 4, 6)) }},
	{"labeled pairs", header(pipeline.KindPair, raster.Size{Height: 8, Width: 8}, true), func(b *pipeline.Builder, i int) error { return b.AppendPair(pair(i, 8, true)) }},
	{"unlabelled pairs", header(pipeline.KindPair, raster.Size{Height: 8, Width: 8}, false), func(b *pipeline.Builder, i int) error { return b.AppendPair(pair(i, 8, false)) }},
}

// stream is of batches of 3 rows.
func stream(h pipeline.Header, row func(b *pipeline.Builder, i int) error, rows int) pipeline.Stream {
	return pipeline.Stream{Header: h, Batches: func(yield func(*pipeline.Batch, error) bool) {
		b := pipeline.NewBuilder(h)
		for i := range rows {
			if err := row(b, i); err != nil {
				yield(nil, err)
				return
			}
			if b.Len() == 3 || i == rows-1 {
				if batch, err := b.Batch(); !yield(batch, err) || err != nil {
					return
				}
			}
		}
	}}
}

// arrowOf is a stream in batches of one row, as bytes: two streams are equal
// where these are.
func arrowOf(t testing.TB, s pipeline.Stream) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := pipeline.Write(context.Background(), &b, pipeline.Rebatch(s, 1)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestFoldersComeBackAsTheStream(t *testing.T) {
	defer goleak.VerifyNone(t)
	for _, c := range cases {
		for _, o := range []Options{{}, {ShardBytes: 1000, RowsPerGroup: 2, Compression: "snappy", Workers: 3}} {
			t.Run(fmt.Sprintf("%s, files of %d bytes", c.name, o.ShardBytes), func(t *testing.T) {
				dir := filepath.Join(t.TempDir(), "deep", "out")
				var progress int
				o.Progress = func(rows int) { progress = rows }
				m, err := Write(context.Background(), dir, stream(c.h, c.row, 8), o)
				if err != nil {
					t.Fatal(err)
				}
				if m.Rows != 8 || progress != 8 || (len(m.Files) > 1) != (o.ShardBytes > 0) {
					t.Errorf("manifest %+v, progress %d", m, progress)
				}
				if again, err := ReadManifest(dir); err != nil || !reflect.DeepEqual(again, m) {
					t.Errorf("manifest came back as %+v, %v", again, err)
				}
				s, _, err := Read(context.Background(), dir, 2)
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(s.Header, c.h) {
					t.Errorf("header %+v, want %+v", s.Header, c.h)
				}
				if !bytes.Equal(arrowOf(t, s), arrowOf(t, stream(c.h, c.row, 8))) {
					t.Error("the stream came back different")
				}
			})
		}
	}
}

func TestEmptyStream(t *testing.T) {
	for _, c := range cases {
		dir := filepath.Join(t.TempDir(), "out")
		if _, err := Write(context.Background(), dir, stream(c.h, c.row, 0), Options{}); err != nil {
			t.Fatal(err)
		}
		s, _, err := Read(context.Background(), dir, 1)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(arrowOf(t, s), arrowOf(t, stream(c.h, c.row, 0))) {
			t.Errorf("%s: the empty stream came back different", c.name)
		}
	}
}

// TestBatchesAreGivenBack: a stream that was read overwrites its batches' memory
// with those to come, and with the race detector at once.
func TestBatchesAreGivenBack(t *testing.T) {
	for _, c := range cases {
		read, err := pipeline.Read(context.Background(), bytes.NewReader(arrowOf(t, stream(c.h, c.row, 12))))
		if err != nil {
			t.Fatal(err)
		}
		dir := filepath.Join(t.TempDir(), "out")
		if _, err := Write(context.Background(), dir, read, Options{Workers: 3, RowsPerGroup: 100}); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		s, _, err := Read(context.Background(), dir, 2)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(arrowOf(t, s), arrowOf(t, stream(c.h, c.row, 12))) {
			t.Errorf("%s: the stream came back different", c.name)
		}
	}
}

// TestLargePages: images larger than a page, and more names than a dictionary
// holds.
func TestLargePages(t *testing.T) {
	for name, c := range map[string]struct {
		rows, side, idLen int
	}{"images": {3, 700, 0}, "names": {2000, 1, 1000}} {
		h := header(pipeline.KindSample, raster.Size{}, false)
		row := func(b *pipeline.Builder, i int) error {
			s := sample(i, c.side, c.side, false)
			s.ID += strings.Repeat("x", c.idLen)
			return b.AppendSample(s)
		}
		dir := filepath.Join(t.TempDir(), "out")
		if _, err := Write(context.Background(), dir, stream(h, row, c.rows), Options{RowsPerGroup: maxGroupRows}); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		s, _, err := Read(context.Background(), dir, 2)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(arrowOf(t, s), arrowOf(t, stream(h, row, c.rows))) {
			t.Errorf("%s: the stream came back different", name)
		}
	}
}

// TestARowMayBeLargerThanABatch: 24 megapixels, as cameras make them.
func TestARowMayBeLargerThanABatch(t *testing.T) {
	h := header(pipeline.KindSample, raster.Size{}, true)
	row := func(b *pipeline.Builder, i int) error {
		s := sample(i, 8, 8, true)
		s.Image, s.Label = raster.New(4000, 6000, 3), raster.New(4000, 6000, 1)
		return b.AppendSample(s)
	}
	dir := filepath.Join(t.TempDir(), "out")
	if _, err := Write(context.Background(), dir, stream(h, row, 1), Options{}); err != nil {
		t.Fatal(err)
	}
	s, _, err := Read(context.Background(), dir, 2)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(arrowOf(t, s), arrowOf(t, stream(h, row, 1))) {
		t.Error("the stream came back different")
	}
}

func TestSameBytesForAnyWorkers(t *testing.T) {
	var digests []string
	for _, workers := range []int{1, 5} {
		m, err := Write(context.Background(), filepath.Join(t.TempDir(), "out"), stream(cases[3].h, cases[3].row, 8), Options{Workers: workers, ShardBytes: 1000})
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, m.Digest)
	}
	if digests[0] != digests[1] {
		t.Errorf("digests %q", digests)
	}
}

// TestDigestsAreTheStreams compares the digest column of the Arrow stream with
// the rows' here.
func TestDigestsAreTheStreams(t *testing.T) {
	for _, c := range cases {
		s := stream(c.h, c.row, 5)
		r, err := ipc.NewReader(bytes.NewReader(arrowOf(t, s)))
		if err != nil {
			t.Fatal(err)
		}
		for b, err := range s.Batches {
			if err != nil {
				t.Fatal(err)
			}
			for i := range b.Len() {
				got, err := rowOf(b, i)
				if err != nil {
					t.Fatal(err)
				}
				if err := got.derive(c.h); err != nil {
					t.Fatal(err)
				}
				if !r.Next() {
					t.Fatal(r.Err())
				}
				columns := r.Record().Columns()
				if want := columns[len(columns)-1].(*array.Uint64).Value(0); got.digest != want {
					t.Errorf("%s: digest of %s is %x, want %x", c.name, got.id, got.digest, want)
				}
			}
		}
	}
}

func TestManifestCountsPixels(t *testing.T) {
	h := header(pipeline.KindSample, raster.Size{}, false)
	h.Classes = []string{"road", "sky"}
	s := stream(h, func(b *pipeline.Builder, i int) error {
		s := sample(i, 2, 3, false)
		if i != 2 {
			s.Label = raster.New(2, 3, 1)
			copy(s.Label.Pix(), []byte{0, 1, 1, 255, 255, 0})
		}
		return b.AppendSample(s)
	}, 4)
	m, err := Write(context.Background(), filepath.Join(t.TempDir(), "out"), s, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := []ClassPixels{{"cityscapes", 0, "road", 4}, {"cityscapes", 1, "sky", 4}, {"cityscapes", 255, "ignored", 4},
		{"gta", 0, "road", 2}, {"gta", 1, "sky", 2}, {"gta", 255, "ignored", 2}}
	if !reflect.DeepEqual(m.Pixels, want) {
		t.Errorf("%+v, want %+v", m.Pixels, want)
	}
}

// only fails the test unless dir's parent holds dir alone, or nothing.
func only(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(dir))
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if !reflect.DeepEqual(names, append([]string{}, want...)) {
		t.Errorf("beside the folder lies %q, want %q", names, want)
	}
}

func TestInterruptedWriteLeavesNothing(t *testing.T) {
	defer goleak.VerifyNone(t)
	c := cases[0]
	stop := errors.New("stop")
	t.Run("error of the stream", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "out")
		s := stream(c.h, func(b *pipeline.Builder, i int) error {
			if i == 6 {
				return stop
			}
			return c.row(b, i)
		}, 9)
		if _, err := Write(context.Background(), dir, s, Options{ShardBytes: 300}); !errors.Is(err, stop) {
			t.Errorf("error %v", err)
		}
		only(t, dir)
	})
	t.Run("canceled", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "out")
		ctx, cancel := context.WithCancelCause(context.Background())
		o := Options{ShardBytes: 300, Progress: func(int) { cancel(stop) }}
		if _, err := Write(ctx, dir, stream(c.h, c.row, 30), o); !errors.Is(err, stop) && !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		only(t, dir)
	})
	t.Run("what was there stays", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "out")
		if _, err := Write(context.Background(), dir, stream(c.h, c.row, 3), Options{}); err != nil {
			t.Fatal(err)
		}
		if _, err := Write(context.Background(), dir, stream(c.h, c.row, 4), Options{}); !errors.Is(err, fs.ErrExist) {
			t.Errorf("error %v", err)
		}
		s := stream(c.h, func(*pipeline.Builder, int) error { return stop }, 1)
		if _, err := Write(context.Background(), dir, s, Options{Force: true}); !errors.Is(err, stop) {
			t.Errorf("error %v", err)
		}
		if m, err := ReadManifest(dir); err != nil || m.Rows != 3 {
			t.Errorf("%+v, %v", m, err)
		}
		if m, err := Write(context.Background(), dir, stream(c.h, c.row, 4), Options{Force: true}); err != nil || m.Rows != 4 {
			t.Errorf("%+v, %v", m, err)
		}
		only(t, dir, "out")
	})
}

func TestOptionsAreNamed(t *testing.T) {
	for want, o := range map[string]Options{"ShardBytes": {ShardBytes: -1}, "RowsPerGroup": {RowsPerGroup: maxGroupRows + 1}, "workers": {Workers: -1}, `"gzip"`: {Compression: "gzip"}} {
		if _, err := Write(context.Background(), filepath.Join(t.TempDir(), "out"), stream(cases[0].h, cases[0].row, 1), o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %s", err, want)
		}
	}
}

// TestFilesAreNamedForTheirSplit: datasets' load_dataset knows a split by the names
// of its files.
func TestFilesAreNamedForTheirSplit(t *testing.T) {
	h := header(pipeline.KindSample, raster.Size{}, true)
	for splits, want := range map[string]string{"train,train": "part-00000.parquet", "val,val": "val-00000.parquet", "train,val": "part-00000.parquet", "../x,../x": "part-00000.parquet"} {
		row := func(b *pipeline.Builder, i int) error {
			s := sample(i, 8, 8, true)
			s.Split = strings.Split(splits, ",")[i%2]
			return b.AppendSample(s)
		}
		dir := filepath.Join(t.TempDir(), "out")
		m, err := Write(context.Background(), dir, stream(h, row, 2), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if m.Files[0].File != want {
			t.Errorf("%s: %s, want %s", splits, m.Files[0].File, want)
		}
		if s, _, err := Read(context.Background(), dir, 1); err != nil || !bytes.Equal(arrowOf(t, s), arrowOf(t, stream(h, row, 2))) {
			t.Errorf("%s: it came back different, %v", splits, err)
		}
	}
}
