//go:build linux

package torture

import (
	"context"
	"math/rand/v2"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// victims are the jobs that take long enough to be killed, stopped, continued.
func victims() []job {
	var chosen []job
	for _, j := range jobs {
		switch j.name {
		case "precompute", "share and merge", "write", "train":
			chosen = append(chosen, j)
		}
	}
	return chosen
}

// times is the number of rounds of a job.
func times(all, few int) int {
	if *full {
		return all
	}
	return few
}

// TestKilled kills a job's processes at random moments of its run, 50 of them
// before its end. The files that have their names are whole, and running again
// gives the clean result.
func TestKilled(t *testing.T) {
	t.Parallel()
	for _, j := range victims() {
		t.Run(j.name, func(t *testing.T) {
			out := t.TempDir()
			begin := time.Now()
			must(t, sh(j.script, bench, out))
			took := time.Since(begin)
			want := contents(t, out)
			kills, late := times(50, 4), 0
			for killed := 0; killed < kills; {
				out := t.TempDir()
				begin := time.Now()
				failed := signalled(t, j, out, rand.N(took), func(c *exec.Cmd) {
					// An error says that the job was faster.
					_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
				})
				killed += failed
				if failed == 0 {
					late++
					took = min(took, time.Since(begin))
				}
				whole(t, contents(t, out), want)
				must(t, j.rerun(bench, out))
				same(t, contents(t, out), want)
			}
			t.Logf("%s: %d kills before its end, %d after it", j.name, kills, late)
		})
	}
}

// TestStopped stops a job's processes for a moment, as a shell's Ctrl-Z or a
// batch system does, and continues them.
func TestStopped(t *testing.T) {
	t.Parallel()
	for _, j := range victims() {
		t.Run(j.name, func(t *testing.T) {
			out := t.TempDir()
			begin := time.Now()
			must(t, sh(j.script, bench, out))
			took := time.Since(begin)
			want := contents(t, out)
			for range times(20, 2) {
				out := t.TempDir()
				failed := signalled(t, j, out, rand.N(took), func(c *exec.Cmd) {
					_ = syscall.Kill(-c.Process.Pid, syscall.SIGSTOP)
					time.Sleep(100 * time.Millisecond)
					_ = syscall.Kill(-c.Process.Pid, syscall.SIGCONT)
				})
				if failed != 0 {
					t.Error("it failed after being stopped and continued")
				}
				same(t, contents(t, out), want)
			}
			t.Logf("%s: %d stops", j.name, times(20, 2))
		})
	}
}

// signalled starts a job, does something to it after a while, and waits for its
// end. It counts a job that did not end well.
func signalled(t *testing.T, j job, out string, after time.Duration, do func(*exec.Cmd)) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), hangs)
	defer cancel()
	c := command(ctx, j.script, bench, out)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(after)
	do(c)
	if err := c.Wait(); err != nil {
		return 1
	}
	return 0
}
