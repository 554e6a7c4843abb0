package wait_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipa-uda/pipa/internal/wait"
)

// TestWhatIsWaitedForIsSaid: once, after 5 seconds.
func TestWhatIsWaitedForIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		said := make(chan time.Duration, 10)
		p := wait.Of(wait.With(t.Context(), wait.Patience{Say: func(string) { said <- time.Since(begun) }}))
		for _, takes := range []time.Duration{4 * time.Second, time.Hour, time.Second} {
			done := p.For("a lock")
			time.Sleep(takes)
			done()
		}
		if len(said) != 1 {
			t.Fatalf("said %d times, want once", len(said))
		}
		if at := <-said; at != 9*time.Second {
			t.Errorf("said at %v, want 9 s", at)
		}
	})
}

type slow time.Duration

func (s slow) Read(b []byte) (int, error)  { time.Sleep(time.Duration(s)); return len(b), nil }
func (s slow) Write(b []byte) (int, error) { return s.Read(b) }

// TestASlowProcessIsSpokenOfRarely: for an hour of reads or writes that take 6 seconds each, once;
// of reads that take a minute, four times.
func TestASlowProcessIsSpokenOfRarely(t *testing.T) {
	for takes, want := range map[time.Duration]int64{time.Second: 0, 6 * time.Second: 1, time.Minute: 4} {
		synctest.Test(t, func(t *testing.T) {
			var said atomic.Int64
			p := wait.Patience{Say: func(string) { said.Add(1) }}
			r, w := p.Reader(slow(takes), "standard input"), p.Writer(slow(takes), "standard output")
			for range 60 {
				if _, err := r.Read(make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
			}
			if n := said.Load(); n != want {
				t.Errorf("reads of %v: said %d times, want %d", takes, n, want)
			}
			for range 60 {
				if _, err := w.Write(make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
			}
			if n := said.Load(); n != 2*want {
				t.Errorf("writes of %v: said %d times, want %d", takes, n-want, want)
			}
		})
	}
}

func TestPatienceHasADefault(t *testing.T) {
	if got := wait.Of(t.Context()).Stall; got != wait.DefaultStall {
		t.Errorf("%v", got)
	}
	wait.Of(t.Context()).For("nobody is told")()
}
