// Custom trains with an encoder, a loss and a layout of its own: none of them is a
// part of pipa, and all are plain values in the options of the library. They are in
// encoder.go, loss.go and layout.go. The run is then opened again and evaluated:
//
//	custom ARCHIVE RUN ITERATIONS
//
// ARCHIVE is a folder laid out as layout.go says. It needs libtorch and the backend
// ("make torch", and PIPA_TORCH=build/libpipatorch.so).
package main

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"github.com/pipa-uda/pipa/train"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/infer"
	"github.com/pipa-uda/pipa/train/method"
	"github.com/pipa-uda/pipa/train/torch"
)

func main() {
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: custom ARCHIVE RUN ITERATIONS")
		os.Exit(2)
	}
	iterations, err := strconv.Atoi(os.Args[3])
	if err == nil {
		err = run(context.Background(), os.Args[1], os.Args[2], iterations)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run trains, and evaluates what it has learnt.
func run(ctx context.Context, archive, out string, iterations int) error {
	lib, err := torch.Load("")
	if err != nil {
		return err
	}
	cfg, err := config.Resolve("fixture-dacs", "", []string{
		"source.crop=[64, 64]", "source.resize=[0, 0]", "target.crop=[64, 64]", "target.resize=[0, 0]", "eval.resize=[0, 0]",
		"source.split=drawn", "target.split=filmed", "eval.split=held-out",
		"network.decoder=segformer", "network.channels=16", "log_every=1", "checkpoint.every=2",
	})
	if err != nil {
		return err
	}
	cfg.Iterations, cfg.Source.Dir, cfg.Target.Dir = iterations, archive, archive
	layout := archiveLayout()
	o := train.Options{
		Out: out, Resume: begun(out),
		Custom:       method.Custom{Encoder: pyramid{channels: 8}, Losses: []method.Loss{smoothness{weight: 0.1}}},
		SourceLayout: &layout, TargetLayout: &layout,
	}
	if _, err := train.Run(ctx, lib, cfg, o); err != nil {
		return err
	}

	trained, err := infer.Open(out)
	if err != nil {
		return err
	}
	trained.Encoder = o.Encoder
	result, err := infer.Evaluate(ctx, lib, trained, infer.EvalOptions{Layout: &layout, Inference: trained.Config.Eval.Inference()})
	if err != nil {
		return err
	}
	fmt.Printf("%d images, mIoU %.2f %%\n", result.Images, 100*float64(result.MIoU))
	return nil
}

// begun reports whether there is a run in the folder.
func begun(out string) bool {
	_, err := config.ResolveRun(out, nil)
	return err == nil
}
