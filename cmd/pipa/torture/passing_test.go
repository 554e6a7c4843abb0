//go:build linux

package torture

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/pipa-uda/pipa/fixtures/faultfs"
)

// few are small inputs, so that every request of a run can fail.
const few = `
pipa fixtures $OUT/data --width 64 --gta 2 --train 2 --val 1 --domains gta,cityscapes
pipa plan pairs --source cityscapes:$OUT/data/cityscapes --unlabelled --size 32 --base 48 --shards 2 -o $OUT/pairs.plan.json
pipa precompute --plan $OUT/pairs.plan.json --out $OUT/pairs
pipa read gta $OUT/data/gta -o $OUT/gta.arrow
pipa cat $OUT/gta.arrow | pipa write $OUT/parquet --format parquet
cp $IN/tiny.yaml $OUT
cp -r $IN/run $OUT
`

// enduring are jobs that read and write on a disk that fails. All allow bad samples,
// of which there are none.
var enduring = []job{
	{name: "plan", script: `pipa plan samples --source gta:$IN/data/gta --max-bad 9 -o $OUT/gta.plan.json --force`},
	{name: "plan a mix", script: `pipa plan mix --source gta:$IN/data/gta --target cityscapes:$IN/data/cityscapes --crop 16x16 --max-bad 9 -o $OUT/mix.plan.json --force`},
	{name: "check", script: `pipa check gta $IN/data/gta && pipa check cityscapes $IN/data/cityscapes`},
	{name: "read", script: `pipa read gta $IN/data/gta --max-bad 100% --bad-list $OUT/bad -o $OUT/gta.arrow --force`},
	{name: "stats", script: `pipa stats gta $IN/data/gta --out $OUT/stats --force`},
	{name: "precompute", script: `pipa precompute --plan $IN/pairs.plan.json --source $IN/data/cityscapes --out $OUT/pairs`},
	{name: "share and merge", script: `pipa precompute --plan $IN/pairs.plan.json --source $IN/data/cityscapes --out $OUT/pairs --shard 0/1 && pipa merge $OUT/pairs`},
	{name: "write", script: `pipa write $OUT/gta $IN/gta.arrow --force`},
	{name: "cat", script: `pipa cat $IN/pairs -o $OUT/x.arrow --force`},
	{name: "shuffle", script: `pipa cat $IN/pairs --shuffle -o $OUT/x.arrow --force`},
	{name: "parquet", script: `pipa cat $IN/parquet -o $OUT/x.arrow --force`},
	{name: "verify", script: `pipa verify $IN/pairs && pipa verify $IN/parquet`},
	{name: "view", script: `pipa view $IN/pairs -o $OUT/x.png --force`},
	{name: "predict", script: `pipa predict $IN/run gta:$IN/data/gta --max-bad 100% --write labels --out $OUT/predicted --force`, slow: true},
	{name: "eval", script: `pipa eval $IN/run --target $IN/data/cityscapes --confusion $OUT/confusion.png --force`, slow: true},
	{name: "train", script: train, again: `if [ -e $OUT/run/config.yaml ]; then pipa train --resume --out $OUT/run; else ` + train + `; fi`, slow: true},
}

// passingFaults are what a system says that is out of something for now.
var passingFaults = []faultfs.Fault{
	{Ops: []faultfs.Op{faultfs.Open}, Err: syscall.EMFILE},
	{Ops: []faultfs.Op{faultfs.Open, faultfs.Stat}, Err: syscall.ESTALE},
	{Ops: []faultfs.Op{faultfs.Read}, Err: syscall.EIO},
	{Ops: []faultfs.Op{faultfs.Stat}, Err: syscall.ENOMEM},
	{Ops: []faultfs.Op{faultfs.List}, Err: syscall.ENFILE},
	{Ops: []faultfs.Op{faultfs.Create, faultfs.Write}, Err: syscall.EIO},
}

// TestPassingFailures lets the n-th request of each kind fail under the program, once
// and from then on, for every n until a run meets none. A run gives the bytes of one
// without faults, or ends with exit code 1: it never calls a sample bad, leaves one
// out, or says that what was asked for is wrong. Running again gives those bytes.
func TestPassingFailures(t *testing.T) {
	source := t.TempDir()
	must(t, sh(few, bench, source))
	var faults, ended atomic.Int64
	t.Cleanup(func() { t.Logf("%d failures were injected, %d of them ended a run", faults.Load(), ended.Load()) })
	t.Run("jobs", func(t *testing.T) {
		for _, j := range enduring {
			t.Run(j.name, func(t *testing.T) {
				if j.slow && !*full {
					t.Skip("it takes seconds: with -full alone")
				}
				t.Parallel()
				d := newDisk(t)
				must(t, sh("cp -r $IN $OUT/in && mkdir $OUT/out", source, d.backing))
				in, out := filepath.Join(d.dir, "in"), filepath.Join(d.dir, "out")
				if err := d.Arm(faultfs.Fault{}); err != nil {
					t.Fatal(err)
				}
				must(t, sh(j.script, in, out))
				want := contents(t, filepath.Join(d.backing, "out"))
				for _, fault := range passingFaults {
					for _, fault.Forever = range []bool{false, true} {
						x := endurance{job: j, disk: d, in: in, out: out, want: want}
						for _, n := range x.numbers(t, fault) {
							fault.At = n
							t.Run(fmt.Sprintf("%v, %v, from %d on: %v", fault.Ops, fault.Err, n, fault.Forever), func(t *testing.T) {
								x.endure(t, fault)
							})
							if x.missed {
								break
							}
						}
						faults.Add(int64(x.faults))
						ended.Add(int64(x.ended))
					}
				}
			})
		}
	})
}

// endurance is a job on a failing disk.
type endurance struct {
	job
	disk
	in, out       string
	want          map[string]string
	faults, ended int
	missed        bool // the last run met no fault
}

// numbers are the requests that fail: with -full all, until a run meets none; of jobs
// that take seconds, every fifth.
func (x *endurance) numbers(t *testing.T, fault faultfs.Fault) []int {
	t.Helper()
	fault.At = 0
	x.prepare(t, fault)
	must(t, sh(x.script, x.in, x.out))
	total := x.Count()
	if !*full {
		return some(t, total, 2)
	}
	all := some(t, 2*total+100, 0)
	return slices.DeleteFunc(all, func(n int) bool { return x.slow && n%5 != 0 })
}

// prepare empties the outputs and arms a fault.
func (x *endurance) prepare(t *testing.T, fault faultfs.Fault) {
	t.Helper()
	if err := x.Arm(faultfs.Fault{}); err != nil {
		t.Fatal(err)
	}
	must(t, sh("find $OUT -mindepth 1 -delete", x.in, x.out))
	if err := x.Arm(fault); err != nil {
		t.Fatal(err)
	}
}

func (x *endurance) endure(t *testing.T, fault faultfs.Fault) {
	t.Helper()
	x.prepare(t, fault)
	r := sh(x.script, x.in, x.out)
	op, at := x.Struck()
	if err := x.Arm(faultfs.Fault{}); err != nil {
		t.Fatal(err)
	}
	if x.missed = op == ""; x.missed {
		must(t, r)
		return
	}
	x.faults++
	calm(t, r)
	got := contents(t, filepath.Join(x.backing, "out"))
	if bad, err := os.ReadFile(filepath.Join(x.backing, "out", "bad")); err == nil && len(bad) > 0 || strings.Contains(r.stderr, "left out") {
		t.Errorf("a sample is called bad: %s%s", bad, r.stderr)
	}
	switch r.code {
	case 0:
		same(t, got, x.want)
	case 1:
		x.ended++
		whole(t, got, x.want)
		if !strings.Contains(r.stderr, fault.Err.Error()) && !strings.Contains(r.stderr, "its disk fails") {
			t.Errorf("it does not say %q: %s", fault.Err, r.stderr)
		}
	default:
		t.Errorf("it ends with %d: %s", r.code, r.stderr)
	}
	must(t, x.rerun(x.in, x.out))
	same(t, contents(t, filepath.Join(x.backing, "out")), x.want)
	if t.Failed() {
		t.Logf("the fault met: %s %s", op, at)
	}
}

// descriptors are jobs that open many files at once.
var descriptors = []string{"plan", "check", "read", "precompute", "share and merge", "write", "cat", "shuffle", "parquet", "verify", "view"}

// TestFewOpenFiles: the same holds with as few files that may be open as a process
// needs to begin with, and one more each time until a run ends well.
func TestFewOpenFiles(t *testing.T) {
	source := t.TempDir()
	must(t, sh(few, bench, source))
	for _, j := range enduring {
		if !slices.Contains(descriptors, j.name) {
			continue
		}
		t.Run(j.name, func(t *testing.T) {
			t.Parallel()
			clean := t.TempDir()
			must(t, sh(j.script, source, clean))
			want := contents(t, clean)
			first, failed := 4, 0
			for sh(fmt.Sprintf("ulimit -n %d\npipa --version", first), source, clean).code != 0 {
				if first++; first > 40 {
					t.Fatal("no number of files is enough to begin")
				}
			}
			for n := first; ; n++ {
				out := t.TempDir()
				r := sh(fmt.Sprintf("ulimit -n %d\n%s", n, j.script), source, out)
				calm(t, r)
				if r.code == 0 {
					same(t, contents(t, out), want)
					break
				}
				failed++
				if r.code != 1 || !strings.Contains(r.stderr, "too many open files") {
					t.Errorf("with %d files it ends with %d: %s", n, r.code, r.stderr)
				}
				whole(t, contents(t, out), want)
				must(t, j.rerun(source, out))
				same(t, contents(t, out), want)
				if n > 100 {
					t.Fatal("no number of files is enough")
				}
			}
			t.Logf("%d runs had too few open files", failed)
		})
	}
}
