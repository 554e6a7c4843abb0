// Command loader times pipa's data path against the usual one of OpenCV, Pillow
// and PyTorch (DataLoader), side by side in one run: every round takes all rows
// in random order, and each row's two sides in random order. It prints medians
// and their ratio beside the ratio aimed at.
//
//	go run ./bench/loader -rounds 9                      fixtures at full size
//	go run ./bench/loader -rounds 9 -sample CITYSCAPES   real images, in Cityscapes' layout
//
// The other side needs the Python that scripts/bench-python makes, and some rows
// need what make builds. What is missing is said below the table.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand/v2"
	"os"
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/bench/measure"
	"github.com/pipa-uda/pipa/bench/python"
	"github.com/pipa-uda/pipa/formats"
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

// options are the command's.
type options struct {
	data, sample, python string
	rounds               int
	only                 string
}

func main() {
	log.SetFlags(0)
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		os.Exit(2) // the flags have said why
	}
	if err := run(context.Background(), o, os.Stdout); err != nil {
		log.Fatal("loader: ", err)
	}
}

func parse(args []string) (o options, err error) {
	f := flag.NewFlagSet("loader", flag.ContinueOnError)
	f.StringVar(&o.data, "data", "build/bench", "folder that keeps the images")
	f.StringVar(&o.sample, "sample", "", "folder of real images in Cityscapes' layout, instead of fixtures")
	f.StringVar(&o.python, "python", python.Interpreter, "interpreter with OpenCV, Pillow, torch and torchvision")
	f.Func("rounds", "timed rounds (default 7)", func(text string) error {
		if _, err := fmt.Sscan(text, &o.rounds); err != nil || o.rounds < 1 {
			return fmt.Errorf("want 1 or more")
		}
		return nil
	})
	f.StringVar(&o.only, "only", "", "rows whose name has this")
	o.rounds = 7
	if err = f.Parse(args); err == nil && f.NArg() > 0 {
		err = fmt.Errorf("%q is not a flag", f.Arg(0))
		log.Print(err)
	}
	return o, err
}

func run(ctx context.Context, o options, out io.Writer) error {
	b := &bench{}
	var err error
	if o.sample != "" {
		b.images, err = sampled(ctx, o.data, o.sample)
	} else {
		b.images, err = drawn(ctx, o.data, 6, fullSize)
	}
	if err != nil {
		return err
	}
	if b.peer, err = startPeer(o.python, b.images); err != nil {
		b.missing("the side of OpenCV, Pillow and PyTorch is left out: %v (scripts/bench-python makes %s)", err, python.Interpreter)
	}
	rows, err := b.rows(ctx)
	if err != nil {
		return err
	}
	rows = slices.DeleteFunc(rows, func(r row) bool { return !strings.Contains(r.name, o.only) })
	times, err := measured(rows, o.rounds)
	if err != nil {
		return err
	}
	versions := "none"
	if b.peer != nil {
		versions = b.peer.Versions
	}
	first := fmt.Sprintf("Images: %s. %s. Medians, rounds: %d. Other side: %s.\n", b.images.what, measure.Machine(), o.rounds, versions)
	_, err = io.WriteString(out, first+table(rows, times)+strings.Join(b.notes, ""))
	return err
}

// startPeer starts the other side on the same files.
func startPeer(interpreter string, of *images) (*python.Script, error) {
	sets := map[string][][2]string{}
	for name, d := range map[string]*formats.Dataset{"gta": of.gta, "cs": of.cityscapes} {
		for _, e := range taken(d) {
			sets[name] = append(sets[name], [2]string{e.Image, e.Label})
		}
	}
	text, err := json.Marshal(sets)
	if err != nil {
		return nil, err
	}
	return python.Start(interpreter, "bench/loader/peer.py", nil, string(text))
}

// measured are each row's values on both sides, a round each, after a round to
// warm up.
func measured(rows []row, rounds int) (times [][2][]float64, err error) {
	times = make([][2][]float64, len(rows))
	for round := range rounds + 1 {
		for _, i := range rand.Perm(len(rows)) {
			for _, side := range rand.Perm(2) {
				f := [...]func() (float64, error){rows[i].ours, rows[i].theirs}[side]
				if f == nil {
					continue
				}
				v, err := f()
				if err != nil {
					return nil, fmt.Errorf("%s: %w", rows[i].name, err)
				}
				if round > 0 {
					times[i][side] = append(times[i][side], v)
				}
			}
		}
		fmt.Fprintf(os.Stderr, "round %d of %d\r", round, rounds)
	}
	return times, nil
}

// table has the medians. Where there is no other side, ours stands alone.
func table(rows []row, times [][2][]float64) string {
	const line = "%-39s %12s %12s %8s %6s  %s\n"
	var out strings.Builder
	fmt.Fprintf(&out, line, "", "pipa", "other", "times", "aim", "other")
	for i, r := range rows {
		unit := func(v float64) string { return fmt.Sprintf("%.2f ms", 1000*v) }
		if r.rate {
			unit = func(v float64) string { return fmt.Sprintf("%.1f/s", v) }
		}
		ours := measure.Median(times[i][0])
		if len(times[i][1]) == 0 {
			fmt.Fprintf(&out, line, r.name, unit(ours), "-", "-", fmt.Sprintf("%.2f", r.aim), r.against+": left out")
			continue
		}
		theirs := measure.Median(times[i][1])
		ratio := theirs / ours
		if r.rate {
			ratio = ours / theirs
		}
		fmt.Fprintf(&out, line, r.name, unit(ours), unit(theirs), fmt.Sprintf("%.2f", ratio), fmt.Sprintf("%.2f", r.aim), r.against)
	}
	return out.String()
}
