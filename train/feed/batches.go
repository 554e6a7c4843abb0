package feed

import (
	"context"

	"github.com/pipa-uda/pipa/pipeline"
)

// Running are the feeds under way.
type Running struct {
	source, target, pairs  func() (*pipeline.Batch, error)
	targetStart, pairStart int // first iterations that have these
	stops                  []func()
}

// Start begins the feeds at an iteration; targets come from targetStart on,
// pairs from pairStart.
func (f *Feeds) Start(ctx context.Context, iteration, targetStart, pairStart int) *Running {
	p := &Running{targetStart: targetStart, pairStart: pairStart}
	begin := func(f Feed, from int) func() (*pipeline.Batch, error) {
		if f == nil {
			return nil
		}
		next, stop := Pull(ctx, f, from)
		p.stops = append(p.stops, stop)
		return next
	}
	p.source = begin(f.Source, iteration)
	p.target = begin(f.Target, max(iteration-targetStart, 0))
	p.pairs = begin(f.Pairs, max(iteration-pairStart, 0))
	return p
}

// Stop ends the feeds; it must be called.
func (p *Running) Stop() {
	for _, s := range p.stops {
		s()
	}
}

// Batch is what one step sees; Target and Pairs may be nil.
type Batch struct{ Source, Target, Pairs *pipeline.Batch }

// Next is the batch of an iteration.
func (p *Running) Next(iteration int) (b Batch, err error) {
	defer func() {
		if err != nil {
			b.Release()
		}
	}()
	if b.Source, err = p.source(); err != nil {
		return b, err
	}
	if p.target != nil && iteration >= p.targetStart {
		if b.Target, err = p.target(); err != nil {
			return b, err
		}
	}
	if p.pairs != nil && iteration >= p.pairStart {
		b.Pairs, err = p.pairs()
	}
	return b, err
}

func (b Batch) each() []*pipeline.Batch {
	var all []*pipeline.Batch
	for _, x := range []*pipeline.Batch{b.Source, b.Target, b.Pairs} {
		if x != nil {
			all = append(all, x)
		}
	}
	return all
}

// Images counts the source's and the target's.
func (b Batch) Images() int {
	n := b.Source.Len()
	if b.Target != nil {
		n += b.Target.Len()
	}
	return n
}

// Release releases all of them.
func (b Batch) Release() {
	for _, x := range b.each() {
		x.Release()
	}
}

// IDs are those of the samples.
func (b Batch) IDs() []string {
	var ids []string
	for _, x := range b.each() {
		ids = append(ids, x.IDs()...)
	}
	return ids
}
