//go:build linux

package torture

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pipa-uda/pipa/fixtures/faultfs"
)

// readers are jobs that read a folder's files one after the other, those that
// map files into memory among them.
var readers = []job{
	{name: "train", script: strings.Replace(train, "--out", "--pairs $IN/pairs --out", 1), slow: true},
	{name: "eval", script: `pipa eval $IN/run --target $IN/data/cityscapes --json > $OUT/scores.json`, slow: true},
	{name: "read", script: `pipa read gta $IN/data/gta | pipa write $OUT/gta`},
	{name: "check", script: `pipa check gta $IN/data/gta --json > $OUT/report.json`},
	{name: "plan", script: `pipa plan samples --source gta:$IN/data/gta -o $OUT/gta.plan.json`},
	{name: "precompute", script: `pipa precompute --plan $IN/pairs.plan.json --source $IN/data/cityscapes --out $OUT/pairs`},
	{name: "cat", script: `pipa cat $IN/pairs -o $OUT/x.arrow`},
	{name: "shuffle", script: `pipa cat $IN/pairs --shuffle -o $OUT/x.arrow`},
	{name: "verify", script: `pipa verify $IN/pairs > $OUT/verified`},
	{name: "view", script: `pipa view $IN/pairs -o $OUT/x.png`},
	{name: "parquet", script: `pipa cat $IN/parquet -o $OUT/x.arrow`},
}

// TestInputsGoAway takes an input away, cuts it, or writes something else into
// it, at the n-th time that the job opens or reads one; or lets the disk fail
// to read. The job ends well, with the bytes of the clean run or, where it
// leaves out a bad sample, says so; or it fails and names the file.
func TestInputsGoAway(t *testing.T) {
	t.Parallel()
	source := t.TempDir()
	must(t, sh(`cp -r $IN/data $IN/pairs $IN/pairs.plan.json $IN/run $IN/tiny.yaml $OUT/
		pipa cat $IN/gta.arrow | pipa write $OUT/parquet --format parquet`, bench, source))
	for _, j := range readers {
		t.Run(j.name, func(t *testing.T) {
			t.Parallel()
			d := newDisk(t)
			fill(t, source, d)
			if err := d.Arm(faultfs.Fault{Ops: []faultfs.Op{faultfs.Open, faultfs.Read}}); err != nil {
				t.Fatal(err)
			}
			clean := t.TempDir()
			must(t, sh(j.script, d.dir, clean))
			total := d.Count()
			want := contents(t, clean)
			// A file at a time, in turns: what goes wrong with it.
			damages := []struct {
				name string
				err  syscall.Errno
				do   func(path string) error
			}{
				{"unreadable", syscall.EIO, nil},
				{"removed", 0, os.Remove},
				{"cut", 0, func(path string) error {
					info, err := os.Stat(path)
					if err != nil {
						return err
					}
					return os.Truncate(path, info.Size()/2)
				}},
				{"changed", 0, func(path string) error {
					text, err := os.ReadFile(path)
					if err != nil || len(text) == 0 {
						return err
					}
					text[rand.IntN(len(text))] ^= 0x20
					return os.WriteFile(path, text, 0o644)
				}},
			}
			few := 3
			if j.slow {
				few = 1
			}
			rounds := 0
			for _, damage := range damages {
				for _, n := range some(t, total, few) {
					if j.slow && *full && n%4 != 0 {
						continue
					}
					hurt := ""
					fault := faultfs.Fault{Ops: []faultfs.Op{faultfs.Open, faultfs.Read}, At: n, Err: damage.err}
					if damage.do != nil {
						fault.Then = func(name string) {
							if path := filepath.Join(d.backing, name); !strings.HasSuffix(name, "tiny.yaml") {
								hurt = name
								if err := damage.do(path); err != nil && !os.IsNotExist(err) {
									t.Error(err)
								}
							}
						}
					}
					t.Run(fmt.Sprintf("%s, %d of %d", damage.name, n, total), func(t *testing.T) {
						fill(t, source, d)
						if err := d.Arm(fault); err != nil {
							t.Fatal(err)
						}
						out := t.TempDir()
						r := sh(j.script, d.dir, out)
						calm(t, r)
						_, at := d.Struck()
						// A manifest that was changed may name a file that is not there.
						named := strings.Contains(r.stderr, filepath.Base(at)) || damage.name == "changed" && strings.Contains(r.stderr, filepath.Dir(at))
						if r.code == 0 && damage.name != "changed" && !named {
							// It had read what it needed; or it warns, as where an
							// older checkpoint is taken for a damaged one.
							same(t, contents(t, out), want)
						}
						if r.code != 0 && !named && j.name != "check" {
							t.Errorf("the error does not name %s: %s", at, r.stderr)
						}
						if t.Failed() {
							t.Logf("the fault met %s %s", at, hurt)
						}
					})
					rounds++
				}
			}
			t.Logf("%s: %d inputs", j.name, rounds)
		})
	}
}

// fill puts the inputs onto a disk afresh.
func fill(t *testing.T, source string, d disk) {
	t.Helper()
	d.clear(t)
	must(t, sh("cp -r $IN/. $OUT", source, d.backing))
}
