// Command soak runs read | classmix | crops | write for a long time, over the
// fixtures in a loop, then trains many steps, and watches what should not grow:
// resident memory, goroutines, open files.
//
//	go run ./bench/soak -for 30m -steps 5000
//
// Two lines run at once: one in this process, pass after pass, as a trainer's
// feeds do; and one of four programs by pipes, whose source and target never end.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/classmix"
	"github.com/pipa-uda/pipa/crops"
	"github.com/pipa-uda/pipa/fixtures"
	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/shards"
)

const (
	workers = 2
	rows    = 4   // of a batch
	size    = 128 // of the crops that are mixed
	seed    = 1
)

func main() {
	length := flag.Duration("for", 30*time.Minute, "how long the streams run; 0 leaves them out")
	steps := flag.Int("steps", 5000, "of training; 0 leaves it out")
	every := flag.Duration("every", time.Minute, "between two lines of the table")
	program := flag.String("pipa", "bin/pipa", "the program")
	flag.Parse()
	if err := run(*length, *every, *steps, *program); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run(length, every time.Duration, steps int, program string) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	dir, err := os.MkdirTemp("", "soak-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	data := filepath.Join(dir, "data")
	if err := fixtures.Write(ctx, data, fixtures.Options{Width: 2 * size, GTA: 40, Train: 40, Val: 4, Domains: []fixtures.Domain{fixtures.GTA, fixtures.Cityscapes}, Workers: workers}); err != nil {
		return err
	}
	if length > 0 {
		if err := soakStreams(ctx, length, every, data, dir, program); err != nil {
			return err
		}
	}
	if steps > 0 {
		return soakTraining(ctx, steps, data, filepath.Join(dir, "run"), program)
	}
	return nil
}

// soakStreams reads the fixtures in data and writes into dir.
func soakStreams(ctx context.Context, length, every time.Duration, data, dir, program string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	in, err := open(data)
	if err != nil {
		return err
	}
	pipe, err := startPipe(ctx, in, program, filepath.Join(dir, "piped"))
	if err != nil {
		return err
	}
	var passes atomic.Int64
	ended := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			if err := pass(ctx, in, int(passes.Load()), filepath.Join(dir, "pairs")); err != nil {
				ended <- err
				return
			}
			passes.Add(1)
		}
		ended <- nil
	}()

	fmt.Printf("%8s %7s %9s %9s %6s %6s", "minutes", "passes", "RSS MiB", "heap MiB", "gorout", "files")
	for _, name := range pipe.names {
		fmt.Printf("  %9s %5s", name, "files")
	}
	fmt.Println(" (MiB)")
	begin := time.Now()
	tick := time.NewTicker(every)
	defer tick.Stop()
	var all []sample
	for done := false; !done; {
		select {
		case err := <-ended:
			return fmt.Errorf("the line in this process ended: %w", errors.Join(err, context.Cause(ctx)))
		case err := <-pipe.ended:
			return fmt.Errorf("the pipe ended: %w", err)
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
		s, err := look(pipe.processes)
		if err != nil {
			return err
		}
		all = append(all, s)
		fmt.Printf("%8.1f %7d %9.1f %9.1f %6d %6d", time.Since(begin).Minutes(), passes.Load(), s.self.resident, s.heap, s.goroutines, s.self.files)
		for _, p := range s.pipe {
			fmt.Printf("  %9.1f %5d", p.resident, p.files)
		}
		fmt.Println()
		done = time.Since(begin) >= length
	}
	cancel(nil)
	_, _ = <-ended, <-pipe.ended // of nothing but the cancellation
	return flat(all)
}

// inputs are the fixtures as datasets.
type inputs struct{ source, target *formats.Dataset }

func open(dir string) (in inputs, err error) {
	if in.source, err = formats.Open(formats.GTA(), filepath.Join(dir, "gta"), formats.Options{}); err != nil {
		return in, err
	}
	in.target, err = formats.Open(formats.Cityscapes(), filepath.Join(dir, "cityscapes"), formats.Options{Unlabelled: true})
	return in, err
}

// read is n augmented samples of a dataset, over and over.
func read(ctx context.Context, d *formats.Dataset, n, pass int) (pipeline.Stream, error) {
	s := pipeline.Generate(ctx, d.Header(), n, rows, workers, func(ctx context.Context, i int) (pipeline.Sample, error) { return d.Read(ctx, i%d.Len()) }, nil)
	stage, err := augment.New(augment.Options{Crop: [2]int{size, size}, Flip: 0.5}, seed, uint64(pass))
	if err != nil {
		return s, err
	}
	return pipeline.Run(ctx, s, stage, workers)
}

// pass is one pass over the source in this process.
func pass(ctx context.Context, in inputs, n int, dir string) error {
	source, err := read(ctx, in.source, in.source.Len(), n)
	if err != nil {
		return err
	}
	target, err := read(ctx, in.target, in.target.Len(), n)
	if err != nil {
		return err
	}
	mixed, err := classmix.Streams(ctx, source, target, classmix.Options{Epoch: uint64(n), Weight: 1}, workers)
	if err != nil {
		return err
	}
	o := crops.Default()
	o.Size, o.Base = size/2, size
	stage, err := crops.New(o, seed, uint64(n))
	if err != nil {
		return err
	}
	pairs, err := pipeline.Run(ctx, mixed, stage, workers)
	if err != nil {
		return err
	}
	_, err = shards.Write(ctx, dir, pairs, shards.WriteOptions{Force: true})
	return err
}

// pipe is the programs classmix | crops | write.
type pipe struct {
	names     []string
	processes []int
	ended     chan error
}

// startPipe starts the programs on streams that do not end before ctx.
func startPipe(ctx context.Context, in inputs, program, dir string) (*pipe, error) {
	half, whole := strconv.Itoa(size/2), strconv.Itoa(size)
	commands := [][]string{
		{"classmix", "--target", "/dev/fd/3"},
		{"crops", "--size", half, "--base", whole},
		{"write", dir, "--shard-size", "64"},
	}
	p := &pipe{ended: make(chan error, 1)}
	failed := make(chan error, len(commands)+2)
	feed := func(d *formats.Dataset) (*os.File, error) {
		r, w, err := os.Pipe()
		if err != nil {
			return nil, err
		}
		s, err := read(ctx, d, math.MaxInt32, 0)
		if err != nil {
			return nil, err
		}
		go func() { failed <- errors.Join(pipeline.Write(ctx, w, slowly(s)), w.Close()) }()
		return r, nil
	}
	source, err := feed(in.source)
	if err != nil {
		return nil, err
	}
	target, err := feed(in.target)
	if err != nil {
		return nil, err
	}
	var input io.Reader = source
	ours := []*os.File{source, target}
	for i, args := range commands {
		c := exec.CommandContext(ctx, program, args...)
		c.Stdin, c.Stderr = input, os.Stderr
		if i == 0 {
			c.ExtraFiles = []*os.File{target}
		}
		if i < len(commands)-1 {
			r, w, err := os.Pipe()
			if err != nil {
				return nil, err
			}
			input, c.Stdout = r, w
			ours = append(ours, r, w)
		}
		if err := c.Start(); err != nil {
			return nil, err
		}
		p.names, p.processes = append(p.names, args[0]), append(p.processes, c.Process.Pid)
		go func() { failed <- c.Wait() }()
	}
	for _, f := range ours { // the programs have them
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
	go func() {
		var all []error
		for range cap(failed) {
			all = append(all, <-failed)
		}
		p.ended <- all[0] // it ended the others
	}()
	return p, nil
}

// slowly bounds a stream to 100 rows a second, so that half an hour fits on the
// disk.
func slowly(s pipeline.Stream) pipeline.Stream {
	return pipeline.Stream{Header: s.Header, Batches: func(yield func(*pipeline.Batch, error) bool) {
		for b, err := range s.Batches {
			time.Sleep(rows * 10 * time.Millisecond)
			if !yield(b, err) {
				return
			}
		}
	}}
}

// sample is what is watched, at one moment.
type sample struct {
	self       process
	heap       float64 // MiB
	goroutines int
	pipe       []process
}

type process struct {
	resident float64 // MiB
	files    int     // open
}

func look(pipe []int) (s sample, err error) {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	s.heap, s.goroutines = float64(m.HeapAlloc)/(1<<20), runtime.NumGoroutine()
	if s.self, err = lookAt(os.Getpid()); err != nil {
		return s, err
	}
	for _, pid := range pipe {
		p, err := lookAt(pid)
		if err != nil {
			return s, err
		}
		s.pipe = append(s.pipe, p)
	}
	return s, nil
}

// lookAt asks Linux's /proc.
func lookAt(pid int) (p process, err error) {
	dir := fmt.Sprintf("/proc/%d", pid)
	text, err := os.ReadFile(filepath.Join(dir, "statm"))
	if err != nil {
		return p, err
	}
	var size, pages int
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		return p, fmt.Errorf("read %s/statm: %w", dir, err)
	}
	p.resident = float64(pages*os.Getpagesize()) / (1 << 20)
	files, err := os.ReadDir(filepath.Join(dir, "fd"))
	p.files = len(files)
	return p, err
}

// flat compares the last quarter with the second, after the start: what has
// grown is an error.
func flat(all []sample) error {
	q := len(all) / 4
	if q == 0 {
		return errors.New("too short to tell: fewer than four lines")
	}
	var grown []error
	compare := func(name string, of func(sample) float64, slack float64) {
		before, after := math.Inf(-1), math.Inf(-1)
		for i := range q {
			before, after = max(before, of(all[q+i])), max(after, of(all[len(all)-1-i]))
		}
		if after > before+slack {
			grown = append(grown, fmt.Errorf("%s: at most %.1f in the second quarter, %.1f in the last", name, before, after))
		}
	}
	// Passes are met at any moment, so the numbers waver by a pass's own.
	compare("resident memory", func(s sample) float64 { return s.self.resident }, 32)
	compare("heap", func(s sample) float64 { return s.heap }, 16)
	compare("goroutines", func(s sample) float64 { return float64(s.goroutines) }, 16)
	compare("open files", func(s sample) float64 { return float64(s.self.files) }, 8)
	for i := range all[0].pipe {
		name := fmt.Sprintf("program %d of the pipe", i+1)
		compare(name+", resident memory", func(s sample) float64 { return s.pipe[i].resident }, 16)
		compare(name+", open files", func(s sample) float64 { return float64(s.pipe[i].files) }, 0)
	}
	return errors.Join(grown...)
}
