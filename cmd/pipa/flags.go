package main

import (
	"log/slog"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/pipa-uda/pipa/internal/wait"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/precompute"
	"github.com/urfave/cli/v2"
)

// Flags that several commands share, each with one name and one meaning.

func seedFlag(usage string) cli.Flag { return &cli.Uint64Flag{Name: "seed", Usage: usage} }
func epochFlag() cli.Flag {
	return &cli.Uint64Flag{Name: "epoch", Usage: "`NUMBER` of the pass over the data; each draws anew"}
}
func workersFlag() cli.Flag {
	return &cli.IntFlag{Name: "workers", Aliases: []string{"j"}, Category: groupCommon, Value: runtime.GOMAXPROCS(0), Usage: "`NUMBER` of batches or files in work at once; never changes a byte", DefaultText: "one per core"}
}
func limitFlag() cli.Flag {
	return &cli.IntFlag{Name: "limit", Usage: "stop after this `NUMBER` of rows", DefaultText: "all"}
}
func shardFlag() cli.Flag {
	return &cli.StringFlag{Name: "shard", Usage: "only the rows i, i+n, i+2n…, given as `i/n`"}
}
func outFlag() cli.Flag {
	return &cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "write to `FILE` instead of standard output"}
}
func forceFlag() cli.Flag {
	return &cli.BoolFlag{Name: "force", Category: groupCommon, Usage: "replace what is there"}
}
func jsonFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Category: groupCommon, Usage: "print JSON"}
}
func splitFlag() cli.Flag {
	return &cli.StringFlag{Name: "split", Category: groupInput, Value: "train", Usage: "`SPLIT` to read: train, val or test, or one of a class map's"}
}
func unlabeledFlag() cli.Flag {
	return &cli.BoolFlag{Name: "unlabelled", Category: groupInput, Usage: "read images alone, as of a target domain"}
}
func maxPixelsFlag() cli.Flag {
	return &cli.IntFlag{Name: "max-pixels", Category: groupInput, Value: raster.MaxPixels, Usage: "refuse images that declare more pixels than this `NUMBER`"}
}
func progressFlag() cli.Flag {
	return &cli.StringFlag{Name: "progress", Category: groupCommon, Value: "auto", Usage: "`auto|always|never` when a progress bar is drawn on standard error; auto: on a terminal"}
}
func stallFlag() cli.Flag {
	return &cli.DurationFlag{Name: "stall", Value: wait.DefaultStall, Usage: "ask an object store again once it has been silent for this `TIME`, as in 90s; five times in all"}
}

// patience says what is waited for long.
func patience() wait.Patience {
	return wait.Patience{Say: func(what string) { slog.Info("waiting for " + what) }}
}

// patienceOf reads --stall.
func patienceOf(c *cli.Context) (wait.Patience, error) {
	p := patience()
	p.Stall = c.Duration("stall")
	if c.IsSet("stall") && p.Stall <= 0 {
		return p, usagef("--stall is %v, want a time such as 60s", p.Stall)
	}
	return p, nil
}
func logFlag() cli.Flag {
	return &cli.StringFlag{Name: "log", Category: groupCommon, Value: "text", Usage: "`text|json` how messages on standard error are written"}
}

// repeated is the value of a flag that may be given several times. (The cli
// package's own splits values at commas, which ours have inside.)
type repeated []string

func repeatedFlag(name, usage string) cli.Flag {
	return &cli.GenericFlag{Name: name, Value: &repeated{}, Usage: usage + "; may be repeated"}
}

func (r *repeated) Set(s string) error { *r = append(*r, s); return nil }
func (r *repeated) String() string     { return strings.Join(*r, " ") }

func repeatedValues(c *cli.Context, name string) []string { return *c.Generic(name).(*repeated) }

// parseSize reads "HEIGHTxWIDTH"; the empty string is the zero size.
func parseSize(flag, text string) ([2]int, error) {
	if text == "" {
		return [2]int{}, nil
	}
	h, w, _ := strings.Cut(text, "x")
	height, err1 := strconv.Atoi(h)
	width, err2 := strconv.Atoi(w)
	if err1 != nil || err2 != nil || height < 1 || width < 1 {
		return [2]int{}, usagef("--%s is %q, want HEIGHTxWIDTH as in 512x1024", flag, text)
	}
	return [2]int{height, width}, nil
}

// parseNumbers reads n numbers with commas between.
func parseNumbers(flag, text string, n int) ([]float64, error) {
	fields := strings.Split(text, ",")
	numbers := make([]float64, 0, n)
	for _, f := range fields {
		v, err := strconv.ParseFloat(strings.TrimSpace(f), 64)
		if err != nil {
			break
		}
		numbers = append(numbers, v)
	}
	if len(fields) != n || len(numbers) != n {
		return nil, usagef("--%s is %q, want %d numbers with commas between", flag, text, n)
	}
	return numbers, nil
}

// leastOf are the smallest values of flags that count something, where commands have
// them.
var leastOf = map[string]int{
	"limit": 0, "start": 0, "batch": 1, "workers": 1, "max-pixels": 1, "shards": 1, "shard-size": 1, "epochs": 1, "width": 1,
}

// checkValues refuses counts that would select nothing, or mean something else, and
// values that are empty, as of a shell's variable that is not set: they would mean
// what it means that the flag or argument is left out.
func checkValues(c *cli.Context) error {
	if i := slices.Index(c.Args().Slice(), ""); i >= 0 {
		return usagef("%s: argument %d is empty; see: %s --help", c.Command.HelpName, i+1, c.Command.HelpName)
	}
	for _, f := range c.Command.Flags {
		name := f.Names()[0]
		if _, ok := f.(*cli.StringFlag); ok && c.IsSet(name) && c.String(name) == "" {
			return usagef("%s: flag --%s needs a value, and was given an empty one; see: %s --help", c.Command.HelpName, name, c.Command.HelpName)
		}
		if least, ok := leastOf[name]; ok && c.IsSet(name) && c.Int(name) < least {
			return usagef("--%s is %d, want %d or more", name, c.Int(name), least)
		}
	}
	return nil
}

// limitOf is the value of --limit, -1 where it is not given.
func limitOf(c *cli.Context) int {
	if !c.IsSet("limit") {
		return -1
	}
	return c.Int("limit")
}

// shareOf is the value of --shard, all where it is not given.
func shareOf(c *cli.Context) (precompute.Share, error) {
	text := c.String("shard")
	if text == "" {
		return precompute.Whole, nil
	}
	s, err := precompute.ParseShare(text)
	if err != nil {
		return s, usagef("--shard is %q, want i/n with i from 0 to n-1", text)
	}
	return s, nil
}
