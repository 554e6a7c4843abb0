package torch

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// shared is a store in memory. Where one hangs, nothing is answered any more.
type shared struct {
	mu     sync.Mutex
	counts map[string]int64
	hangs  chan struct{} // closed when it no longer does; nil where it never did
}

// hang stops the answers until the function that it returns is called.
func (s *shared) hang() (answer func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hangs = make(chan struct{})
	return func() { close(s.hangs) }
}

func (s *shared) add(key string, amount int64) (int64, error) {
	s.mu.Lock()
	hangs := s.hangs
	s.mu.Unlock()
	if hangs != nil {
		<-hangs
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.counts[key] += amount
	return s.counts[key], nil
}

// member is what one rank has of the store, and how it was aborted.
type member struct {
	*shared
	*pulse
	aborted chan string
}

func (m *member) abort(reason string) { m.aborted <- reason }

const testBeat = 10 * time.Second

// members are the ranks of a group that beats every 10 seconds.
func members(ranks int) (*shared, []*member) {
	s := &shared{counts: map[string]int64{}}
	all := make([]*member, ranks)
	for r := range all {
		all[r] = &member{shared: s, aborted: make(chan string, 1)}
		all[r].pulse = newPulse(all[r], r, ranks, testBeat)
	}
	return s, all
}

func (m *member) die() { close(m.stop); m.stopped.Wait() }

// reason is why a rank was aborted, "" where it goes on.
func (m *member) reason() string {
	select {
	case r := <-m.aborted:
		return r
	default:
		return ""
	}
}

func TestASilentRankAbortsTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, all := members(3)
		time.Sleep(time.Hour) // all beat
		all[1].die()
		time.Sleep(silence*testBeat - testBeat)
		for r, m := range all {
			if reason := m.reason(); reason != "" {
				t.Errorf("rank %d was aborted early: %s", r, reason)
			}
		}
		time.Sleep(5 * testBeat)
		for _, r := range []int{0, 2} {
			if reason := all[r].reason(); reason != "rank 1: no sign of life for 2m30s" {
				t.Errorf("rank %d was aborted with %q", r, reason)
			}
			if all[r].end() {
				t.Errorf("rank %d ends as if none were lost", r)
			}
		}
	})
}

func TestAStoreThatHangsIsRankZerosLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, all := members(3)
		time.Sleep(time.Minute)
		answer := s.hang()
		time.Sleep((silence + 5) * testBeat)
		for r, m := range all {
			if reason := m.reason(); reason != "rank 0: no sign of life for 2m30s" {
				t.Errorf("rank %d was aborted with %q", r, reason)
			}
			if m.end() {
				t.Errorf("rank %d ends as if the store answered", r)
			}
		}
		answer()
	})
}

// TestOnlyTheDeadAreNamed: ranks that end because a collective failed, one after
// the other, all name the rank that was lost, and not each other.
func TestOnlyTheDeadAreNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, all := members(4)
		time.Sleep(time.Minute)
		all[2].die()
		var wait sync.WaitGroup
		for i, r := range []int{0, 1, 3} {
			wait.Go(func() {
				time.Sleep(time.Duration(i) * 4 * testBeat) // its collective fails later
				if lost := all[r].lost(); !slices.Equal(lost, []int{2}) {
					t.Errorf("rank %d names %v, want rank 2", r, lost)
				}
				all[r].die()
			})
		}
		wait.Wait()
	})
}

func TestLivingRanksAreNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, all := members(2)
		time.Sleep(time.Minute)
		if lost := all[0].lost(); len(lost) > 0 {
			t.Errorf("ranks %v are said to be lost", lost)
		}
		for r, m := range all {
			if reason := m.reason(); reason != "" || !m.end() {
				t.Errorf("rank %d was aborted with %q, or does not end well", r, reason)
			}
		}
	})
}
