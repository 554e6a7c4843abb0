package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/pipa-uda/pipa/train/weights"
	"github.com/pipa-uda/pipa/train/weights/safetensors"
	"github.com/urfave/cli/v2"
)

func weightsCommand() *cli.Command {
	return &cli.Command{
		Name:        "weights",
		Usage:       "list and convert network weights",
		Description: weights.Sources + "\n\n   pipa weights convert mit_b5.pth -o mit_b5.safetensors",
		Action: func(c *cli.Context) error {
			if c.NArg() == 0 {
				return cli.ShowSubcommandHelp(c)
			}
			return unknownCommand(c, c.Command.Subcommands)
		},
		Subcommands: []*cli.Command{
			{
				Name:        "ls",
				Usage:       "names, types and shapes",
				ArgsUsage:   "FILE",
				Description: "   pipa weights ls mit_b5.pth",
				Flags:       []cli.Flag{&cli.BoolFlag{Name: "raw", Usage: "the file's own names instead of pipa's"}, jsonFlag()},
				Action:      listWeights,
			},
			{
				Name:      "convert",
				Usage:     "write safetensors under pipa's names",
				ArgsUsage: "FILE",
				Description: "Reads .pth files (never executing them) and safetensors of SegFormer, Hugging Face,\n" +
					"mmsegmentation, DAFormer, HRDA, MIC and PiPa.\n\n   pipa weights convert mit_b5.pth -o mit_b5.safetensors",
				Flags: []cli.Flag{outFlag(), forceFlag()},
				Action: func(c *cli.Context) error {
					args, err := arguments(c)
					if err != nil {
						return err
					}
					f, err := weights.Open(args[0])
					if err != nil {
						return err
					}
					tensors, err := all(f)
					if err != nil {
						return err
					}
					return output(c, func(w io.Writer) error { return safetensors.Write(w, nil, tensors) })
				},
			},
		},
	}
}

func all(f *safetensors.File) ([]safetensors.Tensor, error) {
	var tensors []safetensors.Tensor
	for _, name := range f.Names() {
		t, err := f.Tensor(name)
		if err != nil {
			return nil, err
		}
		tensors = append(tensors, t)
	}
	return tensors, nil
}

func listWeights(c *cli.Context) error {
	args, err := arguments(c)
	if err != nil {
		return err
	}
	open := weights.Open
	if c.Bool("raw") {
		open = weights.Read
	}
	f, err := open(args[0])
	if err != nil {
		return err
	}
	tensors, err := all(f)
	if err != nil {
		return err
	}
	type row struct {
		Name  string `json:"name"`
		Type  string `json:"type"`
		Shape []int  `json:"shape"`
	}
	var rows []row
	var b strings.Builder
	elements, width := 0, 0
	for _, t := range tensors {
		rows = append(rows, row{t.Name, t.DType, t.Shape})
		elements += t.Len()
		width = min(max(width, len(t.Name)), maxPadding)
	}
	if c.Bool("json") {
		return printJSON(rows)
	}
	for _, r := range rows {
		fmt.Fprintf(&b, "%-*s  %-4s  %v\n", width, r.Name, r.Type, r.Shape)
	}
	fmt.Fprintf(&b, "%s, %d elements\n", count(len(rows), "tensor"), elements)
	_, err = os.Stdout.WriteString(b.String())
	return closedPipe(err)
}
