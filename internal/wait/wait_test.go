package wait_test

import (
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pipa-uda/pipa/internal/wait"
)

// TestWhatIsWaitedForIsSaid: once, after 5 seconds.
func TestWhatIsWaitedForIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var said []time.Duration
		p := wait.Of(wait.With(t.Context(), wait.Patience{Say: func(string) { said = append(said, time.Since(begun)) }}))
		for _, takes := range []time.Duration{4 * time.Second, time.Hour, time.Second} {
			done := p.For("a lock")
			time.Sleep(takes)
			done()
		}
		if want := []time.Duration{9 * time.Second}; !slices.Equal(said, want) {
			t.Errorf("said at %v, want %v", said, want)
		}
	})
}

type slow time.Duration

func (s slow) Read(b []byte) (int, error) { time.Sleep(time.Duration(s)); return len(b), nil }

// TestASlowReaderIsSpokenOfRarely: for an hour of reads that take 6 seconds each, once;
// of reads that take a minute, four times.
func TestASlowReaderIsSpokenOfRarely(t *testing.T) {
	for takes, want := range map[time.Duration]int{time.Second: 0, 6 * time.Second: 1, time.Minute: 4} {
		synctest.Test(t, func(t *testing.T) {
			said := 0
			r := wait.Patience{Say: func(string) { said++ }}.Reader(slow(takes), "standard input")
			for range 60 {
				if _, err := io.CopyN(io.Discard, r, 1); err != nil {
					t.Fatal(err)
				}
			}
			if said != want {
				t.Errorf("reads of %v: said %d times, want %d", takes, said, want)
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
