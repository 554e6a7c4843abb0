package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/pipa-uda/pipa/train/weights"
	"github.com/pipa-uda/pipa/train/weights/safetensors"
	"github.com/urfave/cli/v2"
)

type listWeightsOptions struct {
	file      string
	raw, json bool
}

type convertWeightsOptions struct {
	file   string
	output output
}

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
				Action:      action(listWeightsOptionsOf, runListWeights),
			},
			{
				Name:      "convert",
				Usage:     "write safetensors under pipa's names",
				ArgsUsage: "FILE",
				Description: "Reads .pth files (never executing them) and safetensors of SegFormer, Hugging Face,\n" +
					"mmsegmentation, DAFormer, HRDA, MIC and PiPa.\n\n   pipa weights convert mit_b5.pth -o mit_b5.safetensors",
				Flags:  []cli.Flag{outFlag(), forceFlag()},
				Action: action(convertWeightsOptionsOf, runConvertWeights),
			},
		},
	}
}

// weightsFile is the argument FILE.
func weightsFile(c *cli.Context) (string, error) {
	args, err := arguments(c)
	if err != nil {
		return "", err
	}
	return args[0], onThisMachine(c.Command.HelpName, args[0], "file")
}

func listWeightsOptionsOf(c *cli.Context) (o listWeightsOptions, err error) {
	o.raw, o.json = c.Bool("raw"), c.Bool("json")
	o.file, err = weightsFile(c)
	return o, err
}

func convertWeightsOptionsOf(c *cli.Context) (o convertWeightsOptions, err error) {
	if o.file, err = weightsFile(c); err != nil {
		return o, err
	}
	o.output, err = binaryOutputOf(c)
	return o, err
}

// readWeights reads all of a file's tensors.
func readWeights(file string, open func(string) (*safetensors.File, error)) ([]safetensors.Tensor, error) {
	f, err := open(file)
	if err != nil {
		return nil, otherwise(exitBadData, err)
	}
	var tensors []safetensors.Tensor
	for _, name := range f.Names() {
		t, err := f.Tensor(name)
		if err != nil {
			return nil, otherwise(exitBadData, err)
		}
		tensors = append(tensors, t)
	}
	return tensors, nil
}

func runConvertWeights(_ context.Context, o convertWeightsOptions) error {
	tensors, err := readWeights(o.file, weights.Open)
	if err != nil {
		return err
	}
	return o.output.write(func(w io.Writer) error { return safetensors.Write(w, nil, tensors) })
}

func runListWeights(_ context.Context, o listWeightsOptions) error {
	open := weights.Open
	if o.raw {
		open = weights.Read
	}
	tensors, err := readWeights(o.file, open)
	if err != nil {
		return err
	}
	type row struct {
		Name  string `json:"name"`
		Type  string `json:"type"`
		Shape []int  `json:"shape"`
	}
	var rows []row
	elements, width := 0, 0
	for _, t := range tensors {
		rows = append(rows, row{t.Name, t.DType, t.Shape})
		elements += t.Len()
		width = min(max(width, len(t.Name)), maxPadding)
	}
	if o.json {
		return printJSON(rows)
	}
	var b strings.Builder
	for _, r := range rows {
		fmt.Fprintf(&b, "%-*s  %-4s  %v\n", width, r.Name, r.Type, r.Shape)
	}
	fmt.Fprintf(&b, "%s, %d elements\n", count(len(rows), "tensor"), elements)
	return printText(b.String())
}
