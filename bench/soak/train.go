package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/pipa-uda/pipa/train/logs"
)

// soakTraining takes so many steps of the preset fixture-pipa on the fixtures in
// data, and compares what the run's metrics say of its resident memory.
func soakTraining(ctx context.Context, steps int, data, run, program string) error {
	c := exec.CommandContext(ctx, program, "train", "--preset", "fixture-pipa", "--source", filepath.Join(data, "gta"), "--target", filepath.Join(data, "cityscapes"),
		"--out", run, "--set", "iterations="+strconv.Itoa(steps))
	c.Stderr = os.Stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	metrics, err := logs.ReadMetrics(run)
	if err != nil {
		return err
	}
	var all []sample
	for _, m := range metrics {
		all = append(all, sample{self: process{resident: float64(m.MemoryBytes) / (1 << 20)}})
	}
	if err := flat(all); err != nil {
		return err
	}
	q := len(all) / 4
	fmt.Printf("%d steps of fixture-pipa: %.0f MiB resident after a quarter, %.0f after half, %.0f at the end\n", steps, all[q].self.resident, all[2*q].self.resident, all[len(all)-1].self.resident)
	return nil
}
