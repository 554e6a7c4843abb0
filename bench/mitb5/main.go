// Command mitb5 times forward and backward of MiT-B5 with the DAFormer decoder
// through train/torch against the same operations called from PyTorch in
// Python, one after the other in random order. Random tensors stand for images.
//
//	go run ./bench/mitb5 -size 128 -rounds 12
//
// Python's torch is that of the environment which scripts/bench-python makes. It
// should be the libtorch that the backend was built against; the first line says
// both versions. To build against Python's own:
//
//	PATH=$PWD/build/bench-python/bin:$PATH PIPA_TORCH_PYTHON=1 scripts/build-adapter
package main

import (
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/pipa-uda/pipa/bench/measure"
	"github.com/pipa-uda/pipa/bench/python"
	"github.com/pipa-uda/pipa/train/loss"
	"github.com/pipa-uda/pipa/train/model"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
)

func main() {
	log.SetFlags(0)
	size := flag.Int("size", 128, "side of the image")
	rounds := flag.Int("rounds", 12, "timed rounds of each")
	threads := flag.Int("threads", 1, "CPU threads of libtorch and of its matrix library")
	interpreter := flag.String("python", python.Interpreter, "interpreter with torch")
	flag.Parse()
	if *size < 32 || *rounds < 1 || *threads < 1 {
		fmt.Fprintf(os.Stderr, "size %d, rounds %d, threads %d: want at least 32, 1 and 1\n", *size, *rounds, *threads)
		os.Exit(2)
	}
	if err := run(*size, *rounds, *threads, *interpreter); err != nil {
		log.Fatal("mitb5: ", err)
	}
}

func run(size, rounds, threads int, interpreter string) error {
	lib, err := torch.Load("")
	if err != nil {
		return err
	}
	if err := lib.SetThreads(threads); err != nil {
		return err
	}
	fmt.Printf("MiT-B5 and DAFormer, forward and backward, random %dx%d. %s, %d threads. pipa on libtorch %s", size, size, measure.Machine(), threads, lib.Version())
	theirs, err := python.Start(interpreter, "bench/mitb5/mitb5.py", []string{"OPENBLAS_NUM_THREADS=" + strconv.Itoa(threads)}, strconv.Itoa(size), strconv.Itoa(threads))
	if err != nil {
		fmt.Printf(".\nPython is left out: %v (scripts/bench-python makes %s)\n", err, python.Interpreter)
		theirs = nil
	} else {
		fmt.Printf(", Python on %s.\n", theirs.Versions)
	}
	return lib.Run(torch.CPU, func(s *torch.Scope) error {
		net, store, err := network(s)
		if err != nil {
			return err
		}
		image := s.Randn(1, 3, size, size)
		label := s.Zeros(torch.Int64, 1, size, size)
		ours := func() (float64, error) {
			start := time.Now()
			err := s.Run(func(s *torch.Scope) error {
				loss.CrossEntropy(net.Forward(image.In(s), nn.Training).Logits, label.In(s), nil).Backward()
				return nil
			})
			store.ClearGrads()
			return time.Since(start).Seconds(), err
		}
		sides := []func() (float64, error){ours}
		if theirs != nil {
			count, err := theirs.Ask("sum")
			if err != nil {
				return err
			}
			if int(count) != store.Count() {
				return fmt.Errorf("the networks have %d and %d parameters", store.Count(), int(count))
			}
			sides = append(sides, func() (float64, error) { return theirs.Ask("step") })
		}
		return compare(sides, rounds)
	})
}

func network(s *torch.Scope) (*model.Segmentor, *nn.Store, error) {
	store := nn.NewStore(s)
	config, err := model.MiT("mit-b5")
	if err != nil {
		return nil, nil, err
	}
	config.DropPath = 0
	encoder, err := model.NewMixTransformer(store.Root().Sub("backbone"), config)
	if err != nil {
		return nil, nil, err
	}
	head := model.NewDAFormerHead(store.Root().Sub("decode_head"), config.Dims[:], model.DAFormerConfig{Classes: 19, Channels: 256, Dropout: 0.1})
	return &model.Segmentor{Backbone: encoder, Head: head}, store, nil
}

// compare prints the median of ours and, where there is one, of the other side
// and their ratio, after two rounds to warm up.
func compare(sides []func() (float64, error), rounds int) error {
	times := make([][]float64, len(sides))
	for round := range rounds + 2 {
		for _, which := range rand.Perm(len(sides)) {
			t, err := sides[which]()
			if err != nil {
				return err
			}
			if round >= 2 {
				times[which] = append(times[which], t)
			}
		}
	}
	if len(sides) == 1 {
		fmt.Printf("pipa %.3f s (median of %d; fastest %.3f s)\n", measure.Median(times[0]), rounds, slices.Min(times[0]))
		return nil
	}
	a, b := measure.Median(times[0]), measure.Median(times[1])
	fmt.Printf("pipa %.3f s, Python %.3f s, ratio %.3f (medians of %d; fastest %.3f and %.3f s)\n", a, b, a/b, rounds, slices.Min(times[0]), slices.Min(times[1]))
	return nil
}
