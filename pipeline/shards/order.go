package shards

import (
	"context"
	"fmt"
	"sort"

	"github.com/pipa-uda/pipa/pipeline"
)

// An Order names a way to walk a dataset's rows, every row once in an epoch. The
// number is its version: one name always means the same walk.
type Order string

const (
	// PermutationOrder draws from all rows: for random access, from memory or a
	// local disk.
	PermutationOrder Order = "permutation/1"
	// WindowOrder draws the shards, and takes rows from a few of them at a time:
	// for storage that is read best from the front.
	WindowOrder Order = "window/1"
)

// windowShards are the shards of a window of WindowOrder.
const windowShards = 4

// Orders are the known orders.
func Orders() []Order { return []Order{PermutationOrder, WindowOrder} }

// A Walk is one epoch's order of a dataset.
type Walk struct {
	rows    int
	all     pipeline.Permutation // PermutationOrder
	windows []window             // WindowOrder, else nil
}

// window is a run of a walk: the rows of a few shards.
type window struct {
	start  int // in the walk
	order  pipeline.Permutation
	shards []shardRows
}

// shardRows are a shard's rows in the dataset, and where they begin among its
// window's.
type shardRows struct{ first, start int }

// Walk is the order of an epoch.
func (d *Dataset) Walk(o Order, seed, epoch uint64) (Walk, error) {
	key := func(part string) pipeline.Key { return pipeline.NewKey(seed, epoch, "shuffle", d.manifest.Digest+part) }
	w := Walk{rows: d.Len()}
	switch o {
	case PermutationOrder:
		w.all = pipeline.NewPermutation(key(""), d.Len())
		return w, nil
	case WindowOrder:
	default:
		return w, fmt.Errorf("no order %q: want one of %q", o, Orders())
	}
	first := make([]int, len(d.manifest.Shards))
	row := 0
	for i, s := range d.manifest.Shards {
		first[i] = row
		row += s.Rows
	}
	shards := pipeline.NewPermutation(key(" shards"), len(first))
	start := 0
	for at := 0; at < len(first); at += windowShards {
		v := window{start: start}
		n := 0
		for k := at; k < min(at+windowShards, len(first)); k++ {
			s := shards.At(k)
			v.shards = append(v.shards, shardRows{first[s], n})
			n += d.manifest.Shards[s].Rows
		}
		v.order = pipeline.NewPermutation(key(fmt.Sprintf(" window %d", at/windowShards)), n)
		w.windows = append(w.windows, v)
		start += n
	}
	return w, nil
}

// Len is the number of rows.
func (w Walk) Len() int { return w.rows }

// At is the k-th row, 0 ≤ k < Len.
func (w Walk) At(k int) int {
	if w.windows == nil {
		return w.all.At(k)
	}
	v := w.windows[sort.Search(len(w.windows), func(i int) bool { return w.windows[i].start > k })-1]
	at := v.order.At(k - v.start)
	s := v.shards[sort.Search(len(v.shards), func(i int) bool { return v.shards[i].start > at })-1]
	return s.first + at - s.start
}

// A Cursor is the whole state of a reader that shuffles: it names the next row
// of all, and knows of no ranks or workers.
type Cursor struct {
	Digest string `json:"digest"` // of the dataset
	Order  Order  `json:"order"`
	Seed   uint64 `json:"seed"`
	Epoch  uint64 `json:"epoch"`
	Next   int    `json:"next"` // index in the epoch's walk, of all ranks together
}

// Cursor begins an epoch.
func (d *Dataset) Cursor(o Order, seed, epoch uint64) Cursor {
	return Cursor{Digest: d.manifest.Digest, Order: o, Seed: seed, Epoch: epoch}
}

// ShuffledRows is the number of rows that Shuffled yields.
func (d *Dataset) ShuffledRows(c Cursor, rank, ranks, rows int) int {
	n := 0
	for at := c.Next + rank*rows; at < d.Len(); at += ranks * rows {
		n += min(rows, d.Len()-at)
	}
	return n
}

// Shuffled yields the rows from a cursor to the end of its epoch. Ranks share
// the rows: of every ranks*rows of them, rank takes the rank-th rows, so that
// the ranks' batches side by side are what one rank would get with batches of
// ranks*rows.
func (d *Dataset) Shuffled(ctx context.Context, c Cursor, rank, ranks, rows int) (pipeline.Stream, error) {
	if c.Digest != d.manifest.Digest {
		return pipeline.Stream{}, fmt.Errorf("shuffle %s: the cursor is of a dataset with digest %s, this one has %s", d.dir, c.Digest, d.manifest.Digest)
	}
	if rank < 0 || rank >= ranks || rows < 1 || c.Next < 0 || c.Next > d.Len() {
		return pipeline.Stream{}, fmt.Errorf("shuffle %s: rank %d of %d, batches of %d from row %d of %d", d.dir, rank, ranks, rows, c.Next, d.Len())
	}
	walk, err := d.Walk(c.Order, c.Seed, c.Epoch)
	if err != nil {
		return pipeline.Stream{}, fmt.Errorf("shuffle %s: %w", d.dir, err)
	}
	return pipeline.Stream{Header: d.header, Batches: func(yield func(*pipeline.Batch, error) bool) {
		for at := c.Next + rank*rows; at < d.Len(); at += ranks * rows {
			if ctx.Err() != nil {
				yield(nil, context.Cause(ctx))
				return
			}
			b, err := d.gather(walk, at, min(at+rows, d.Len()))
			if !yield(b, err) || err != nil {
				return
			}
		}
	}}, nil
}

func (d *Dataset) gather(walk Walk, from, to int) (*pipeline.Batch, error) {
	out := pipeline.NewBuilder(d.header)
	defer out.Release()
	for i := from; i < to; i++ {
		if err := d.AppendRow(out, walk.At(i)); err != nil {
			return nil, err
		}
	}
	return out.Batch()
}
