package torch

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// silence is for how many beats a rank that is taken for dead has given no sign of
// life, though its connections may still stand, as when its host lost its power.
const silence = 15

// store is where the ranks meet: counters that all of them share. Its ending of
// the collectives is this rank's own.
type store interface {
	add(key string, amount int64) (int64, error)
	abort(reason string)
}

// pulse tells the dead ranks from the slow ones: each counts on in the store, once
// a beat, and watches the others do so.
type pulse struct {
	store   store
	rank    int
	beat    time.Duration
	stop    chan struct{}
	stopped sync.WaitGroup

	mu       sync.Mutex
	answered time.Time   // when the store last did
	counts   []int64     // by rank
	changed  []time.Time // when the count last did
	gone     []int       // ranks found dead
}

func newPulse(s store, rank, ranks int, beat time.Duration) *pulse {
	now := time.Now()
	p := &pulse{store: s, rank: rank, beat: beat, stop: make(chan struct{}), answered: now, counts: make([]int64, ranks), changed: slices.Repeat([]time.Time{now}, ranks)}
	p.stopped.Add(2)
	go p.every(p.count)
	go p.every(p.watch)
	return p
}

// every calls f at each beat until it returns false.
func (p *pulse) every(f func() bool) {
	defer p.stopped.Done()
	tick := time.NewTicker(p.beat)
	defer tick.Stop()
	for f() {
		select {
		case <-p.stop:
			return
		case <-tick.C:
		}
	}
}

// count counts on and reads the others' counts, and which ranks have been found
// dead by one of them. It ends where the store does.
func (p *pulse) count() bool {
	for r := range p.counts {
		own := int64(0)
		if r == p.rank {
			own = 1
		}
		n, err := p.store.add(fmt.Sprintf("beat %d", r), own)
		if err != nil {
			return false
		}
		found, err := p.store.add(fmt.Sprintf("lost %d", r), 0)
		if err != nil {
			return false
		}
		p.mu.Lock()
		p.answered = time.Now()
		if n != p.counts[r] {
			p.counts[r], p.changed[r] = n, p.answered
		}
		if found > 0 && !slices.Contains(p.gone, r) {
			p.gone = append(p.gone, r)
		}
		p.mu.Unlock()
	}
	return true
}

// watch aborts the group where a rank, or the store, has fallen silent.
func (p *pulse) watch() bool {
	if lost := p.silent(silence * p.beat); len(lost) > 0 {
		p.store.abort(fmt.Sprintf("rank %s: no sign of life for %v", rankList(lost), silence*p.beat))
		return false
	}
	return true
}

// rankList is ranks in words, as in "1 3".
func rankList(ranks []int) string { return strings.Trim(fmt.Sprint(ranks), "[]") }

// silent lists the ranks that have not counted on for a time, or rank 0 where
// the store it keeps has not answered: then nothing is known of the others.
func (p *pulse) silent(since time.Duration) []int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.gone) > 0 {
		return slices.Clone(p.gone)
	}
	if time.Since(p.answered) > since {
		return []int{0}
	}
	var lost []int
	for r, at := range p.changed {
		if r != p.rank && p.answered.Sub(at) > since {
			lost = append(lost, r)
		}
	}
	return lost
}

// lost names the dead after a collective has failed, for which it waits until a
// living one must have counted on. The first to find out tells the others, so
// that none takes a rank for dead that only ended because of it.
//
// Of the living, this rank sees a new count in each beat; of the dead it has seen
// none for 3 by then, or 4. Either may be a beat late.
func (p *pulse) lost() []int {
	time.Sleep(5 * p.beat)
	lost := p.silent(2 * p.beat)
	go func() { // the store may be what is lost, and never answer
		for _, r := range lost {
			_, _ = p.store.add(fmt.Sprintf("lost %d", r), 1)
		}
	}()
	time.Sleep(2 * p.beat) // for the others to read it, before this rank, too, is gone
	return lost
}

// end stops the pulse. It reports false where the store hangs, or a rank is
// lost.
func (p *pulse) end() bool {
	close(p.stop)
	done := make(chan struct{})
	go func() { p.stopped.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(2 * p.beat):
		return false
	}
	return len(p.silent(silence*p.beat)) == 0
}
