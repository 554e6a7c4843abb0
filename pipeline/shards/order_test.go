package shards

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// orderSet is a dataset of n rows, each a sample named by its number, in shards
// of uneven length.
func orderSet(t *testing.T, n int) *Dataset {
	t.Helper()
	h := pipeline.Header{Kind: pipeline.KindSample, Classes: []string{"a", "b"}, Datasets: []string{"set"}, Size: raster.Size{Height: 2, Width: 2}}
	read := func(i int) pipeline.Sample {
		return pipeline.Sample{ID: fmt.Sprintf("set/train/%03d", i), Dataset: "set", Split: "train", Image: raster.New(2, 2, 3)}
	}
	dir := filepath.Join(t.TempDir(), "set")
	batches := func(yield func(*pipeline.Batch, error) bool) {
		for at := 0; at < n; {
			out := pipeline.NewBuilder(h)
			for range min(1+at%3, n-at) {
				if err := out.AppendSample(read(at)); err != nil {
					t.Error(err)
				}
				at++
			}
			if b, err := out.Batch(); !yield(b, err) || err != nil {
				return
			}
		}
	}
	if _, err := Write(t.Context(), dir, pipeline.Stream{Header: h, Batches: batches}, WriteOptions{ShardBytes: 200}); err != nil {
		t.Fatal(err)
	}
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// ids walks from a cursor.
func ids(t *testing.T, d *Dataset, c Cursor, rank, ranks, rows int) (batches [][]string) {
	t.Helper()
	s, err := d.Shuffled(t.Context(), c, rank, ranks, rows)
	if err != nil {
		t.Fatal(err)
	}
	for b, err := range s.Batches {
		if err != nil {
			t.Fatal(err)
		}
		batches = append(batches, b.IDs())
		b.Release()
	}
	return batches
}

func TestOrdersVisitEveryRowOnce(t *testing.T) {
	d := orderSet(t, 57)
	if len(d.Manifest().Shards) < 2*windowShards {
		t.Fatalf("%d shards", len(d.Manifest().Shards))
	}
	for _, o := range Orders() {
		t.Run(string(o), func(t *testing.T) {
			walks := map[string]bool{}
			for _, key := range [][2]uint64{{1, 0}, {1, 1}, {2, 0}} {
				w, err := d.Walk(o, key[0], key[1])
				if err != nil {
					t.Fatal(err)
				}
				var rows []int
				for k := range w.Len() {
					rows = append(rows, w.At(k))
				}
				walks[fmt.Sprint(rows)] = true
				slices.Sort(rows)
				for i, r := range rows {
					if i != r {
						t.Fatalf("rows %v", rows)
					}
				}
			}
			if len(walks) != 3 {
				t.Errorf("seeds and epochs give %d walks, want 3", len(walks))
			}
		})
	}
}

// TestAWindowTouchesFewShards: that is what the order is for.
func TestAWindowTouchesFewShards(t *testing.T) {
	d := orderSet(t, 57)
	w, err := d.Walk(WindowOrder, 3, 0)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	done := map[int]int{}
	for k := range w.Len() {
		batch, _ := d.Find(w.At(k))
		shard := d.where[batch][0]
		seen[shard] = true
		if done[shard]++; done[shard] == d.Manifest().Shards[shard].Rows {
			delete(seen, shard)
		}
		if len(seen) > windowShards {
			t.Fatalf("at row %d, %d shards are open", k, len(seen))
		}
	}
}

// TestResumingInMidEpochEqualsNoInterruption, for 1, 2 and 4 ranks, which
// together read what one does.
func TestResumingInMidEpochEqualsNoInterruption(t *testing.T) {
	const global = 8 // rows of all ranks' batches
	d := orderSet(t, 57)
	for _, o := range Orders() {
		start := d.Cursor(o, 5, 2)
		whole := ids(t, d, start, 0, 1, global)
		for _, ranks := range []int{1, 2, 4} {
			for _, cut := range []int{0, 3, 7} {
				from := start
				from.Next = cut * global
				joined := make([][]string, len(whole)-cut)
				for rank := range ranks {
					for i, b := range ids(t, d, from, rank, ranks, global/ranks) {
						joined[i] = append(joined[i], b...)
					}
				}
				if fmt.Sprint(joined) != fmt.Sprint(whole[cut:]) {
					t.Errorf("%s, %d ranks from batch %d:\n%v\nwant\n%v", o, ranks, cut, joined, whole[cut:])
				}
			}
		}
	}
}

func TestCursorsAreChecked(t *testing.T) {
	d := orderSet(t, 9)
	good := d.Cursor(WindowOrder, 1, 0)
	for name, c := range map[string]struct {
		edit        func(*Cursor)
		rank, ranks int
		want        string
	}{
		"another dataset": {func(c *Cursor) { c.Digest = "0" }, 0, 1, "the cursor is of a dataset with digest 0"},
		"unknown order":   {func(c *Cursor) { c.Order = "zigzag/1" }, 0, 1, `no order "zigzag/1"`},
		"past the end":    {func(c *Cursor) { c.Next = 10 }, 0, 1, "from row 10 of 9"},
		"no such rank":    {func(*Cursor) {}, 2, 2, "rank 2 of 2"},
	} {
		cursor := good
		c.edit(&cursor)
		if _, err := d.Shuffled(t.Context(), cursor, c.rank, c.ranks, 2); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
