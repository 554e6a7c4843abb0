package main

import (
	"context"
	"errors"
	"image/png"
	"io"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/view"
	"github.com/urfave/cli/v2"
)

type viewOptions struct {
	input   string // empty is standard input
	lost    lost
	sheet   view.Options
	output  output
	display display
}

func viewCommand() *cli.Command {
	return &cli.Command{
		Name:      "view",
		Usage:     "stream → picture of its rows (PNG)",
		ArgsUsage: "[FILE-OR-DIR]",
		Description: `Draws samples with labels and overlays, mixes with masks, crop pairs with their overlap.

   pipa read gta data/gta --limit 8 | pipa view -o gta.png`,
		Flags: append([]cli.Flag{
			&cli.IntFlag{Name: "limit", Value: 64, Usage: "at most this `NUMBER` of rows"},
			&cli.IntFlag{Name: "columns", Usage: "`NUMBER` of rows side by side", DefaultText: "chosen"},
			&cli.IntFlag{Name: "width", Usage: "width of one picture in `PIXELS`", DefaultText: "chosen"},
			&cli.Float64Flag{Name: "opacity", Value: 0.5, Usage: "`OPACITY` of labels over images, 0 to 1"},
			outFlag(), forceFlag(), progressFlag(), stallFlag(),
		}, lostFlags()...),
		Action: action(viewOptionsOf, runView),
	}
}

func viewOptionsOf(c *cli.Context) (o viewOptions, err error) {
	o.sheet = view.Options{Limit: c.Int("limit"), Columns: c.Int("columns"), Width: c.Int("width"), Opacity: c.Float64("opacity")}
	if o.input, err = firstArgument(c); err != nil {
		return o, err
	}
	if o.output, err = binaryOutputOf(c); err != nil {
		return o, err
	}
	if err := o.sheet.Validate(); err != nil {
		return o, err
	}
	if o.lost, err = lostOf(c); err != nil {
		return o, err
	}
	o.display, err = displayOf(c)
	return o, err
}

func runView(ctx context.Context, o viewOptions) error {
	in, err := openInput(ctx, o.input, o.lost)
	if err != nil {
		return err
	}
	defer in.Close()
	bar := o.display.bar("view", "rows", -1)
	sheet, err := view.Sheet(ctx, bar.counted(in.Stream), o.sheet)
	bar.close()
	if errors.Is(err, view.ErrEmpty) {
		return usagef("%w: is it what you meant to read?", err)
	}
	if err != nil {
		return err
	}
	return o.output.write(func(w io.Writer) error { return pipeline.ClosedPipe(png.Encode(w, sheet)) })
}
