//go:build linux

package torture

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/pipa-uda/pipa/fixtures/faultfs"
)

// TestFailingDisk lets the n-th request that changes the disk fail, for every n
// of a small run: once, as a bad sector does, and from then on, as a full disk
// does. Whatever fails, no file is half-written under its final name, nothing of
// a temporary name stays where the disk still lets it be removed, and running
// again gives what a run without faults gives.
func TestFailingDisk(t *testing.T) {
	t.Parallel()
	for _, j := range jobs {
		t.Run(j.name, func(t *testing.T) {
			t.Parallel()
			d := newDisk(t)
			states, total := clean(t, d, j)
			faults := 0
			for _, fault := range []faultfs.Fault{
				{Err: syscall.EIO},
				{Err: syscall.ENOSPC, Forever: true},
			} {
				few := 6
				if j.slow {
					few = 3
				}
				for _, n := range some(t, total, few) {
					if j.slow && fault.Forever && n%3 != 0 && n != total {
						continue
					}
					fault.Ops, fault.At = faultfs.Changes, n
					t.Run(fmt.Sprintf("%d of %d, %v", n, total, fault.Err), func(t *testing.T) {
						d.prepare(t, j, fault)
						r := sh(j.script, bench, d.dir)
						calm(t, r)
						got := contents(t, d.backing)
						op, at := d.Struck()
						if left := leftovers(t, d.backing); len(left) > 0 && !fault.Forever && op != faultfs.Remove {
							t.Errorf("it leaves %v", left)
						}
						if r.code != 0 && !strings.Contains(r.stderr, fault.Err.Error()) {
							t.Errorf("the error does not say %q: %s", fault.Err, r.stderr)
						}
						if r.code == 0 {
							same(t, got, states[0])
						}
						whole(t, got, states...)
						if err := d.Arm(faultfs.Fault{}); err != nil {
							t.Fatal(err)
						}
						must(t, j.rerun(bench, d.dir))
						same(t, contents(t, d.backing), states[0])
						if t.Failed() {
							t.Logf("the fault met: %s %s", op, at)
						}
					})
					faults++
				}
			}
			t.Logf("%s: %d faults", j.name, faults)
		})
	}
}

// clean runs a job without faults. states are what its folder may hold: the
// result, and what was there before. total is the number of requests that change
// the disk.
func clean(t *testing.T, d disk, j job) (states []map[string]string, total int) {
	t.Helper()
	d.prepare(t, j, faultfs.Fault{Ops: faultfs.Changes})
	before := contents(t, d.backing)
	must(t, sh(j.script, bench, d.dir))
	total = d.Count()
	states = []map[string]string{contents(t, d.backing), before}
	if left := leftovers(t, d.backing); len(left) > 0 {
		t.Errorf("a run without faults leaves %v", left)
	}
	if len(states[0]) == 0 || total == 0 {
		t.Fatalf("the job wrote nothing, in %d requests", total)
	}
	return states, total
}

// TestPowerCut ends the disk at the n-th request, and keeps what was synced, with
// the names that were synced or all that were given. After it, too, no file is
// half-written, and running again gives the clean result. What a run that has
// ended well wrote is there after a power cut.
func TestPowerCut(t *testing.T) {
	t.Parallel()
	for _, j := range jobs {
		t.Run(j.name, func(t *testing.T) {
			t.Parallel()
			d := newDisk(t)
			states, total := clean(t, d, j)
			t.Run("afterwards", func(t *testing.T) {
				left := t.TempDir()
				if err := d.PowerCut(left, false); err != nil {
					t.Fatal(err)
				}
				same(t, contents(t, left), states[0])
			})
			cuts := 1
			few := 5
			if j.slow {
				few = 2
			}
			for _, n := range some(t, total, few) {
				if j.slow && n%3 != 0 && n != total {
					continue
				}
				d.prepare(t, j, faultfs.Fault{Ops: faultfs.Changes, At: n, Err: syscall.EIO, Forever: true})
				calm(t, sh(j.script, bench, d.dir))
				for _, early := range []bool{false, true} {
					t.Run(fmt.Sprintf("%d of %d, early names %v", n, total, early), func(t *testing.T) {
						left := t.TempDir()
						if err := d.PowerCut(left, early); err != nil {
							t.Fatal(err)
						}
						whole(t, contents(t, left), states...)
						must(t, j.rerun(bench, left))
						same(t, contents(t, left), states[0])
					})
					cuts++
				}
			}
			t.Logf("%s: %d power cuts", j.name, cuts)
		})
	}
}

// TestDiskWithoutLinks: file systems that have no hard links, as FAT, take new
// files too, and replace none.
func TestDiskWithoutLinks(t *testing.T) {
	t.Parallel()
	d := newDisk(t)
	if err := d.Arm(faultfs.Fault{Ops: []faultfs.Op{faultfs.Link}, At: 1, Err: syscall.EPERM, Forever: true}); err != nil {
		t.Fatal(err)
	}
	must(t, sh(`pipa cat $IN/gta.arrow -o $OUT/x.arrow`, bench, d.dir))
	if d.Count() != 1 {
		t.Errorf("%d links were tried, want 1", d.Count())
	}
	before := contents(t, d.backing)
	r := sh(`pipa cat $IN/few.arrow -o $OUT/x.arrow`, bench, d.dir)
	if r.code != 2 || !strings.Contains(r.stderr, "x.arrow exists") {
		t.Errorf("ended with %d: %s", r.code, r.stderr)
	}
	same(t, contents(t, d.backing), before)
	if left := leftovers(t, d.backing); len(left) > 0 {
		t.Errorf("it leaves %v", left)
	}
}

// TestReplacingLeavesNoGap: from whichever rename on the disk fails, a folder that
// is being replaced is there whole, since it exchanges names with the new one. A
// disk that cannot exchange takes the new one by two renames.
func TestReplacingLeavesNoGap(t *testing.T) {
	t.Parallel()
	d := newDisk(t)
	j := jobs[slices.IndexFunc(jobs, func(j job) bool { return j.name == "replace" })]
	renames := faultfs.Fault{Ops: []faultfs.Op{faultfs.Rename}}
	d.prepare(t, j, renames)
	before := contents(t, d.backing)
	must(t, sh(j.script, bench, d.dir))
	after, total := contents(t, d.backing), d.Count()
	for n := 1; n <= total; n++ {
		renames.At, renames.Err, renames.Forever = n, syscall.EIO, true
		d.prepare(t, j, renames)
		if r := sh(j.script, bench, d.dir); r.code == 0 {
			t.Errorf("all is well without rename %d of %d", n, total)
		}
		same(t, contents(t, d.backing), before)
	}
	renames.At, renames.Err, renames.Forever = total, syscall.EINVAL, false
	d.prepare(t, j, renames)
	must(t, sh(j.script, bench, d.dir))
	same(t, contents(t, d.backing), after)
	if d.Count() != total+2 {
		t.Errorf("%d renames without an exchange, want %d", d.Count(), total+2)
	}
	if left := leftovers(t, d.backing); len(left) > 0 {
		t.Errorf("it leaves %v", left)
	}
}
