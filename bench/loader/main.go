// Command loader times pipa's data path against the usual one of OpenCV, Pillow
// and PyTorch (DataLoader), side by side in one run: every round takes all rows
// in random order, and each row's two sides in random order. It prints medians
// and their ratio beside the ratio aimed at.
//
//	go run ./bench/loader -rounds 9
package main

import (
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/bench/python"
)

// A row is one comparison. Each side returns seconds, or items a second where
// rate is set.
type row struct {
	name         string
	ours, theirs func() (float64, error)
	against      string // what theirs is
	rate         bool
	aim          float64 // of ours over theirs, as speeds
}

func main() {
	data := flag.String("data", "build/bench", "folder of the prepared images")
	sample := flag.String("sample", "../shared/data/cityscapes_sample", "real images in Cityscapes' layout to prepare them from")
	peer := flag.String("peer", "../shared/bench/peer_loader.py", "the usual loader")
	interpreter := flag.String("python", "/usr/bin/python3", "interpreter with OpenCV, Pillow, torch and torchvision")
	rounds := flag.Int("rounds", 7, "timed rounds")
	only := flag.String("only", "", "rows whose name has this")
	flag.Parse()
	if err := run(*data, *sample, *peer, *interpreter, *rounds, *only); err != nil {
		log.Fatal(err)
	}
}

func run(data, sample, peer, interpreter string, rounds int, only string) error {
	if err := prepare(data, sample, peer, interpreter); err != nil {
		return err
	}
	ask, err := python.Start(interpreter, "bench/loader/peer.py", nil, peer, data)
	if err != nil {
		return err
	}
	b := &bench{data: data, ask: ask}
	rows, err := b.rows()
	if err != nil {
		return err
	}
	rows = slices.DeleteFunc(rows, func(r row) bool { return !strings.Contains(r.name, only) })
	times := make([][2][]float64, len(rows))
	for round := range rounds + 1 { // the first warms up
		for _, i := range rand.Perm(len(rows)) {
			for _, side := range rand.Perm(2) {
				f := rows[i].ours
				if side == 1 {
					f = rows[i].theirs
				}
				v, err := f()
				if err != nil {
					return fmt.Errorf("%s: %w", rows[i].name, err)
				}
				if round > 0 {
					times[i][side] = append(times[i][side], v)
				}
			}
		}
		fmt.Fprintf(os.Stderr, "round %d of %d\r", round, rounds)
	}
	fmt.Printf("%-38s %14s %14s %8s %6s  %s\n", "", "pipa", "other", "times", "aim", "other")
	for i, r := range rows {
		a, b := median(times[i][0]), median(times[i][1])
		ratio, unit := b/a, func(v float64) string { return fmt.Sprintf("%.2f ms", 1000*v) }
		if r.rate {
			ratio, unit = a/b, func(v float64) string { return fmt.Sprintf("%.1f/s", v) }
		}
		fmt.Printf("%-38s %14s %14s %8.2f %6.2f  %s\n", r.name, unit(a), unit(b), ratio, r.aim, r.against)
	}
	return nil
}

func median(v []float64) float64 {
	v = slices.Clone(v)
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// prepare makes the peer's images, and beside them folders in Cityscapes'
// layout for ours.
func prepare(data, sample, peer, interpreter string) error {
	if _, err := os.Stat(filepath.Join(data, "gta", "lbl", "11.png")); err != nil {
		c := exec.Command(interpreter, peer, "--src", sample, "--data", data, "--prepare")
		c.Stderr = os.Stderr
		if err := c.Run(); err != nil {
			return fmt.Errorf("prepare %s: %w", data, err)
		}
	}
	for _, set := range []string{"cs", "gta"} {
		for _, kind := range [][3]string{{"img", "leftImg8bit", "_leftImg8bit.png"}, {"lbl", "gtFine", "_gtFine_labelTrainIds.png"}} {
			dir := filepath.Join(data, "layout", set, kind[1], "train", "city")
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
			for i := range 12 {
				target, err := filepath.Abs(filepath.Join(data, set, kind[0], fmt.Sprintf("%02d.png", i)))
				if err != nil {
					return err
				}
				link := filepath.Join(dir, fmt.Sprintf("%02d%s", i, kind[2]))
				if _, err := os.Lstat(link); err == nil {
					continue
				}
				if err := os.Symlink(target, link); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
