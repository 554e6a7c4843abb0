//go:build linux

package torture

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pipa-uda/pipa/fixtures/checkout"
	"github.com/pipa-uda/pipa/fixtures/faultfs"
	"github.com/pipa-uda/pipa/fixtures/shared"
)

var full = flag.Bool("full", false, "every fault and 50 kills of each kind, rather than some")

// bench is a folder with small inputs, made once.
var bench string

// environment is the scripts': the program is in PATH, and finds the backend.
var environment []string

func TestMain(m *testing.M) {
	flag.Parse()
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
		code = 1
	}
	os.Exit(code)
}

func run(m *testing.M) (code int, err error) {
	if bench, err = os.MkdirTemp("", "torture-"); err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(bench)) }()
	pipa, err := shared.Program()
	if err != nil {
		return 1, err
	}
	backend, err := checkout.Backend()
	if err != nil {
		return 1, err
	}
	environment = append(os.Environ(), "PATH="+filepath.Dir(pipa)+":"+os.Getenv("PATH"), "PIPA_TORCH="+backend)
	if err := os.WriteFile(filepath.Join(bench, "tiny.yaml"), []byte(tiny), 0o644); err != nil {
		return 1, err
	}
	if r := sh(inputs, bench, bench); r.code != 0 {
		return 1, fmt.Errorf("make the inputs: %s", r.stderr)
	}
	return m.Run(), nil
}

// tiny is a recipe of all losses whose step takes milliseconds.
const tiny = `
extends: fixture-pipa
iterations: 4
source: {crop: [32, 64], resize: [48, 96], batch: 1}
target: {crop: [32, 64], resize: [48, 96], batch: 1}
network: {dims: [8, 16, 40, 64], depths: [1, 1, 1, 1], channels: 16}
adapt: {start: 0, ignore_top: 1, ignore_bottom: 1}
pixel: {max_views: 4, max_samples: 32, dim: 16}
patch: {start: 1, batch: 1, crop: 32, base: 96, threshold: 0, negatives: 16, dim: 16}
checkpoint: {every: 2}
eval: {resize: [48, 96]}
log_every: 1
threads: 1
`

// inputs makes what the jobs read.
const inputs = `
pipa fixtures $OUT/data --width 96 --gta 6 --train 6 --val 2 --domains gta,cityscapes
pipa plan pairs --source cityscapes:$IN/data/cityscapes --unlabelled --size 32 --base 96 --shards 3 -o $OUT/pairs.plan.json
pipa precompute --plan $OUT/pairs.plan.json --out $OUT/pairs
pipa read gta $IN/data/gta | pipa augment --crop 32x32 -o $OUT/gta.arrow
pipa cat $OUT/gta.arrow --limit 3 -o $OUT/few.arrow
pipa train --config $IN/tiny.yaml --source $IN/data/gta --target $IN/data/cityscapes --out $OUT/run
`

// result is how a script ended.
type result struct {
	code           int
	stdout, stderr string
}

// command prepares a bash script; IN and OUT are the folders it reads and writes.
func command(ctx context.Context, script, in, out string) *exec.Cmd {
	c := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", script)
	c.Env = append(slices.Clip(environment), "IN="+in, "OUT="+out)
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// The whole pipe goes, not the shell alone.
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	c.WaitDelay = 10 * time.Second
	return c
}

// hangs is how long a script takes that hangs: the longest takes seconds.
const hangs = 10 * time.Minute

// sh runs a script. One that hangs is killed and has the code -1.
func sh(script, in, out string) result {
	ctx, cancel := context.WithTimeout(context.Background(), hangs)
	defer cancel()
	c := command(ctx, script, in, out)
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Run(); err != nil && c.ProcessState == nil {
		return result{-1, "", err.Error()}
	}
	return result{c.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// job is a script that writes into $OUT.
type job struct {
	name   string
	before string // what $OUT holds already
	script string
	again  string // continues after a failure; "" runs script again
	slow   bool   // takes more than a second
}

func (j job) rerun(in, out string) result {
	if j.again != "" {
		return sh(j.again, in, out)
	}
	return sh(j.script, in, out)
}

const train = `pipa train --config $IN/tiny.yaml --source $IN/data/gta --target $IN/data/cityscapes --out $OUT/run`

// jobs write every kind of file there is, the longest first, so that the others
// run beside them. Those that are run again over what they have written
// themselves say --force.
var jobs = []job{
	{name: "train", script: train, again: `if [ -e $OUT/run/config.yaml ]; then pipa train --resume --out $OUT/run; else ` + train + `; fi`, slow: true},
	{name: "eval", script: `pipa eval $IN/run --confusion $OUT/confusion.png --force`, slow: true},
	{name: "predict", script: `pipa predict $IN/run cityscapes:$IN/data/cityscapes --split val --write labels,colour,scores --out $OUT/predicted --force`, slow: true},
	{name: "precompute", script: `pipa precompute pairs --source cityscapes:$IN/data/cityscapes --unlabelled --size 32 --base 96 --shards 3 --out $OUT/pairs`},
	{name: "share and merge", script: `pipa precompute --plan $IN/pairs.plan.json --out $OUT/pairs --shard 0/1 && pipa merge $OUT/pairs`},
	{name: "plan", script: `pipa plan samples --source gta:$IN/data/gta -o $OUT/gta.plan.json --force`},
	{name: "write", script: `pipa cat $IN/gta.arrow | pipa write $OUT/gta --batch 2 --force`},
	{name: "write anew", script: `pipa cat $IN/gta.arrow | pipa write $OUT/gta`, again: `pipa cat $IN/gta.arrow | pipa write $OUT/gta --force`},
	{name: "replace", before: `pipa cat $IN/few.arrow | pipa write $OUT/gta`, script: `pipa cat $IN/gta.arrow | pipa write $OUT/gta --force`},
	{name: "parquet", script: `pipa cat $IN/gta.arrow | pipa write $OUT/gta --format parquet --force`},
	{name: "cat", before: `pipa cat $IN/few.arrow -o $OUT/x.arrow`, script: `pipa cat $IN/gta.arrow -o $OUT/x.arrow --force`},
	{name: "cat anew", script: `pipa cat $IN/gta.arrow -o $OUT/x.arrow`, again: `pipa cat $IN/gta.arrow -o $OUT/x.arrow --force`},
	{name: "view", script: `pipa view $IN/few.arrow -o $OUT/x.png --force`},
	{name: "stats", script: `pipa stats gta $IN/data/gta --out $OUT/stats --force`},
	{name: "fixtures", script: `pipa fixtures $OUT/data --width 64 --gta 2 --train 1 --val 1 --domains gta,cityscapes --force`},
}

// some chooses of the numbers 1 to n: with -full all of them, else a few that
// change from run to run.
func some(t *testing.T, n, few int) []int {
	t.Helper()
	all := make([]int, n)
	for i := range all {
		all[i] = i + 1
	}
	if *full || n <= few {
		return all
	}
	rand.Shuffle(n, func(i, j int) { all[i], all[j] = all[j], all[i] })
	chosen := all[:few]
	slices.Sort(chosen)
	return chosen
}

// timings is what a run's files say of the clock and the machine.
var timings = regexp.MustCompile(`,"samples_per_second".*`)

// contents are a folder's files by name, without hidden ones, such as locks, and
// TensorBoard's, which are full of times.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		hidden := name != "." && strings.HasPrefix(e.Name(), ".")
		if e.IsDir() {
			if hidden {
				return filepath.SkipDir
			}
			return nil
		}
		if hidden || strings.HasPrefix(e.Name(), "events.out.") {
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if filepath.Ext(name) == ".jsonl" {
			files[name] = string(timings.ReplaceAll(data, nil))
		} else {
			files[name] = fmt.Sprintf("%d bytes, %x", len(data), sha256.Sum256(data))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// leftovers are the hidden files and folders that are not locks.
func leftovers(t *testing.T, dir string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if path != dir && strings.HasPrefix(e.Name(), ".") && !strings.HasPrefix(e.Name(), ".lock") {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// whole fails where a file under its final name is none of those that it may be:
// as before, or as a run without faults leaves it. A log may lack its end.
func whole(t *testing.T, got map[string]string, states ...map[string]string) {
	t.Helper()
	for name, have := range got {
		ok := false
		for _, s := range states {
			want, known := s[name]
			ok = ok || known && have == want || known && filepath.Ext(name) == ".jsonl" && strings.HasPrefix(want, timings.ReplaceAllString(have, ""))
		}
		if !ok {
			t.Errorf("%s is half-written: %.80s", name, have)
		}
	}
}

// same fails where a folder is not as a run without faults leaves it.
func same(t *testing.T, got, want map[string]string) {
	t.Helper()
	if maps.Equal(got, want) {
		return
	}
	for name := range want {
		if have, there := got[name]; !there {
			t.Errorf("%s is missing", name)
		} else if have != want[name] {
			t.Errorf("%s differs: %.200s; want %.200s", name, have, want[name])
		}
	}
	for name := range got {
		if _, known := want[name]; !known {
			t.Errorf("%s is there too", name)
		}
	}
}

var crash = regexp.MustCompile(`(?m)^(panic|fatal error|goroutine \d+|unexpected fault|runtime error|SIG[A-Z]+:)`)

// calm fails where a program has crashed or hung.
func calm(t *testing.T, r result) {
	t.Helper()
	if r.code < 0 || r.code == 124 || crash.MatchString(r.stderr) {
		t.Errorf("ended with %d:\n%s", r.code, r.stderr)
	}
}

// disk is a folder on a file system that fails as it is told.
type disk struct {
	*faultfs.FS
	backing, dir string
}

func newDisk(t *testing.T) disk {
	t.Helper()
	d := disk{backing: t.TempDir(), dir: t.TempDir()}
	var err error
	if d.FS, err = faultfs.Mount(d.backing, d.dir); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Unmount(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// clear empties the disk.
func (d disk) clear(t *testing.T) {
	t.Helper()
	if err := d.Arm(faultfs.Fault{}); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(d.backing)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		// Through the mount, so that the kernel knows.
		if out, err := exec.Command("rm", "-rf", filepath.Join(d.dir, e.Name())).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
}

// prepare empties the disk, puts there what the job finds, and arms the fault.
func (d disk) prepare(t *testing.T, j job, fault faultfs.Fault) {
	t.Helper()
	d.clear(t)
	if j.before != "" {
		must(t, sh(j.before, bench, d.dir))
	}
	if err := d.Arm(fault); err != nil {
		t.Fatal(err)
	}
}

func must(t *testing.T, r result) {
	t.Helper()
	if r.code != 0 {
		t.Fatalf("ended with %d:\n%s", r.code, r.stderr)
	}
}
