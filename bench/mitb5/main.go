// Command mitb5 times forward and backward of MiT-B5 with the DAFormer decoder
// through train/torch against the same operations called from PyTorch in
// Python, on one libtorch, one after the other in random order.
//
//	go run ./bench/mitb5 -size 128 -rounds 12
package main

import (
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/pipa-uda/pipa/bench/python"
	"github.com/pipa-uda/pipa/train/loss"
	"github.com/pipa-uda/pipa/train/model"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
)

func main() {
	size := flag.Int("size", 128, "side of the image")
	rounds := flag.Int("rounds", 12, "timed rounds of each")
	threads := flag.Int("threads", 1, "CPU threads of libtorch and of its matrix library")
	interpreter := flag.String("python", "/usr/bin/python3", "interpreter whose torch is the same libtorch")
	flag.Parse()
	theirs, err := python.Start(*interpreter, "bench/mitb5/mitb5.py", []string{"OPENBLAS_NUM_THREADS=" + strconv.Itoa(*threads)}, strconv.Itoa(*size), strconv.Itoa(*threads))
	if err != nil {
		log.Fatal(err)
	}
	lib, err := torch.Load("")
	if err != nil {
		log.Fatal(err)
	}
	if err := lib.SetThreads(*threads); err != nil {
		log.Fatal(err)
	}
	err = lib.Run(torch.CPU, func(s *torch.Scope) error {
		store := nn.NewStore(s)
		config, err := model.MiT("mit-b5")
		if err != nil {
			return err
		}
		config.DropPath = 0
		encoder, err := model.NewMixTransformer(store.Root().Sub("backbone"), config)
		if err != nil {
			return err
		}
		net := model.Segmentor{Backbone: encoder, Head: model.NewDAFormerHead(store.Root().Sub("decode_head"), config.Dims[:], model.DAFormerConfig{Classes: 19, Channels: 256, Dropout: 0.1})}
		count, err := theirs("sum")
		if err != nil {
			return err
		}
		if int(count) != store.Count() {
			return fmt.Errorf("the networks have %d and %d parameters", store.Count(), int(count))
		}
		image := s.Randn(1, 3, *size, *size)
		label := s.Zeros(torch.Int64, 1, *size, *size)
		ours := func(...any) (float64, error) {
			start := time.Now()
			err := s.Run(func(s *torch.Scope) error {
				loss.CrossEntropy(net.Forward(image.In(s), nn.Training).Logits, label.In(s), nil).Backward()
				return nil
			})
			store.ClearGrads()
			return time.Since(start).Seconds(), err
		}
		return compare(ours, theirs, *rounds)
	})
	if err != nil {
		log.Fatal(err)
	}
}

// compare prints both medians and their ratio after two rounds of warm-up.
func compare(ours, theirs func(...any) (float64, error), rounds int) error {
	times := [2][]float64{}
	for round := range rounds + 2 {
		for _, which := range rand.Perm(2) {
			t, err := []func(...any) (float64, error){ours, theirs}[which]("step")
			if err != nil {
				return err
			}
			if round >= 2 {
				times[which] = append(times[which], t)
			}
		}
	}
	median := func(v []float64) float64 { slices.Sort(v); return (v[(len(v)-1)/2] + v[len(v)/2]) / 2 }
	a, b := median(times[0]), median(times[1])
	_, err := fmt.Printf("pipa %.3f s, Python %.3f s, ratio %.3f (medians of %d; fastest %.3f and %.3f s)\n", a, b, a/b, rounds, times[0][0], times[1][0])
	return err
}
