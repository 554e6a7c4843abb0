package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/pipa-uda/pipa/fixtures"
	"github.com/pipa-uda/pipa/train"
)

// soakTraining takes so many steps of the preset fixture-pipa, and compares what
// the run's metrics say of its resident memory.
func soakTraining(ctx context.Context, steps int, dir, program string) error {
	data, run := filepath.Join(dir, "data"), filepath.Join(dir, "run")
	if err := fixtures.Write(ctx, data, fixtures.Options{Width: 2 * size, GTA: 40, Train: 40, Val: 4, Domains: []fixtures.Domain{fixtures.GTA, fixtures.Cityscapes}, Workers: workers}); err != nil {
		return err
	}
	c := exec.CommandContext(ctx, program, "train", "--preset", "fixture-pipa", "--source", filepath.Join(data, "gta"), "--target", filepath.Join(data, "cityscapes"),
		"--out", run, "--set", "iterations="+strconv.Itoa(steps))
	c.Stderr = os.Stderr
	if err := c.Run(); err != nil {
		return fmt.Errorf("train: %w", err)
	}
	f, err := os.Open(filepath.Join(run, "metrics.jsonl"))
	if err != nil {
		return err
	}
	defer f.Close()
	var all []sample
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var m train.Metrics
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			return fmt.Errorf("read %s: %w", f.Name(), err)
		}
		all = append(all, sample{self: process{resident: float64(m.MemoryBytes) / (1 << 20)}})
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read %s: %w", f.Name(), err)
	}
	if err := flat(all); err != nil {
		return err
	}
	q := len(all) / 4
	fmt.Printf("%d steps of fixture-pipa: %.0f MiB resident after a quarter, %.0f after half, %.0f at the end\n", steps, all[q].self.resident, all[2*q].self.resident, all[len(all)-1].self.resident)
	return nil
}
