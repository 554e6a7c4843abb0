package feed

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sync"

	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/loader"
	"github.com/pipa-uda/pipa/pipeline"
)

// MaxBad says how many samples that cannot be read a run may leave out: a number, or
// a share of all.
type MaxBad struct {
	Number  int
	Percent float64
}

// of is the number, of so many samples.
func (m MaxBad) of(samples int) int {
	return max(m.Number, int(math.Floor(m.Percent/100*float64(samples))))
}

// LeftOut is a sample that a run leaves out, and why.
type LeftOut struct {
	ID     string `json:"id"`
	File   string `json:"file"`
	Reason string `json:"reason"`
}

// Bad are the samples that a run leaves out. Training draws another one of the same
// side in place of each, always the same; the class statistics do not count it, and a
// score passes over it. It is safe for concurrent use; a nil one leaves none out.
type Bad struct {
	Most MaxBad
	Log  *slog.Logger

	mu      sync.Mutex
	samples int // of all sides
	left    []LeftOut
	list    func(LeftOut) error // that lists them, once there is a place for it; nil before
	listed  int
}

// A TooManyBadError says that a sample cannot be read, and that no more may be left
// out.
type TooManyBadError struct {
	Bad, Most int
	Err       error // the last one's
}

func (e *TooManyBadError) Error() string {
	if e.Most == 0 {
		return e.Err.Error()
	}
	return fmt.Sprintf("%d samples cannot be read, and %d may be left out; the last: %v", e.Bad, e.Most, e.Err)
}

// Unwrap is why the last one cannot be read.
func (e *TooManyBadError) Unwrap() error { return e.Err }

// expect says that there are so many samples more.
func (b *Bad) expect(samples int) {
	if b != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.samples += samples
	}
}

// Skip takes the error of a sample: nil leaves the sample out.
func (b *Bad) Skip(err error) error {
	var p formats.Problem
	if b == nil || !errors.As(err, &p) {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if slices.ContainsFunc(b.left, func(l LeftOut) bool { return l.ID == p.ID }) {
		return nil
	}
	most := b.Most.of(b.samples)
	if len(b.left) >= most {
		return &TooManyBadError{len(b.left) + 1, most, err}
	}
	b.left = append(b.left, LeftOut{ID: p.ID, File: p.File, Reason: p.Err.Error()})
	b.Log.Warn("left out "+p.ID, "reason", p.Error())
	return b.write()
}

// Count is how many are left out.
func (b *Bad) Count() int {
	if b == nil {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.left)
}

// Resume takes what an earlier part of the run has left out, which counts, and is
// left out again.
func (b *Bad) Resume(before []LeftOut) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.left, b.listed = before, len(before)
}

// List lists those that are left out, so far and from now on, but for those that were
// before.
func (b *Bad) List(list func(LeftOut) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.list = list
	return b.write()
}

// write lists what is not listed yet.
func (b *Bad) write() error {
	for ; b.list != nil && b.listed < len(b.left); b.listed++ {
		if err := b.list(b.left[b.listed]); err != nil {
			return err
		}
	}
	return nil
}

// spared are images of which those that cannot be read give way to others.
type spared struct {
	loader.Images
	bad  *Bad
	seed uint64
}

// Visit implements [loader.Images]. What takes an image's place is drawn by its
// number, so that it is the same whenever, and by whomever, the image is asked for.
func (s spared) Visit(ctx context.Context, i int, use func(loader.Item) error) error {
	err := s.Images.Visit(ctx, i, use)
	if err == nil {
		return nil
	}
	draw := pipeline.NewKey(s.seed, uint64(i), "in place of", s.Digest()).Rand()
	for range 100 { // where that many are bad in turn, nearly all are
		if err = s.bad.Skip(err); err != nil {
			return err
		}
		if err = s.Images.Visit(ctx, draw.IntN(s.Len()), use); err == nil {
			return nil
		}
	}
	return err
}
