package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/urfave/cli/v2"
)

type inspectOptions struct {
	input   string // empty is standard input
	lost    lost
	limit   int // -1 is none
	json    bool
	display display
}

func inspectCommand() *cli.Command {
	return &cli.Command{
		Name:      "inspect",
		Usage:     "say what a stream, file or stored dataset holds",
		ArgsUsage: "[FILE-OR-DIR]",
		Description: `Reads all of it, checks every row, and prints schema, history, sizes and classes.

   pipa inspect pairs`,
		Flags:  append(lostFlags(), limitFlag(), jsonFlag(), progressFlag(), stallFlag()),
		Action: action(inspectOptionsOf, runInspect),
	}
}

func inspectOptionsOf(c *cli.Context) (o inspectOptions, err error) {
	o = inspectOptions{limit: limitOf(c), json: c.Bool("json")}
	if o.input, err = firstArgument(c); err != nil {
		return o, err
	}
	if o.lost, err = lostOf(c); err != nil {
		return o, err
	}
	o.display, err = displayOf(c)
	return o, err
}

func runInspect(ctx context.Context, o inspectOptions) error {
	in, err := openInput(ctx, o.input, o.lost)
	if err != nil {
		return err
	}
	defer in.Close()
	bar := o.display.bar("inspect", "rows", -1)
	summary, err := pipeline.Summarize(bar.counted(limited(in.Stream, o.limit)))
	bar.close()
	if err != nil {
		return err
	}
	if o.json {
		return printJSON(summary)
	}
	return printText(describe(summary))
}

// describe formats a summary for people.
func describe(s pipeline.Summary) string {
	var b columns
	b.line("kind", "%s (format %s)", s.Kind, s.Version)
	b.line("rows", "%d in %s, %d labeled, %s", s.Rows, count(s.Batches, "batch"), s.Labeled, bytesText(s.Bytes))
	if len(s.Datasets) > 0 {
		b.line("datasets", "%s", strings.Join(s.Datasets, ", "))
	}
	if s.Rows > 0 {
		size := fmt.Sprintf("%dx%d", s.Smallest.Width, s.Smallest.Height)
		if s.Smallest != s.Largest {
			size += fmt.Sprintf(" to %dx%d", s.Largest.Width, s.Largest.Height)
		}
		if s.Tensor {
			size += ", stored as tensors"
		}
		b.line("size", "%s", size)
	}
	b.line("seed", "%d", s.Seed)
	for i, text := range historyLines(s.History) {
		key := ""
		if i == 0 {
			key = "history"
		}
		b.line(key, "%s", text)
	}
	return b.String() + classTable(s)
}

// classTable is a line for each class of a summary, with its share of the pixels;
// empty where there are no labels.
func classTable(s pipeline.Summary) string {
	total, most := s.Ignored+s.Unknown, max(s.Ignored, s.Unknown)
	for _, n := range s.Pixels {
		total, most = total+n, max(most, n)
	}
	if total == 0 {
		return ""
	}
	width := len("no class")
	for _, name := range s.Classes {
		width = min(max(width, len(name)), maxPadding)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%-*s %13s   share\n", width, "class", "pixels")
	class := func(name string, n int64) {
		bar := strings.Repeat("█", int(24*n/most))
		b.WriteString(strings.TrimRight(fmt.Sprintf("%-*s %13d  %5.2f%% %s", width, name, n, 100*float64(n)/float64(total), bar), " ") + "\n")
	}
	for id, n := range s.Pixels {
		class(s.Classes[id], n)
	}
	class("ignore", s.Ignored)
	if s.Unknown > 0 {
		class("no class", s.Unknown)
	}
	return b.String()
}
