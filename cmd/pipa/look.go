package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"io"
	"os"
	"strings"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/view"
	"github.com/urfave/cli/v2"
)

// count is "1 row", "2 rows".
func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

func printJSON(v any) error {
	e := json.NewEncoder(os.Stdout)
	e.SetIndent("", "  ")
	return closedPipe(e.Encode(v))
}

// firstArgument is the optional file of a command that reads one stream.
func firstArgument(c *cli.Context) (string, error) {
	args, err := arguments(c)
	if err != nil || len(args) == 0 {
		return "", err
	}
	return args[0], nil
}

func inspectCommand() *cli.Command {
	return &cli.Command{
		Name:        "inspect",
		Usage:       "what a stream, file or dataset holds",
		ArgsUsage:   "[FILE-OR-DIR]",
		Description: "Reads it to its end, checks every row, and prints schema, history, sizes and classes.\n\n   pipa inspect pairs",
		Flags:       []cli.Flag{limitFlag(), jsonFlag(), progressFlag()},
		Action: func(c *cli.Context) error {
			name, err := firstArgument(c)
			if err != nil {
				return err
			}
			s, close, err := input(c.Context, name)
			if err != nil {
				return err
			}
			defer close()
			if c.IsSet("limit") {
				s = pipeline.Limit(s, c.Int("limit"))
			}
			bar, err := newProgress(c, "inspect", "rows", -1)
			if err != nil {
				return err
			}
			summary, err := pipeline.Summarize(bar.counted(s))
			bar.close()
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(summary)
			}
			_, err = os.Stdout.WriteString(describe(summary))
			return closedPipe(err)
		},
	}
}

// describe formats a summary for people.
func describe(s pipeline.Summary) string {
	var b strings.Builder
	line := func(key, format string, args ...any) {
		fmt.Fprintf(&b, "%-9s %s\n", key, fmt.Sprintf(format, args...))
	}
	line("kind", "%s (format %s)", s.Kind, s.Version)
	line("rows", "%d in %s, %d labelled, %s", s.Rows, batches(s.Batches), s.Labelled, bytesText(s.Bytes))
	if len(s.Datasets) > 0 {
		line("datasets", "%s", strings.Join(s.Datasets, ", "))
	}
	if s.Rows > 0 {
		size := fmt.Sprintf("%dx%d", s.Smallest.Width, s.Smallest.Height)
		if s.Smallest != s.Largest {
			size += fmt.Sprintf(" to %dx%d", s.Largest.Width, s.Largest.Height)
		}
		if s.Tensor {
			size += ", stored as tensors"
		}
		line("size", "%s", size)
	}
	line("seed", "%d", s.Seed)
	for i, text := range historyLines(s.History) {
		key := ""
		if i == 0 {
			key = "history"
		}
		line(key, "%s", text)
	}
	var total int64
	for _, n := range s.Pixels {
		total += n
	}
	if total += s.Ignored + s.Unknown; total == 0 {
		return b.String()
	}
	var most int64
	for _, n := range append([]int64{s.Ignored, s.Unknown}, s.Pixels...) {
		most = max(most, n)
	}
	width := len("no class")
	for _, name := range s.Classes {
		width = min(max(width, len(name)), maxPadding)
	}
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

func batches(n int) string {
	if n == 1 {
		return "1 batch"
	}
	return fmt.Sprintf("%d batches", n)
}

func bytesText(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	v, u := float64(n), 0
	for v >= 1024 && u < len(units)-1 {
		v /= 1024
		u++
	}
	if u == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", v, units[u])
}

func viewCommand() *cli.Command {
	return &cli.Command{
		Name:      "view",
		Usage:     "stream → contact sheet (PNG)",
		ArgsUsage: "[FILE-OR-DIR]",
		Description: "Draws samples with labels and overlays, mixes with masks, crop pairs with their overlap.\n\n" +
			"   pipa read gta data/gta --limit 8 | pipa view -o gta.png",
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "limit", Value: 64, Usage: "at most this `NUMBER` of rows"},
			&cli.IntFlag{Name: "columns", Usage: "`NUMBER` of rows side by side", DefaultText: "chosen"},
			&cli.IntFlag{Name: "width", Usage: "width of one picture in `PIXELS`", DefaultText: "chosen"},
			&cli.Float64Flag{Name: "opacity", Value: 0.5, Usage: "of labels over images, 0 to 1"},
			outFlag(), forceFlag(), progressFlag(),
		},
		Action: func(c *cli.Context) error {
			name, err := firstArgument(c)
			if err != nil {
				return err
			}
			if err := refuseTerminal(c); err != nil {
				return err
			}
			o := view.Options{Limit: c.Int("limit"), Columns: c.Int("columns"), Width: c.Int("width"), Opacity: c.Float64("opacity")}
			if err := o.Validate(); err != nil {
				return usageError{err}
			}
			s, close, err := input(c.Context, name)
			if err != nil {
				return err
			}
			defer close()
			bar, err := newProgress(c, "view", "rows", -1)
			if err != nil {
				return err
			}
			sheet, err := view.Sheet(c.Context, bar.counted(s), o)
			bar.close()
			if errors.Is(err, view.ErrEmpty) {
				return fmt.Errorf("%w: is it what you meant to read?", err)
			}
			if err != nil {
				return err
			}
			return output(c, func(w io.Writer) error { return closedPipe(png.Encode(w, sheet)) })
		},
	}
}
